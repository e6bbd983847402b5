"""Superset's saved metrics, generated from the KPI catalogue: no formula is ever written in a chart or a dataset.

A metric is named ``<kpi>[__<unit>][__<part>]``: ``csat``, ``csat__n``, ``first_reply_time__hours__yhat_lower``.
The ends ``yhat_lower`` and ``yhat_upper`` are what Superset draws as a band around the line beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kefu.catalogue import Kpi

SCALES = {"hours": 3600, "minutes": 60}
PARTS = {
    "value", "yhat_lower", "yhat_upper", "n", "signal",
    "state", "words", "range_words", "target_words", "place", "place_low", "place_high",
    "spread", "spread_low", "spread_high", "spread_target",
}  # fmt: skip
UNIT_WORDS = {
    "hours": {"en": "h", "zh": "小时"},
    "minutes": {"en": "min", "zh": "分钟"},
    "seconds": {"en": "s", "zh": "秒"},
    "days": {"en": "days", "zh": "天"},
}
_FORMATS = {
    "percent": ".1%",
    "seconds": ",.0f",
    "days": ",.1f",
    "count": ",d",
    "points": ",.1f",
    "score": ".3f",
    "ratio": ".2f",
    "index": ".2f",
    "per_hour": ".2f",
    "kappa": ".2f",
}


@dataclass(frozen=True)
class Metric:
    """What a metric's name says."""

    kpi: Kpi
    scale: str | None
    part: str


def parse(name: str, kpis: dict[str, Kpi]) -> Metric:
    """The KPI, scale and part of a metric's name. ValueError says what is unknown."""
    kpi, *rest = name.split("__")
    scale = rest.pop(0) if rest and rest[0] in SCALES else None
    part = rest.pop(0) if rest else "value"
    if kpi not in kpis:
        raise ValueError(f"{kpi} is no KPI of the catalogue")
    if rest or part not in PARTS:
        raise ValueError(f"{name} is no metric: {part} is unknown")
    if scale and kpis[kpi].unit != "seconds":
        raise ValueError(f"{name}: {kpi} is in {kpis[kpi].unit}, not in seconds")
    if part in ("yhat_lower", "yhat_upper") and kpis[kpi].low_sql is None:
        raise ValueError(f"{name}: {kpi} is a full count and has no interval")
    return Metric(kpis[kpi], scale, part)


def describe(metric: Metric, name: str, language: str, *, weekly: bool = False) -> dict[str, Any]:
    """A metric as Superset imports it, labelled in a language."""
    counts = metric.part == "n"
    texts = metric.part in ("state", "words", "range_words", "target_words")
    unit = "count" if counts else metric.kpi.unit
    about = metric.kpi.description[language]
    return {
        "metric_name": name,
        "verbose_name": label(metric, language, weekly=weekly),
        "expression": _weekly_sql(metric) if weekly else _sql(metric, language),
        "d3format": None if texts else ",.1f" if metric.scale and not counts else _FORMATS[unit],
        "metric_type": None,
        "description": f"{metric.kpi.code}: {about}" if metric.part == "value" else None,
        "warning_text": None,
        "extra": {},
    }


def label(metric: Metric, language: str, *, weekly: bool = False) -> str:
    """What readers see in legends and tooltips; no two metrics share it, for Superset finds colours through it."""
    name = metric.kpi.name[language]
    unit = metric.scale or (metric.kpi.unit if metric.kpi.unit in UNIT_WORDS else None)
    if unit:
        word = UNIT_WORDS[unit][language]
        name = f"{name} ({word})" if language == "en" else f"{name}（{word}）"
    ends = {
        "yhat_lower": {True: ("usual low", "常态下限"), False: ("95% low", "95% 下限")}[weekly],
        "yhat_upper": {True: ("usual high", "常态上限"), False: ("95% high", "95% 上限")}[weekly],
    }
    if metric.part in ends:
        return f"{name}, {ends[metric.part][0]}" if language == "en" else f"{name}，{ends[metric.part][1]}"
    if metric.part == "n":
        return f"{metric.kpi.name[language]}{', n' if language == 'en' else '，样本数 n'}"
    if metric.part == "signal":
        return f"{name}{', beyond usual' if language == 'en' else '，超出常态'}"
    if metric.part == "value":
        return name
    return f"{name}: {metric.part}"


def axis(kpi: Kpi) -> tuple[float, float] | None:
    """The fixed line a single value of a KPI is placed on; None where nothing bounds it."""
    if kpi.low_sql is None:
        return None
    if kpi.unit in ("percent", "score"):
        return (0, 1)
    if kpi.unit == "points":
        return (-100, 100)
    if kpi.unit == "kappa":
        return (-1, 1)
    return (0, 2 * kpi.target) if kpi.target else None


def place_of_target(kpi: Kpi) -> float:
    """Where the target stands on that line of 200 units; 0 where there is no line or no target."""
    ends = axis(kpi)
    if kpi.target is None or ends is None:
        return 0
    return round(200 * (kpi.target - ends[0]) / (ends[1] - ends[0]), 1)


def _sql(metric: Metric, language: str) -> str:
    kpi = metric.kpi
    value = kpi.value_sql
    if metric.scale and metric.part in ("value", "yhat_lower", "yhat_upper"):
        fragment = {"value": value, "yhat_lower": kpi.low_sql, "yhat_upper": kpi.high_sql}[metric.part]
        return f"({fragment}) / {SCALES[metric.scale]}.0"
    few = f"{kpi.n_sql} < {kpi.minimum_n}" if kpi.low_sql else "false"
    state = f"case when ({value}) is null then 'none' when {few} then 'few' else 'shown' end"
    shown = f"({value}) is not null and not ({few})"
    low, high = kpi.low_sql or value, kpi.high_sql or value
    bottom, top = axis(kpi) or (0, 0)

    def only_shown(sql: str) -> str:
        return f"case when {shown} then {sql} end"

    target = "null" if kpi.target is None else repr(kpi.target)
    ends = [f"{end}({only_shown(sql)}) over ()" for end, sql in (("min", low), ("max", high))]
    # The widest interval and the target fit on the line, with a margin; aggregates first, the window over them.
    spread_low, spread_high = f"least({ends[0]}, {target})", f"greatest({ends[1]}, {target})"
    margin = f"0.08 * ({spread_high} - {spread_low})"
    spread = f"{spread_low} - {margin}, {spread_high} + {margin}"
    simple = {
        "value": value,
        "yhat_lower": low,
        "yhat_upper": high,
        "n": kpi.n_sql,
        "state": state,
        "words": f"case when {shown} then kpis.show_value({value}, '{kpi.unit}', '{language}') else '–' end",
        "range_words": _range_words(kpi, shown, language),
        "target_words": _target_words(kpi, shown, language),
        "place": only_shown(f"kpis.place({value}, {bottom}, {top})"),
        "place_low": only_shown(f"kpis.place({low}, {bottom}, {top})"),
        "place_high": only_shown(f"kpis.place({high}, {bottom}, {top})"),
        "spread": only_shown(f"kpis.place({value}, {spread})"),
        "spread_low": only_shown(f"kpis.place({low}, {spread})"),
        "spread_high": only_shown(f"kpis.place({high}, {spread})"),
        "spread_target": f"kpis.place({target}, {spread})",
    }
    return simple[metric.part]


def _range_words(kpi: Kpi, shown: str, language: str) -> str:
    n = f"kpis.show_value({kpi.n_sql}, 'count', '{language}')"
    if kpi.low_sql is None:
        return f"case when {shown} then '{'full count' if language == 'en' else '全量计数'}' else '' end"
    bounds = f"kpis.show_range({kpi.low_sql}, {kpi.high_sql}, '{kpi.unit}', '{language}')"
    few = f"'needs {kpi.minimum_n}, has ' || {n}" if language == "en" else f"'需 {kpi.minimum_n}，仅 ' || {n}"
    return (
        f"case when {shown} then coalesce({bounds} || ' · ', '') || 'n = ' || {n} "
        f"when coalesce({kpi.n_sql}, 0) = 0 then '{'no data' if language == 'en' else '无数据'}' else {few} end"
    )


def _target_words(kpi: Kpi, shown: str, language: str) -> str:
    english = language == "en"
    if kpi.target is None or kpi.direction not in ("up", "down"):
        return f"max('{'no target' if english else '无目标'}')"
    low, high = kpi.low_sql or kpi.value_sql, kpi.high_sql or kpi.value_sql
    met, missed = (
        (f"{low} >= {kpi.target}", f"{high} < {kpi.target}")
        if kpi.direction == "up"
        else (f"{high} <= {kpi.target}", f"{low} > {kpi.target}")
    )
    words = (" · met", " · missed", " · cannot tell yet") if english else (" · 达标", " · 未达标", " · 尚难判断")
    return (
        f"'{'target' if english else '目标'} ' || kpis.show_value({kpi.target}, '{kpi.unit}', '{language}') || "
        f"case when not ({shown}) then '' when {met} then '{words[0]}' "
        f"when {missed} then '{words[1]}' else '{words[2]}' end"
    )


def _weekly_sql(metric: Metric) -> str:
    """From the judged weeks: of the whole centre, or of the one team chosen. Several teams have no sum here."""
    column = {
        "value": "value",
        "yhat_lower": "usual_low",
        "yhat_upper": "usual_high",
        "n": "n",
        "signal": "case when beyond_usual <> 0 then value end",
    }[metric.part]
    mine = f"kpi = '{metric.kpi.id}'"
    sql = (
        f"coalesce(max({column}) filter (where {mine} and team_id = 'all'), "
        f"case when count(distinct team_id) = 1 then max({column}) filter (where {mine}) end)"
    )
    return f"({sql}) / {SCALES[metric.scale]}.0" if metric.scale and metric.part != "n" else sql

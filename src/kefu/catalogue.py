"""The KPI catalogue: the metrics of ``dbt_project/models/kpis/*.yml`` that say ``kpi: true``.

A KPI is defined there and nowhere else. This module reads it and forms from it the SQL that every reader uses
(``kefu kpi``, Superset, the weekly models), and what is generated for people: ``docs/kpis.md``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kefu import definitions, golden, yaml_files
from kefu.edge_rules import RULES
from kefu.errors import KefuError

Unit = Literal["percent", "seconds", "days", "count", "points", "score", "ratio", "index", "per_hour", "kappa"]
Interval = Literal["share", "mean", "nps", "ratio", "percentile", "patience", "weighted", "adjusted", "kappa", "none"]
LANGUAGES = ("en", "zh")

# The columns of the kpi tables behind the dimensions people name.
DIMENSION_COLUMNS = {
    "source": "source",
    "channel": "channel",
    "team": "team_id",
    "queue": "queue_id",
    "priority": "priority",
    "policy": "policy_id",
    "sla_metric": "sla_metric",
    "survey": "survey_id",
    "segment": "segment",
    "measure": "measure",
}
GRAINS = ("total", "day", "week", "month")
Z = 1.959963984540054  # of 95 % of a normal distribution, as in src/kefu/warehouse.sql
PROFILE = "kefu"  # the definition profile of the house; published alternatives come beside it

# How a value's interval is stated; the formulas are SQL functions of schema kpis (src/kefu/warehouse.sql).
INTERVAL_NOTES = {
    "share": {"en": "95 % Wilson interval", "zh": "95% Wilson 区间"},
    "mean": {"en": "95 % normal interval of the mean", "zh": "95% 均值正态区间"},
    "nps": {"en": "95 % adjusted-Wald interval", "zh": "95% 校正 Wald 区间"},
    "ratio": {"en": "95 % interval of a ratio of sums, by what is sampled", "zh": "95% 总和之比区间（按抽样单位）"},
    "percentile": {
        "en": "95 % order-statistic interval; durations are counted by band: exact below 1,000 s, "
        "from there on within 0.5 %",
        "zh": "95% 次序统计量区间；时长按区段计数：1000 秒以内精确，以上误差不超过 0.5%",
    },
    "patience": {
        "en": "95 % interval of the Kaplan-Meier median (Greenwood, log-log); waits are counted by band: exact below "
        "1,000 s, from there on within 0.5 %; MetricFlow cannot form it",
        "zh": "Kaplan-Meier 中位数的 95% 区间（Greenwood，log-log）；等待按区段计数："
        "1000 秒以内精确，以上误差不超过 0.5%；MetricFlow 无法计算",
    },
    "weighted": {
        "en": "95 % Wilson interval over the effective number of answers (Kish); MetricFlow cannot form it",
        "zh": "按有效样本量（Kish）计算的 95% Wilson 区间；MetricFlow 无法计算",
    },
    "adjusted": {
        "en": "95 % Wilson interval over the ratings and the prior's, adjusted like the value; what is expected counts "
        "as known, and what the case mix does not list is not in it",
        "zh": "评价与先验合计的 95% Wilson 区间，按同样方式校正；期望值视为已知，未列入业务构成的因素不在其内",
    },
    "kappa": {
        "en": "95 % normal interval of kappa (Fleiss, Cohen and Everitt)",
        "zh": "95% kappa 正态区间（Fleiss、Cohen 与 Everitt）",
    },
    "none": {"en": "full count, no interval", "zh": "全量计数，无区间"},
}
UNIT_NAMES = {
    "percent": {"en": "share, 0 to 1", "zh": "占比，0 至 1"},
    "seconds": {"en": "seconds", "zh": "秒"},
    "days": {"en": "days", "zh": "天"},
    "count": {"en": "count", "zh": "数量"},
    "points": {"en": "points, -100 to 100", "zh": "分，-100 至 100"},
    "score": {"en": "score, 0 to 1", "zh": "得分，0 至 1"},
    "ratio": {"en": "a ticket or issue", "zh": "每工单或每问题"},
    "index": {"en": "ratio, 1 is as planned", "zh": "比值，1 为与计划一致"},
    "per_hour": {"en": "an hour", "zh": "每小时"},
    "kappa": {"en": "-1 to 1: 0 is chance, 1 agreement", "zh": "-1 至 1：0 为随机，1 为完全一致"},
}
DIRECTION_NAMES = {
    "up": {"en": "higher is better", "zh": "越高越好"},
    "down": {"en": "lower is better", "zh": "越低越好"},
    "band": {"en": "neither too high nor too low", "zh": "宜在区间内"},
    "info": {"en": "for information", "zh": "仅供参考"},
}


@dataclass(frozen=True)
class Kpi:
    """One KPI: its definition in words and as aggregate SQL over the columns of its table.

    The SQL fragments carry no table alias; ``low_sql`` and ``high_sql`` are None for full counts. Shares are
    0 to 1, durations seconds, NPS -100 to 100. A value is null, never 0, where its denominator is 0 (E30).
    """

    id: str
    code: str
    group: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    unit: Unit
    direction: str
    valid_range: tuple[float | None, float | None]
    target: float | None
    minimum_n: int
    interval: Interval
    date_basis: Mapping[str, str]
    dimensions: tuple[str, ...]
    grains: tuple[str, ...]
    roles: tuple[str, ...]
    partners: tuple[str, ...]
    edge_rules: tuple[str, ...]
    owner: str
    version: int
    since: str
    source: str
    table: str
    value_sql: str
    numerator_sql: str
    denominator_sql: str
    n_sql: str
    low_sql: str | None
    high_sql: str | None
    metric: str = ""  # what MetricFlow knows it by: its id, or the name of the profile's own metric
    profile: str = PROFILE
    in_metricflow: bool = True  # what no aggregation of MetricFlow can form is left out there
    # The classes of contacts that each side counts; empty where the sides are no sums of them. Their names.
    numerator_classes: tuple[str, ...] = ()
    denominator_classes: tuple[str, ...] = ()
    classes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: tuple[Kpi, ...] = ()  # published definitions beside the house's, over the same ledger
    versions: tuple[Kpi, ...] = ()  # earlier definitions of this one, computed on; the latest of them first

    def definitions(self) -> Iterator[Kpi]:
        """This definition, its earlier versions, and the same of every profile."""
        for one in (self, *self.profiles):
            yield from (one, *one.versions)

    def at_version(self, version: int | None) -> Kpi:
        """The KPI as a version of its definition has it (None: as it is now); KefuError if there is no such version."""
        found = {one.version: one for one in (self, *self.versions)}
        if version is None:
            return self
        if version not in found:
            raise KefuError(
                f"{self.id} has no version {version}.", expected=f"one of {', '.join(map(str, sorted(found)))}"
            )
        return found[version]

    def under(self, profile: str) -> Kpi:
        """The KPI by another definition; KefuError if there is none of that name."""
        found = {PROFILE: self, **{other.profile: other for other in self.profiles}}
        if profile not in found:
            raise KefuError(f"{self.id} has no profile {profile!r}.", expected=f"one of {', '.join(found)}")
        return found[profile]


def load(project: Path) -> dict[str, Kpi]:
    """Every KPI of the project, by id, in the order of the files. KefuError lists everything that is wrong."""
    return _load(project / "dbt_project" / "models" / "kpis")


@cache
def _load(folder: Path) -> dict[str, Kpi]:
    kpis: dict[str, Kpi] = {}
    earlier: list[Kpi] = []
    problems: list[str] = []
    models = [
        (path.name, model)
        for path in sorted(folder.glob("*.yml"), key=lambda path: _ORDER.get(path.stem, len(_ORDER)))
        for model in (yaml_files.read(path) or {}).get("models", [])
    ]
    everything = {metric["name"]: metric for _, model in models for metric in model.get("metrics", [])}
    for file, model in models:
        for meta, kpi in _read(file, model, everything, problems):
            if "version_of" in meta:
                earlier.append(kpi)
            elif kpi.id not in kpis:
                kpis[kpi.id] = kpi
            elif "profile_of" in meta and kpi.profile not in {one.profile for one in kpis[kpi.id].profiles}:
                kpis[kpi.id] = replace(kpis[kpi.id], profiles=(*kpis[kpi.id].profiles, kpi))
            else:
                problems.append(f"{file}: {kpi.id} is defined twice")
    for kpi in sorted(earlier, key=lambda one: -one.version):
        problems += _add_version(kpis, kpi)
    for kpi in kpis.values():
        for partner in kpi.partners:
            if partner not in kpis:
                problems.append(f"{kpi.id}: its partner {partner} is no KPI")
    if problems or not kpis:
        raise KefuError(
            "The KPI catalogue cannot be read:\n" + "\n".join(f"  - {problem}" for problem in problems or ["no KPI"]),
            where=str(folder),
        )
    return kpis


def _read(
    file: str, model: Mapping[str, Any], everything: Mapping[str, Any], problems: list[str]
) -> Iterator[tuple[Mapping[str, Any], Kpi]]:
    """The definitions beside a model: of KPIs, of their profiles, of their earlier versions."""
    metrics = {metric["name"]: metric for metric in model.get("metrics", [])}
    others = model.get("config", {}).get("meta", {}).get("kpis", [])  # what MetricFlow cannot form
    for metric in [*metrics.values(), *others]:
        meta = metric.get("config", {}).get("meta", {})
        if not (meta.get("kpi") or {"profile_of", "version_of"} & set(meta)):
            continue
        try:
            kpi = _kpi(metric, _inherited(metric, meta, everything), metrics, model)
            yield meta, replace(kpi, in_metricflow=metric["name"] in metrics)
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{file}: metric {metric['name']}: {_words(error)}")


def _inherited(metric: Mapping[str, Any], meta: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What a metric says of itself over what the definition says that it is a profile, an earlier version or a
    percentile of."""
    parent = meta.get("version_of") or meta.get("profile_of") or meta.get("percentile_of")
    if parent is None:
        return dict(meta)
    if parent not in metrics:
        raise ValueError(f"there is no metric {parent}")
    above = _inherited(metrics[parent], metrics[parent].get("config", {}).get("meta", {}), metrics)
    if "percentile_of" in meta:
        return {**above, **_of_percentile(metric, above), **meta}
    return {"id": parent, **above, **meta}


def _of_percentile(metric: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """How a percentile differs from the KPI of the mean."""
    percent = f"{100 * metric['percentile']:g}"
    name, described = parent["name"], parent["description"]
    return {
        "code": f"{parent['code']}-p{percent}",
        "name": {"en": f"{name['en']}, p{percent}", "zh": f"{name['zh']} P{percent}"},
        "description": {
            "en": f"{percent} % of the durations are at most so long. The mean: {described['en']}",
            "zh": f"{percent}% 的时长不超过该值。均值口径：{described['zh']}",
        },
        "target": None,
        "partners": [],
        "interval": "percentile",
        "minimum_n": _least_n(metric["percentile"]),
        "definition": {**PERCENTILE, "since": parent["definition"]["since"]},
    }


PERCENTILE = {
    "version": 1,
    "source": "inverse of the empirical distribution function (Hyndman and Fan, type 1), over bands",
}


def _least_n(fraction: float) -> int:
    """From so many durations on both ends of a percentile's interval are among them (kpis.percentile_rank)."""

    def has_ends(n: int) -> bool:
        half = Z * math.sqrt(n * fraction * (1 - fraction))
        return round(n * fraction - half) >= 1 and round(1 + n * fraction + half) <= n

    last_without = max(n for n in range(1, math.ceil(8 * Z**2 / min(fraction, 1 - fraction))) if not has_ends(n))
    return max(10, last_without + 1)


def _add_version(kpis: dict[str, Kpi], kpi: Kpi) -> list[str]:
    """Put an earlier version to the definition it is one of; what is wrong with it."""
    current = kpis.get(kpi.id)
    held = current and {one.profile: one for one in (current, *current.profiles)}.get(kpi.profile)
    if current is None or held is None:
        return [f"{kpi.metric}: it is a version of nothing in the catalogue"]
    if kpi.version >= held.version or kpi.version in {one.version for one in held.versions}:
        return [f"{kpi.metric}: version {kpi.version} of {kpi.id} is there twice, or not before {held.version}"]
    extended = replace(held, versions=(*held.versions, kpi))
    if kpi.profile == current.profile:
        kpis[kpi.id] = extended
    else:
        others = tuple(extended if one.profile == kpi.profile else one for one in current.profiles)
        kpis[kpi.id] = replace(current, profiles=others)
    return []


_ORDER = {
    name: place
    for place, name in enumerate(
        (
            "kpi_telephony_hourly",
            "kpi_contact_durations",
            "kpi_leg_durations",
            "kpi_queue_visits_daily",
            "kpi_callbacks_daily",
            "kpi_concurrency_daily",
            "kpi_tickets_daily",
            "kpi_ticket_durations",
            "kpi_backlog_daily",
            "kpi_backlog_ages_daily",
            "kpi_sla_daily",
            "kpi_issues_daily",
            "kpi_satisfaction_daily",
            "kpi_adjusted_csat_daily",
            "kpi_quality_daily",
            "kpi_workforce_daily",
            "kpi_freshness",
            "kpi_reconciliations_daily",
        )
    )
}


def _words(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _kpi(
    metric: Mapping[str, Any], meta: Mapping[str, Any], metrics: Mapping[str, Any], model: Mapping[str, Any]
) -> Kpi:
    def total(name: str) -> str:
        if "non_additive_dimension" in metrics[name]:  # a stock: of several days the last
            return f"kpis.{_at_last(metrics[name])}({metrics[name]['expr']}, service_date)"
        return f"{metrics[name]['agg']}({metrics[name]['expr']})"

    _validate(meta, model)
    interval: Interval = meta["interval"]
    table, low, high = model["name"], None, None
    if interval == "none" and metric.get("type") == "ratio":  # of sums over everything there was
        numerator, denominator = total(metric["numerator"]), total(metric["denominator"])
        n, value = denominator, f"cast({numerator} as double precision) / nullif({denominator}, 0)"
    elif interval == "none":
        numerator, n = _of_everything(metric, meta, total)
        denominator, value = "null", f"cast({numerator} as double precision)"
    elif interval in ("kappa", "adjusted", "weighted"):
        numerator, denominator, n, value, low, high = _formed(interval, meta, total)
    elif interval in ("percentile", "patience"):
        table, numerator, denominator = model["config"]["meta"]["bands"], "null", "null"
        n, value, low, high = _of_bands(metric, meta)
    else:
        numerator = total(meta.get("numerator") or metric["numerator"])
        denominator = n = total(meta.get("denominator") or metric["denominator"])
        value = f"cast({numerator} as double precision) / nullif({denominator}, 0)"
        if interval == "share":
            low, high = (f"kpis.wilson_{end}({numerator}, {n})" for end in ("low", "high"))
        elif interval == "mean":
            squares = f"sum({meta['squares']})"
            low, high = (f"kpis.mean_{end}({numerator}, {squares}, {n})" for end in ("low", "high"))
        elif interval == "ratio":
            # What was drawn is whole days of agents, or whole evaluations; seconds and items come in bunches.
            n = f"sum({meta['n']})"
            moments = ", ".join(f"sum({meta[name]})" for name in ("squares", "products", "base_squares"))
            most = "1" if meta["unit"] == "percent" else "'Infinity'"
            low, high = (
                f"kpis.ratio_{end}({numerator}, {denominator}, {moments}, {n}, {most})" for end in ("low", "high")
            )
            if meta["unit"] == "per_hour":  # of seconds
                value, low, high = (f"3600 * {one}" for one in (value, low, high))
        else:
            value = f"100 * {value}"
            sides_of = (
                f"{total(meta['promoters'])}, {total(meta['detractors'])}"
                if meta["promoters"] in metrics
                else (f"sum({meta['promoters']}), sum({meta['detractors']})")
            )
            low, high = (f"kpis.nps_{end}({sides_of}, {n})" for end in ("low", "high"))
    sides, classes = _sides(
        [str(metrics.get(str(metric.get(side)), {}).get("expr", "")) for side in ("numerator", "denominator")],
        model.get("config", {}).get("meta", {}),
    )
    lowest, highest = meta["valid_range"]
    definition = meta["definition"]
    return Kpi(
        id=meta.get("id") or metric["name"],
        code=meta["code"],
        group=meta["group"],
        name=_both(meta["name"]),
        description=_both(meta["description"]),
        unit=meta["unit"],
        direction=meta["direction"],
        valid_range=(lowest, highest),
        target=meta["target"],
        minimum_n=meta["minimum_n"],
        interval=interval,
        date_basis=_both(meta["date_basis"]),
        dimensions=tuple(meta["dimensions"]),
        grains=tuple(meta["grains"]),
        roles=tuple(meta["roles"]),
        partners=tuple(meta["partners"]),
        edge_rules=tuple(meta["edge_rules"]),
        owner=meta["owner"],
        version=definition["version"],
        since=str(definition["since"]),
        source=definition["source"],
        table=table,
        value_sql=value,
        numerator_sql=numerator,
        denominator_sql=denominator,
        n_sql=n,
        low_sql=low,
        high_sql=high,
        metric=metric["name"],
        profile=meta.get("profile", PROFILE),
        numerator_classes=sides[0],
        denominator_classes=sides[1],
        classes={name: _both(words) for name, words in classes.items()},
    )


def _of_everything(metric: Mapping[str, Any], meta: Mapping[str, Any], total: Callable[[str], str]) -> tuple[str, str]:
    """A full count, or a percentile or the highest of all there was, and n."""
    if "percentile" in metric:  # of a stock: of what there was at the end of the last day
        ordered = f"kpis.counted_at(service_date, {metric['expr']}, {meta['n']})"
        numerator = f"kpis.percentile_at_last({metric['percentile']}) within group (order by {ordered})"
        return numerator, f"kpis.sum_at_last({meta['n']}, service_date)"
    if "non_additive_dimension" in metric:
        numerator = f"kpis.{_at_last(metric)}({metric['expr']}, service_date)"
    else:
        numerator = f"{metric['agg']}({metric['expr']})"
    return numerator, total(meta["n"]) if "n" in meta else numerator


def _at_last(metric: Mapping[str, Any]) -> str:
    """The aggregate of a stock: over the rows of the last day."""
    return f"{metric['agg']}_at_last"


def _formed(
    interval: Interval, meta: Mapping[str, Any], total: Callable[[str], str]
) -> tuple[str, str, str, str, str, str]:
    """Numerator, denominator, n, value, low and high of what is more than a sum over a sum."""
    if interval == "kappa":
        return _kappa([total(name) for name in meta["cells"]])
    if interval == "adjusted":
        return _adjusted([total(name) for name in meta["parts"]])
    return _weighted(meta)


def _kappa(cells: Sequence[str]) -> tuple[str, str, str, str, str, str]:
    """Numerator, denominator, n, value, low and high of Cohen's kappa of two yes-or-no judgements of the same things.

    The cells of their table: both yes, only the first, only the second, both no. Observed less expected agreement over
    one less expected, both times n squared, is whole numbers throughout.
    """
    both, first, second, neither = cells
    numerator = f"2 * ({both} * {neither} - {first} * {second})"
    denominator = f"(({both} + {first}) * ({first} + {neither}) + ({both} + {second}) * ({second} + {neither}))"
    value = f"cast({numerator} as double precision) / nullif({denominator}, 0)"
    low, high = (f"kpis.kappa_{end}({', '.join(cells)})" for end in ("low", "high"))
    return numerator, denominator, " + ".join(cells), value, low, high


def _adjusted(parts: Sequence[str]) -> tuple[str, str, str, str, str, str]:
    """Numerator, denominator, n, value, low and high of a share adjusted for case mix and drawn to the overall.

    Good ones and expected ones, both with the prior's, by one another, times what there are at the overall share: the
    good ones there would be of n. Rounded to a millionth of a rating, over whole months it is what was observed.
    """
    good, expected, overall, n, prior = parts
    numerator = f"least(round(({good} + {prior}) * {overall} / nullif({expected} + {prior}, 0), 6), {n})"
    value = f"cast({numerator} as double precision) / nullif({n}, 0)"
    low, high = (f"kpis.adjusted_{end}({good}, {expected}, {overall}, {n}, {prior})" for end in ("low", "high"))
    return numerator, n, n, value, low, high


def _weighted(meta: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    """Numerator, denominator, n, value, low and high of a share that is weighted by stratum."""
    parts = f"kpis.answered_part({', '.join(meta['parts'])})"
    sums = f"kpis.weighted_share({meta['weight_cap']}) within group (order by {parts})"
    numerator, denominator, effective = (f"({sums})[{place}]" for place in (1, 2, 3))
    share = f"{numerator} / nullif({denominator}, 0)"
    low, high = (
        f"kpis.wilson_{end}(cast({effective} * {share} as double precision), cast({effective} as double precision))"
        for end in ("low", "high")
    )
    return numerator, denominator, f"sum({meta['n']})", f"cast({share} as double precision)", low, high


def _of_bands(metric: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """n, value, low and high of durations counted by band; what MetricFlow reads row by row is the same expression."""
    band = metric["expr"]
    if meta["interval"] == "percentile":
        name = "percentile_of_bands"
        bands = f"({metric['percentile']}) within group (order by kpis.counted({band}, durations))"
    else:
        name, bands = "median_patience", f"(kpis.waited({band}, durations, {meta['has_left']}))"
    # without the filter the nulls of other measures would be collected too, and sorted
    bands = f"{bands} filter (where {band} is not null)"
    value, low, high = (f"cast(kpis.{name}{end}{bands} as double precision)" for end in ("", "_low", "_high"))
    return f"sum(case when {band} is not null then durations end)", value, low, high


def lowest_sql(kpi: Kpi) -> str | None:
    """SQL of what a percentile cannot be lower than: it is one of what it is formed from. None for any other KPI."""
    ordered = re.search(r"within group \(order by kpis\.counted(?:_at\(service_date, |\()(.+), \w+\)\)", kpi.value_sql)
    return f"min({ordered[1]})" if ordered else None


def _validate(meta: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """ValueError names a word the catalogue does not know, or a dimension its table does not have."""
    for word, known in (("unit", UNIT_NAMES), ("direction", DIRECTION_NAMES), ("interval", INTERVAL_NOTES)):
        if meta[word] not in known:
            raise ValueError(f"{word} {meta[word]!r} is none of {', '.join(known)}")
    if unknown := set(meta["edge_rules"]) - set(RULES):
        raise ValueError(f"unknown edge rules: {', '.join(sorted(unknown))}")
    if unknown := set(meta["dimensions"]) - set(DIMENSION_COLUMNS):
        raise ValueError(f"unknown dimensions: {', '.join(sorted(unknown))}")
    columns = {column["name"] for column in model["columns"]}
    if absent := {DIMENSION_COLUMNS[name] for name in meta["dimensions"]} - columns:
        raise ValueError(f"{model['name']} has no column {', '.join(sorted(absent))}")


def _sides(
    expressions: list[str], kinds: Mapping[str, Any]
) -> tuple[list[tuple[str, ...]], Mapping[str, Mapping[str, str]]]:
    """The classes numerator and denominator add up, and the family they belong to; nothing if they do anything else.

    Every contact or ticket is in exactly one class of a family; a table may have several, one a KPI.
    """
    families = [kinds.get("classes", {}), *kinds.get("class_families", {}).values()]
    for classes in families:
        sides = [_classes(expression, kinds, classes) for expression in expressions]
        if all(sides):
            return sides, classes
    return [(), ()], {}


def _classes(expression: str, kinds: Mapping[str, Any], classes: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes an expression adds up; empty if it does anything else."""
    expression = kinds.get("sums_of_classes", {}).get(expression, expression)
    parts = tuple(part.strip() for part in expression.split("+"))
    return parts if set(parts) <= set(classes) else ()


def _both(text: Mapping[str, str]) -> Mapping[str, str]:
    if set(text) != set(LANGUAGES) or not all(text.values()):
        raise ValueError(f"expected a text in each of {', '.join(LANGUAGES)}, found {dict(text)!r}")
    return dict(text)


def get(project: Path, name: str) -> Kpi:
    """The KPI called ``name``; KefuError names the nearest ones."""
    kpis = load(project)
    if name not in kpis:
        import difflib

        near = difflib.get_close_matches(name, kpis, n=3)
        raise KefuError(
            f"There is no KPI called {name!r}.",
            expected=f"perhaps {' or '.join(near)}" if near else None,
            do="`kefu catalogue` lists them.",
        )
    return kpis[name]


# --- what is generated -----------------------------------------------------------------------------------------------


def generated(project: Path) -> dict[Path, str]:
    """Every file that follows from the catalogue, with the text it must have."""
    kpis = load(project)
    cases = golden.load(project)
    return {
        project / "docs" / "kpis.md": documentation(kpis.values(), cases),
        project / "docs" / "golden.md": golden.page(cases),
        project / "tests" / "golden" / golden.SCHEMA: golden.schema(),
        project / "dbt_project" / "macros" / "generated" / "kpi_parts.sql": macro(kpis.values()),
    }


def generate(project: Path, *, same_numbers: bool = False) -> list[Path]:
    """Write what follows from the catalogue; the files that changed.

    Raises KefuError where a formula changed and its version did not, unless its numbers are the ``same_numbers``.
    """
    page = project / "docs" / "kpis.md"
    was = page.read_text(encoding="utf-8") if page.exists() and not same_numbers else ""
    if problems := definitions.redefined(was, load(project).values()):
        raise KefuError(
            "A definition changed without a new version:\n" + "\n".join(f"  - {line}" for line in problems),
            where=str(page.relative_to(project)),
            do="See docs/runbooks/publish.md, or say `kefu generate --same-numbers` if no number changes by it.",
        )
    changed = []
    for path, text in generated(project).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def check(project: Path) -> list[str]:
    """What has drifted from the catalogue, in words; empty when nothing has."""
    return [
        f"{path.relative_to(project)} is not what the catalogue says: run `make generate`"
        for path, text in generated(project).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def macro(kpis: Iterable[Kpi]) -> str:
    """The catalogue for dbt's models: a macro that returns one mapping a KPI."""
    keys = ("id", "table", "unit", "direction", "target", "minimum_n", "interval")
    fragments = ("value_sql", "low_sql", "high_sql", "numerator_sql", "denominator_sql", "n_sql")
    rows = [
        {
            **{key: getattr(kpi, key) for key in keys},
            "by_team": "team" in kpi.dimensions,
            **{f"name_{language}": kpi.name[language] for language in LANGUAGES},
            **{fragment: getattr(kpi, fragment) for fragment in fragments},
        }
        for kpi in kpis
    ]
    body = json.dumps(rows, ensure_ascii=False, indent=4).replace(": null", ": none")
    return (
        "{#- Generated from the metrics of models/kpis by `make generate`; do not edit. -#}\n"
        f"{{% macro kpi_parts() %}}{{{{ return({body}) }}}}{{% endmacro %}}\n"
    )


def documentation(kpis: Iterable[Kpi], cases: Sequence[golden.Golden] = ()) -> str:
    """docs/kpis.md: every KPI in both languages, with the golden cases that show it."""
    lines = [
        "# KPI catalogue · KPI 目录",
        "",
        "Generated from `dbt_project/models/kpis/*.yml` by `make generate`; do not edit. "
        "由 `make generate` 自动生成，请勿手工修改。",
        "",
        "Ask for one with `kefu kpi NAME`; the columns are those of the schema `kpis`. "
        "A value is null where its denominator",
        "is 0; below its smallest n a dashboard hides it. 分母为 0 时无值；样本少于最小 n 时看板不显示。",
        "",
        "| code | name | 名称 | `kefu kpi` | unit |",
        "|---|---|---|---|---|",
    ]
    listed = list(kpis)
    lines += [
        f"| {kpi.code} | [{kpi.name['en']}](#{kpi.id}) | {kpi.name['zh']} | `{kpi.id}` | {UNIT_NAMES[kpi.unit]['en']} |"
        for kpi in listed
    ]
    for kpi in listed:
        edges = ", ".join(f"[{rule}](#{rule.lower()})" for rule in kpi.edge_rules) or "none"
        shown = ", ".join(
            f"[{one.number}](golden.md#{one.id})" for one in golden.cases_of(cases, kpi.id, kpi.edge_rules)
        )
        low, high = ("open" if end is None else f"{end:g}" for end in kpi.valid_range)
        lines += [
            "",
            f"## {kpi.id}",
            "",
            f"**{kpi.name['en']}** · **{kpi.name['zh']}** "
            f"({kpi.code}, version {kpi.version} since {kpi.since}, profile `{kpi.profile}`)",
            "",
            f"- {kpi.description['en']}",
            f"- {kpi.description['zh']}",
            f"- Booked on · 归属日期: {kpi.date_basis['en']} · {kpi.date_basis['zh']}",
            f"- Unit · 单位: {UNIT_NAMES[kpi.unit]['en']} · {UNIT_NAMES[kpi.unit]['zh']}; "
            f"{DIRECTION_NAMES[kpi.direction]['en']} · {DIRECTION_NAMES[kpi.direction]['zh']}; "
            f"valid from {low} to {high}; target · 目标: {'none' if kpi.target is None else f'{kpi.target:g}'}",
            f"- Doubt · 误差: {INTERVAL_NOTES[kpi.interval]['en']} · {INTERVAL_NOTES[kpi.interval]['zh']}; "
            f"smallest n · 最小样本: {kpi.minimum_n}",
            f"- Dimensions · 维度: {', '.join(kpi.dimensions)}; grains · 粒度: {', '.join(kpi.grains)}",
            f"- Edge rules · 边界规则: {edges}; read beside · 对照指标: {', '.join(kpi.partners) or 'none'}",
            f"- Source of the definition · 定义来源: {kpi.source}; owner · 负责人: {kpi.owner}",
            f"- Golden cases · 标准案例: {shown or 'none'}",
            "",
            "```sql",
            f"select {kpi.value_sql} as value",
            f"from kpis.{kpi.table}",
            "```",
            *_profiles(kpi),
            *_versions(kpi),
        ]
    lines += [
        "",
        "## Edge rules · 边界规则",
        "",
        "What Kefu does where the field disagrees or a naive count goes wrong; the numbers among them are parameters",
        "in `kefu.toml`. 业界分歧或直观计数易错之处的处理规则；其中的数值均为 `kefu.toml` 中的参数。",
        "",
        "| rule · 规则 | | | golden cases · 标准案例 |",
        "|---|---|---|---|",
    ]
    for rule, words in RULES.items():
        shown = ", ".join(f"[{one.number}](golden.md#{one.id})" for one in cases if rule in one.case.rules)
        lines.append(f'| <a id="{rule.lower()}"></a>{rule} | {words["en"]} | {words["zh"]} | {shown} |')
    return "\n".join(lines) + "\n"


def _profiles(kpi: Kpi) -> list[str]:
    """The published definitions beside the house's, as a table in both languages."""
    if not kpi.profiles:
        return []
    asked = (
        f"Published definitions over the same contacts · 同一批联络的其他公开定义 (`kefu kpi {kpi.id} --profile NAME`"
    )
    can_be_explained = kpi.classes and any(one.classes for one in kpi.profiles)
    lines = [
        "",
        *([f"{asked},", f"`kefu explain {kpi.id} --to-profile NAME`):"] if can_be_explained else [f"{asked}):"]),
        "",
        "| profile | definition · 定义 | source · 来源 (read · 查阅 2026-11) | SQL |",
        "|---|---|---|---|",
    ]
    for one in kpi.profiles:
        words = f"{one.description['en']} {one.description['zh']}"
        version = f" (version {one.version})" if one.version > 1 else ""
        lines.append(f"| `{one.profile}`{version} | {words} | {one.source} | `{one.value_sql}` |")
    return lines


def _versions(kpi: Kpi) -> list[str]:
    """The definitions that held before, as a table in both languages."""
    earlier = [one for held in (kpi, *kpi.profiles) for one in held.versions]
    if not earlier:
        return []
    lines = [
        "",
        f"Earlier versions, computed on · 历史版本，仍在计算 (`kefu kpi {kpi.id} --version N`):",
        "",
        "| version · 版本 | profile | since · 自 | definition · 定义 | SQL |",
        "|---|---|---|---|---|",
    ]
    for one in earlier:
        words = f"{one.description['en']} {one.description['zh']}"
        lines.append(f"| {one.version} | `{one.profile}` | {one.since} | {words} | `{one.value_sql}` |")
    return lines

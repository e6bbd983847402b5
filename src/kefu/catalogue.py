"""The KPI catalogue: the metrics of ``dbt_project/models/kpis/*.yml`` that say ``kpi: true``.

A KPI is defined there and nowhere else. This module reads it and forms from it the SQL that every reader uses
(``kefu kpi``, Superset, the weekly models), and what is generated for people: ``docs/kpis.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from kefu.errors import KefuError

Unit = Literal["percent", "seconds", "count", "points", "score", "ratio", "index"]
Interval = Literal["share", "mean", "nps", "ratio", "none"]
LANGUAGES = ("en", "zh")

# The columns of the kpi tables behind the dimensions people name.
DIMENSION_COLUMNS = {
    "source": "source",
    "channel": "channel",
    "team": "team_id",
    "queue": "queue_id",
    "priority": "priority",
    "survey": "survey_id",
    "segment": "segment",
}
GRAINS = ("total", "day", "week", "month")
PROFILE = "kefu"  # the definition profile of the house; published alternatives come beside it

# How a value's interval is stated; the formulas are SQL functions of schema kpis (src/kefu/warehouse.sql).
INTERVAL_NOTES = {
    "share": {"en": "95 % Wilson interval", "zh": "95% Wilson 区间"},
    "mean": {"en": "95 % normal interval of the mean", "zh": "95% 均值正态区间"},
    "nps": {"en": "95 % adjusted-Wald interval", "zh": "95% 校正 Wald 区间"},
    "ratio": {"en": "95 % interval of a ratio of sums, by what is sampled", "zh": "95% 总和之比区间（按抽样单位）"},
    "none": {"en": "full count, no interval", "zh": "全量计数，无区间"},
}
UNIT_NAMES = {
    "percent": {"en": "share, 0 to 1", "zh": "占比，0 至 1"},
    "seconds": {"en": "seconds", "zh": "秒"},
    "count": {"en": "count", "zh": "数量"},
    "points": {"en": "points, -100 to 100", "zh": "分，-100 至 100"},
    "score": {"en": "score, 0 to 1", "zh": "得分，0 至 1"},
    "ratio": {"en": "per ticket", "zh": "每工单"},
    "index": {"en": "ratio, 1 is as planned", "zh": "比值，1 为与计划一致"},
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
    profile: str = PROFILE
    # The classes of contacts that each side counts; empty where the sides are no sums of them. Their names.
    numerator_classes: tuple[str, ...] = ()
    denominator_classes: tuple[str, ...] = ()
    classes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: tuple[Kpi, ...] = ()  # published definitions beside the house's, over the same ledger

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
    problems: list[str] = []
    for path in sorted(folder.glob("*.yml"), key=lambda path: _ORDER.get(path.stem, len(_ORDER))):
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models", []):
            metrics = {metric["name"]: metric for metric in model.get("metrics", [])}
            for metric in metrics.values():
                meta = metric.get("config", {}).get("meta", {})
                parent = metrics.get(str(meta.get("profile_of")), {}).get("config", {}).get("meta", {})
                if not (meta.get("kpi") or "profile_of" in meta):
                    continue
                try:
                    kpi = _kpi(metric, {**parent, **meta}, metrics, model)
                except (KeyError, TypeError, ValueError) as error:
                    problems.append(f"{path.name}: metric {metric['name']}: {_words(error)}")
                    continue
                if kpi.id not in kpis:
                    kpis[kpi.id] = kpi
                elif "profile_of" in meta and kpi.profile not in {one.profile for one in kpis[kpi.id].profiles}:
                    kpis[kpi.id] = replace(kpis[kpi.id], profiles=(*kpis[kpi.id].profiles, kpi))
                else:
                    problems.append(f"{path.name}: {kpi.id} is defined twice")
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


_ORDER = {
    name: place
    for place, name in enumerate(
        (
            "kpi_telephony_hourly",
            "kpi_tickets_daily",
            "kpi_backlog_daily",
            "kpi_satisfaction_daily",
            "kpi_quality_daily",
            "kpi_workforce_daily",
        )
    )
}


def _words(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _kpi(
    metric: Mapping[str, Any], meta: Mapping[str, Any], metrics: Mapping[str, Any], model: Mapping[str, Any]
) -> Kpi:
    def total(name: str) -> str:
        return f"sum({metrics[name]['expr']})"

    for word, known in (("unit", UNIT_NAMES), ("direction", DIRECTION_NAMES), ("interval", INTERVAL_NOTES)):
        if meta[word] not in known:
            raise ValueError(f"{word} {meta[word]!r} is none of {', '.join(known)}")
    interval: Interval = meta["interval"]
    if unknown := set(meta["dimensions"]) - set(DIMENSION_COLUMNS):
        raise ValueError(f"unknown dimensions: {', '.join(sorted(unknown))}")
    columns = {column["name"] for column in model["columns"]}
    if absent := {DIMENSION_COLUMNS[name] for name in meta["dimensions"]} - columns:
        raise ValueError(f"{model['name']} has no column {', '.join(sorted(absent))}")

    low = high = None
    if interval == "none":
        if "non_additive_dimension" in metric:  # a stock: of several days the last
            numerator = f"kpis.sum_at_last({metric['expr']}, service_date)"
        else:
            numerator = f"sum({metric['expr']})"
        denominator, n, value = "null", numerator, f"cast({numerator} as double precision)"
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
        else:
            value = f"100 * {value}"
            parts = (
                f"{total(meta['promoters'])}, {total(meta['detractors'])}"
                if meta["promoters"] in metrics
                else (f"sum({meta['promoters']}), sum({meta['detractors']})")
            )
            low, high = (f"kpis.nps_{end}({parts}, {n})" for end in ("low", "high"))
    kinds = model.get("config", {}).get("meta", {})
    classes = kinds.get("classes", {})
    sides = [
        _classes(metrics.get(str(metric.get(side)), {}).get("expr", ""), kinds) for side in ("numerator", "denominator")
    ]
    lowest, highest = meta["valid_range"]
    definition = meta["definition"]
    return Kpi(
        id=meta.get("profile_of") or metric["name"],
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
        table=model["name"],
        value_sql=value,
        numerator_sql=numerator,
        denominator_sql=denominator,
        n_sql=n,
        low_sql=low,
        high_sql=high,
        profile=meta.get("profile", PROFILE),
        numerator_classes=sides[0],
        denominator_classes=sides[1],
        classes={name: _both(words) for name, words in classes.items()} if all(sides) else {},
    )


def _classes(expression: str, kinds: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes an expression adds up; empty if it does anything else."""
    expression = kinds.get("sums_of_classes", {}).get(expression, expression)
    parts = tuple(part.strip() for part in expression.split("+"))
    return parts if set(parts) <= set(kinds.get("classes", {})) else ()


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
    return {
        project / "docs" / "kpis.md": documentation(kpis.values()),
        project / "dbt_project" / "macros" / "generated" / "kpi_parts.sql": macro(kpis.values()),
    }


def generate(project: Path) -> list[Path]:
    """Write what follows from the catalogue; the files that changed."""
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


def documentation(kpis: Iterable[Kpi]) -> str:
    """docs/kpis.md: every KPI in both languages."""
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
        edges = ", ".join(kpi.edge_rules) or "none"
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
            "",
            "```sql",
            f"select {kpi.value_sql} as value",
            f"from kpis.{kpi.table}",
            "```",
            *_profiles(kpi),
        ]
    return "\n".join(lines) + "\n"


def _profiles(kpi: Kpi) -> list[str]:
    """The published definitions beside the house's, as a table in both languages."""
    if not kpi.profiles:
        return []
    lines = [
        "",
        f"Published definitions over the same contacts · 同一批联络的其他公开定义 (`kefu kpi {kpi.id} --profile NAME`,",
        f"`kefu explain {kpi.id} --to-profile NAME`):",
        "",
        "| profile | definition · 定义 | source · 来源 (read · 查阅 2026-11) | SQL |",
        "|---|---|---|---|",
    ]
    for one in kpi.profiles:
        words = f"{one.description['en']} {one.description['zh']}"
        lines.append(f"| `{one.profile}` | {words} | {one.source} | `{one.value_sql}` |")
    return lines

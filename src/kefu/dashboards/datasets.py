"""Datasets: the SQL, columns and types Superset is given; all of it known without a database.

Types come from the YAML beside the models, so a dataset names what dbt's contracts promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kefu import yaml_files
from kefu.catalogue import Kpi
from kefu.dashboards import metrics
from kefu.dashboards.source import Dataset, Dimension, Source, speak

_TYPES = {
    "text": "TEXT",
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "boolean": "BOOLEAN",
    "double precision": "DOUBLE PRECISION",
}
_TIMES = {"service_date": ("Date", "日期"), "week_start": ("Week", "周")}


@dataclass(frozen=True)
class Column:
    """A column of a dataset: its Postgres type in upper case, and whether readers group by it."""

    name: str
    type: str
    label: str | None = None
    is_part: bool = False


@cache
def tables(project: Path) -> dict[str, dict[str, str]]:
    """Columns and types of everything published, ``kpis.<table>`` and ``marts.<table>``, from the YAML of dbt."""
    dbt = project / "dbt_project"
    found: dict[str, dict[str, str]] = {
        # Made by kefu.publish when the views are turned.
        "kpis.publication": {
            "as_of_at": "TIMESTAMP",
            "published_at": "TIMESTAMPTZ",
            "slot": "TEXT",
            "sources": "TEXT",
            "checks": "TEXT",
            "definitions": "TEXT",
            "build_id": "BIGINT",
            "publication_id": "BIGINT",
        }
    }
    for schema, folder, kind in (
        ("kpis", "models/kpis", "models"),
        ("marts", "models/marts", "models"),
        ("marts", "seeds", "seeds"),
    ):
        for path in sorted((dbt / folder).rglob("*.yml")):
            for node in (yaml_files.read(path) or {}).get(kind) or []:
                declared = node.get("config", {}).get("column_types", {})
                found[f"{schema}.{node['name']}"] = {
                    column["name"]: _type(column.get("data_type") or declared.get(column["name"], "text"))
                    for column in node.get("columns", [])
                }
    return found


def _type(name: str) -> str:
    name = name.lower()
    return _TYPES.get(name) or ("NUMERIC" if name.startswith(("decimal", "numeric")) else name.upper())


def time_column(dataset: Dataset) -> str | None:
    """The column time filters act on."""
    return "week_start" if dataset.weekly else "service_date" if dataset.table else None


def kpis_of(dataset: Dataset, kpis: dict[str, Kpi]) -> list[str]:
    """The KPIs whose metrics a dataset has."""
    return dataset.weekly or [kpi.id for kpi in kpis.values() if kpi.table == dataset.table]


def _weeks(dataset: Dataset, kpis: dict[str, Kpi]) -> list[str]:
    """Whether a day lies in a whole week: the first and last ones would bend a weekly line."""
    if dataset.weekly:
        return []
    names = ", ".join(f"'{kpi}'" for kpi in kpis_of(dataset, kpis))
    first, last = (
        f"(select {end}(week.week_start) from kpis.kpi_weekly as week where week.kpi in ({names}))"
        for end in ("min", "max")
    )
    return [f"coalesce(kpi.service_date between {first} and {last} + 6, true) as in_whole_week"]


def sql(dataset: Dataset, source: Source, kpis: dict[str, Kpi], project: Path, language: str) -> str:
    """What Superset selects from."""
    if dataset.sql is not None:
        return speak(dataset.sql, language).strip()
    joins, labels = [], []
    for name in dataset.dimensions:
        dimension = source.dimensions[name]
        if dimension.table:
            joins.append(f"left join marts.{dimension.table} as {name} on kpi.{dimension.key} = {name}.{dimension.key}")
        labels.append(f"{_label(name, dimension, language)} as {name}")
    plain = [f"kpi.{name}" for name in tables(project)[f"kpis.{dataset.table}"] if name not in dataset.dimensions]
    return "\n".join(
        [
            "select",
            "    " + ",\n    ".join([*plain, *labels, *_weeks(dataset, kpis)]),
            f"from kpis.{dataset.table} as kpi",
            *joins,
        ]
    )


def _label(name: str, dimension: Dimension, language: str) -> str:
    key = f"kpi.{dimension.key}"
    if dimension.sql:
        return speak(dimension.sql, language).strip()
    choices = []
    if dimension.words:
        words = " ".join(f"when '{value}' then '{text[language]}'" for value, text in dimension.words.items())
        choices.append(f"case {key} {words} end")
    if dimension.table and dimension.label:
        choices.append(f"{name}.{speak(dimension.label, language)}")
    return f"coalesce({', '.join([*choices, key])})" if choices else key


def columns(dataset: Dataset, source: Source, kpis: dict[str, Kpi], project: Path, language: str) -> list[Column]:
    """Every column of the dataset. Superset does not look at a virtual dataset on import."""
    if dataset.sql is not None:
        return [Column(name, _type(kind)) for name, kind in dataset.columns.items()]
    keys = {"service_date", "service_hour", "week_start", "kpi", "point_number"}
    dimension_keys = {source.dimensions[name].key for name in dataset.dimensions}
    place = LANGUAGE_INDEX[language]
    plain = [
        Column(
            name,
            kind,
            _TIMES[name][place] if name in _TIMES else None,
            is_part=name not in keys | dimension_keys and kind != "TEXT",
        )
        for name, kind in tables(project)[f"kpis.{dataset.table}"].items()
        if name not in dataset.dimensions
    ]
    dimensions = [Column(name, "TEXT", source.dimensions[name].name[language]) for name in dataset.dimensions]
    whole = [] if dataset.weekly else [Column("in_whole_week", "BOOLEAN", ("In a whole week", "属于完整周")[place])]
    return plain + dimensions + whole


LANGUAGE_INDEX = {"en": 0, "zh": 1}


def describe(
    name: str,
    dataset: Dataset,
    source: Source,
    kpis: dict[str, Kpi],
    project: Path,
    language: str,
    used: set[str],
) -> dict[str, Any]:
    """A dataset as Superset imports it, without its ids. ``used`` are the metrics its charts ask for."""
    base = [
        f"{kpi}{part}"
        for kpi in kpis_of(dataset, kpis)
        for part in ("", "__yhat_lower", "__yhat_upper", "__n")
        if dataset.weekly or not part.startswith("__yhat") or kpis[kpi].low_sql
    ]
    names = [*base, *sorted(used - set(base))] if dataset.table else []
    time = time_column(dataset)
    return {
        "table_name": f"{name}_{language}",
        "main_dttm_col": time,
        "description": dataset.about[language],
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "schema": "kpis",
        "sql": sql(dataset, source, kpis, project, language),
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "columns": [
            {
                "column_name": column.name,
                "verbose_name": column.label,
                "is_dttm": column.name == time,
                "is_active": True,
                "groupby": not column.is_part,
                "filterable": not column.is_part,
                "type": column.type,
                "expression": None,
                "description": None,
                "python_date_format": None,
                "extra": {},
                "advanced_data_type": None,
            }
            for column in columns(dataset, source, kpis, project, language)
        ],
        "metrics": [
            metrics.describe(metrics.parse(metric, kpis), metric, language, weekly=bool(dataset.weekly))
            for metric in names
        ],
    }

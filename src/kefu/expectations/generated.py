"""What follows for the published edge from what is written elsewhere: the KPI catalogue, the tables in the slot, the
publication readers see today. Nothing of it is written twice."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import psycopg

from kefu import catalogue
from kefu.catalogue import Kpi
from kefu.expectations.engine import PERSONAL
from kefu.expectations.rules import EARLIEST, days_satisfy, nothing, rows
from kefu.settings import Settings

Suites = dict[str, dict[str, list[Any]]]


def published_suites(
    settings: Settings, connection: psycopg.Connection[Any], declared: ModuleType, slot: str, *, last_day: str
) -> Suites:
    """The suites of a slot: layer -> table -> rules; what is declared first, then what follows."""
    suites: Suites = {"marts": {}, "kpis": {}}
    for name, rules_ in declared.SUITES.items():
        layer, table = name.split(".")
        suites[layer][table] = list(rules_)
    columns = {layer: _columns(connection, f"{layer}_{slot}") for layer in suites}
    for layer, tables in columns.items():
        for table, types in tables.items():
            suite = suites[layer].setdefault(table, [])
            suite += _no_unmapped(types)
            suite += _not_after(types, last_day)
    for kpi in catalogue.load(settings.project).values():
        suites["kpis"].setdefault(kpi.table, []).extend(in_range(kpi))
    seen = _columns(connection, "kpis")
    for table, measure in declared.HISTORY.items():
        if seen.get(table) and table in columns["kpis"]:
            rule = history_kept(table, measure, declared.MOST_LOST, declared.FEW, last_day)
            suites["kpis"].setdefault(table, []).append(rule)
    return suites


def in_range(kpi: Kpi) -> list[Any]:
    """A KPI stays, on every day and for every source, within the range the catalogue states for it."""
    low, high = kpi.valid_range
    numerator, denominator, value = (f"{kpi.id}__{part}" for part in ("numerator", "denominator", "value"))
    wrong = [f"{value} < {low}"] if low is not None else []
    wrong += [f"{value} > {high}"] if high is not None else []
    title = f"{kpi.name['en']} ({kpi.name['zh']})"
    found = []
    if wrong:
        # a percentile need not be formed: nothing it is formed from is too low, and so it is not
        measure = (catalogue.lowest_sql(kpi) if high is None else None) or kpi.value_sql
        found.append(
            days_satisfy(
                f"{title} is {_range(low, high)} on every day", f"not ({' or '.join(wrong)})", {value: measure}
            )
        )
    # what a stock is measured by (days of work: by what was solved of late) may well be nothing
    if kpi.denominator_sql != "null" and "sum_at_last" not in kpi.denominator_sql:
        share = f" or {numerator} > {denominator} or {numerator} < 0" if kpi.unit == "percent" else ""
        what = "is a part of what it is measured by" if share else "is measured by something wherever there is some"
        found.append(
            days_satisfy(
                f"{title} {what}",
                f"not ({denominator} < 0 or (coalesce({denominator}, 0) = 0 and {numerator} <> 0){share})",
                {numerator: kpi.numerator_sql, denominator: kpi.denominator_sql},
            )
        )
    return found


def history_kept(table: str, measure: str, most_lost: float, few: int, last_day: str) -> Any:
    """What readers see today of the past is still there, source by source."""
    past = f"service_date <= least(date '{last_day}', (select max(service_date) from kpis.{table}))"
    total = "select source, sum({measure}) as total from {table} where {past} group by source"
    seen = total.format(measure=measure, table=f"kpis.{table}", past=past)
    built = total.format(measure=measure, table=table, past=past)
    return nothing(
        f"No source loses more than {most_lost:.0%} of the past that readers see today",
        f"select source, seen.total as seen, coalesce(built.total, 0) as built"
        f" from ({seen}) as seen left join ({built}) as built using (source)"
        f" where seen.total - coalesce(built.total, 0) > greatest({few}, {most_lost} * seen.total)",
        finds="sources",
        loss=True,
    )


def _no_unmapped(types: Mapping[str, str]) -> list[Any]:
    words = [
        name
        for name, type_ in types.items()
        if type_ == "text" and not name.endswith("_id") and not set(name.split("_")) & PERSONAL
    ]
    if not words:
        return []
    return [
        rows(
            "Every word of a source has been translated into ours",
            f"('unmapped' in ({', '.join(words)})) is not true",
            *words,
        )
    ]


def _not_after(types: Mapping[str, str], last_day: str) -> list[Any]:
    if types.get("service_date") != "date":
        return []
    between = f"service_date between date '{EARLIEST}' and date '{last_day}'"
    return [rows("No day lies after the day the numbers are as of", between, "service_date")]


def _columns(connection: psycopg.Connection[Any], schema: str) -> dict[str, dict[str, str]]:
    """table -> column -> type, of the tables and views of a schema."""
    query = """
        select c.relname, a.attname, format_type(a.atttypid, null)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'v', 'm', 'p')
            and c.relname not like '%%\\_\\_dbt\\_%%'
        order by c.relname, a.attnum
    """
    tables: dict[str, dict[str, str]] = {}
    for table, column, type_ in connection.execute(query, [schema]):
        tables.setdefault(table, {})[column] = type_
    return tables


def _range(low: Any, high: Any) -> str:
    if high is None:
        return f"{low} or more"
    return f"{high} or less" if low is None else f"between {low} and {high}"

"""``kefu kpi``: the value of a KPI, with its parts and its doubt, from what is published."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from kefu import catalogue, history, warehouse
from kefu.catalogue import DIMENSION_COLUMNS, GRAINS, Kpi
from kefu.errors import KefuError
from kefu.settings import Settings

# The period a day belongs to, and its last day.
_PERIODS = {
    "day": ("service_date", "service_date"),
    "week": (
        "cast(date_trunc('week', service_date) as date)",
        "cast(date_trunc('week', service_date) as date) + 6",
    ),
    "month": (
        "cast(date_trunc('month', service_date) as date)",
        "cast(date_trunc('month', service_date) + interval '1 month' as date) - 1",
    ),
}


@dataclass(frozen=True)
class Question:
    """What is asked: a KPI over reporting days (both ends included; None = as far as there is data)."""

    kpi: str
    first: date | None = None
    last: date | None = None
    grain: str = "total"
    by: tuple[str, ...] = ()
    source: str | None = None
    profile: str = catalogue.PROFILE
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()  # only these values of a dimension
    version: int | None = None  # of the definition; None: the one in force
    as_reported: datetime | None = None  # what readers saw at this instant; None: what they see now


def columns(by: Sequence[str]) -> list[str]:
    """The columns of an answer, in order."""
    return [
        "kpi", "profile", "version", "from", "to", *by,
        "value", "numerator", "denominator", "n", "low", "high", "unit",
    ]  # fmt: skip


def ask(
    settings: Settings, question: Question, connection: psycopg.Connection[Any] | None = None
) -> list[dict[str, Any]]:
    """The rows that answer: one a period and combination of dimension values, keys as `columns` says.

    Shares are 0 to 1, durations seconds; counts are ints, everything else floats; low and high are the ends of the
    95 % interval, None for full counts. Who asks much brings a ``connection`` as a reader.

    Raises KefuError: unknown KPI, grain, dimension or profile; nothing published.
    """
    if question.as_reported is None:
        _validate(_current(settings, question), question)
    with nullcontext(connection) if connection else warehouse.connect(settings, "analyst") as reader:
        kpi, relation = _source(settings, question, reader)
        _validate(kpi, question)
        query, values = _query(kpi, question, relation)
        try:
            cursor = reader.execute(query, values)
        except psycopg.errors.UndefinedTable as error:
            raise KefuError(
                "Nothing has been published yet.",
                do="Run `kefu run`, or `kefu demo` for an invented centre.",
            ) from error
        rows = cursor.fetchall()
    names = ["from", "to", *question.by, "value", "numerator", "denominator", "n", "low", "high"]
    return [
        {
            "kpi": kpi.id,
            "profile": question.profile,
            "version": kpi.version,
            **{name: _plain(value) for name, value in zip(names, row, strict=True)},
            "unit": kpi.unit,
        }
        for row in rows
    ]


def _current(settings: Settings, question: Question) -> Kpi:
    return catalogue.get(settings.project, question.kpi).under(question.profile).at_version(question.version)


def _source(settings: Settings, question: Question, reader: psycopg.Connection[Any]) -> tuple[Kpi, sql.Composable]:
    """The definition asked for and what it is formed from: as it is, or as both were."""
    if question.as_reported is None:
        kpi = _current(settings, question)
        return kpi, sql.Identifier("kpis", kpi.table)
    publication = history.published(reader, question.as_reported)
    kpi = history.definition(reader, publication, question.kpi, question.profile, question.version)
    return kpi, history.relation(reader, publication, kpi.table)


def _validate(kpi: Kpi, question: Question) -> None:
    if question.grain not in GRAINS:
        raise KefuError(f"There is no grain {question.grain!r}.", expected=f"one of {', '.join(GRAINS)}")
    if unknown := [name for name in (*question.by, *dict(question.where)) if name not in kpi.dimensions]:
        raise KefuError(
            f"{kpi.id} cannot be split by {', '.join(unknown)}.",
            expected=f"of {', '.join(kpi.dimensions)}",
        )
    if len(set(question.by)) < len(question.by):
        raise KefuError("A dimension is named twice.", found=",".join(question.by))
    if question.first and question.last and question.first > question.last:
        raise KefuError("The period ends before it begins.", found=f"from {question.first} to {question.last}")


def _query(kpi: Kpi, question: Question, relation: sql.Composable) -> tuple[sql.Composed, dict[str, Any]]:
    dimensions: list[sql.Composable] = [sql.Identifier(DIMENSION_COLUMNS[name]) for name in question.by]
    start: sql.Composable
    end: sql.Composable
    if question.grain == "total":
        start = sql.SQL("coalesce(%(first)s::date, min(min(service_date)) over ())")
        end = sql.SQL("coalesce(%(last)s::date, max(max(service_date)) over ())")
        grouped = list(dimensions)
    else:
        period, finish = (sql.SQL(text) for text in _PERIODS[question.grain])
        start = sql.SQL("greatest({}, %(first)s::date)").format(period)
        end = sql.SQL("least({}, %(last)s::date)").format(finish)
        grouped = [period, finish, *dimensions]
    query = sql.SQL("""
        select {start}, {end}, {dimensions}
            {value}, {numerator}, {denominator}, {n}, {low}, {high}
        from {relation}
        where
            (%(first)s::date is null or service_date >= %(first)s::date)
            and (%(last)s::date is null or service_date <= %(last)s::date)
            and (%(source)s::text is null or source = %(source)s::text)
            {conditions}
        {grouping}
        having count(*) > 0
        order by {order}
    """).format(
        start=start,
        end=end,
        dimensions=sql.SQL("").join(sql.SQL("{}, ").format(name) for name in dimensions),
        value=sql.SQL(kpi.value_sql),
        numerator=sql.SQL(kpi.numerator_sql),
        denominator=sql.SQL(kpi.denominator_sql),
        n=sql.SQL(kpi.n_sql),
        low=sql.SQL(kpi.low_sql or "null"),
        high=sql.SQL(kpi.high_sql or "null"),
        relation=relation,
        conditions=sql.SQL(" ").join(
            sql.SQL("and {} = any({})").format(sql.Identifier(DIMENSION_COLUMNS[name]), sql.Literal(list(values)))
            for name, values in question.where
        ),
        grouping=sql.SQL("group by {}").format(sql.SQL(", ").join(grouped)) if grouped else sql.SQL(""),
        order=sql.SQL(", ").join([sql.SQL("1"), *dimensions]),
    )
    return query, {"first": question.first, "last": question.last, "source": question.source}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value

"""Counts what breaks the rules of a table: one statement a table, which reads it as seldom as can be.

All conditions on rows are counted in one reading, all measures of its days are formed in another; a key that the
database does not see to is grouped once, and a rule that spans tables is a query of its own inside the statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from kefu.expectations.rules import Days, Key, Nothing, Rows, Rule, days, names


@dataclass(frozen=True)
class Measured:
    """Of one rule: the table's rows, how many things break it (None: it is about the rows as a whole), or why nobody
    can tell."""

    rows: int
    broken: int | None = None
    trouble: str | None = None


def measure(connection: psycopg.Connection[Any], table: str, rules: Sequence[Rule]) -> tuple[int, list[Measured]]:
    """How many rows a table has, and what breaks each of its rules."""
    try:
        rows, *broken = _counts(connection, table, rules)
    except psycopg.Error:  # something in it does not fit the table: only each for itself can tell what
        (rows,) = _counts(connection, table, [])
        return rows, [_apart(connection, table, rule, rows) for rule in rules]
    return rows, [Measured(rows, number) for number in broken]


def _apart(connection: psycopg.Connection[Any], table: str, rule: Rule, rows: int) -> Measured:
    try:
        _, broken = _counts(connection, table, [rule])
    except psycopg.Error as error:
        return Measured(rows, trouble=str(error).strip().split("\n")[0])
    return Measured(rows, broken)


def _counts(connection: psycopg.Connection[Any], table: str, rules: Sequence[Rule]) -> tuple[Any, ...]:
    row = connection.execute(_statement(f'"{table}"', rules).encode()).fetchone()
    assert row
    return tuple(row)


def _statement(table: str, rules: Sequence[Rule]) -> str:
    """SQL for one row: how many rows the table has, and then, in the order of the rules, what breaks each."""
    columns, of_rows, of_days = ["of_rows.rows"], ["count(*) as rows"], []
    measures: dict[str, str] = {}
    for number, rule in enumerate(rules):
        match rule:
            case Rows():
                of_rows.append(_breaking(rule.condition, number))
                columns.append(f'of_rows."{number}"')
            case Days():
                measures |= rule.measures
                of_days.append(_breaking(rule.condition, number))
                columns.append(f'of_days."{number}"')
            case Key() if rule.guaranteed:
                columns.append("0")
            case Key():
                columns.append(f"({_sharing_a_key(table, rule.columns)})")
            case Nothing():
                columns.append(f"(select count(*) from ({rule.query}) as found)")
            case _:
                columns.append("null")
    read = [f"(select {', '.join(of_rows)} from {table}) as of_rows"]
    if of_days:
        read.append(f"(select {', '.join(of_days)} from ({days(table, measures)}) as days) as of_days")
    return f"select {', '.join(columns)} from {', '.join(read)}"


def _breaking(condition: str, number: int) -> str:
    return f'count(*) filter (where ({condition}) is false) as "{number}"'


def _sharing_a_key(table: str, columns: Sequence[str]) -> str:
    """SQL that counts the rows whose key is not theirs alone or is incomplete."""
    missing = " or ".join(f'"{column}" is null' for column in columns)
    return (
        f"select cast(coalesce(sum(times), 0) as bigint) from (select count(*) as times from {table}"
        f" group by {names(columns)} having count(*) > 1 or {missing}) as shared"
    )

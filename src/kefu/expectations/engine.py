"""Holds tables to their suites, and finds out which rows broke a rule.

What breaks the rules of a table is counted in one statement (`kefu.expectations.measure`); Great Expectations says by
those counts whether each rule holds (`kefu.expectations.library`). For rules that are broken plain SQL then fetches
five rows and no more, however many there are. Importing this module imports Great Expectations (seconds).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from kefu.expectations.library import Library
from kefu.expectations.measure import Measured, measure
from kefu.expectations.model import Finding, Severity
from kefu.expectations.rules import Binding, Kept, Key, Rule

EXAMPLES = 5
HIDDEN = "…"

# Words in a column's name that say it holds something about a person or in a person's own words.
PERSONAL = {
    "agent", "caller", "comment", "contact", "customer", "email", "embedded", "name", "phone", "reference", "row",
    "subject", "text",
}  # fmt: skip
# These hold a person's data or a plain figure, as it happens: short numbers are shown.
MIXED = {"answer", "data1", "data2", "data3", "data4", "data5", "label", "value", "previous"}
SHORT_NUMBER = re.compile(r"-?\d{1,4}(\.\d{1,6})?")


@dataclass(frozen=True)
class Schema:
    """Where tables are. ``name`` holds them; ``path`` is where the names inside rules are looked up, ``name`` first."""

    name: str
    path: tuple[str, ...] = ()

    def options(self) -> str:
        """The session settings a check runs with."""
        path = ",".join(dict.fromkeys([self.name, *self.path]))
        # Keys are grouped in memory if they fit: 64 MB hold a million of them.
        return f"-c search_path={path} -c timezone=UTC -c work_mem=64MB -c application_name=kefu-check"


def check(
    url: str,
    schema: Schema,
    suites: Mapping[str, Sequence[Any]],
    *,
    as_of: datetime,
    rows_before: Mapping[str, int],
    accept_loss: bool = False,
) -> tuple[list[Finding], dict[str, int]]:
    """Hold the tables of a schema to their suites.

    ``rows_before``: table -> rows when it last passed. A table that does not exist passes, unless it had rows.
    ``accept_loss``: rows that are gone only warn.
    Returns the findings in the order of the suites, and table -> rows now.
    """
    held: list[_Held] = []
    absent: dict[str, Finding] = {}
    with psycopg.connect(url, options=schema.options(), autocommit=True) as connection:
        existing = _tables(connection, schema.name)
        for table, suite in suites.items():
            before = rows_before.get(table, 0)
            if table in existing:
                held.append(_hold(connection, table, suite, existing[table], before, as_of, accept_loss))
            else:
                absent[table] = _absent(schema, table, before, accept_loss)
        library = Library(url, schema.name, schema.options())
        try:
            ours = iter(library.judge([one for table in held for one in table.measured]))
            found = {table.name: _findings(connection, schema, table, ours, library) for table in held}
        finally:
            library.close()
    findings = [one for table in suites for one in (found[table] if table in found else [absent[table]])]
    return findings, {table.name: table.rows for table in held}


@dataclass(frozen=True)
class _Held:
    """A table and what it is held to: our rules with what was measured of them, the library's as they are."""

    name: str
    key: list[str]
    rows: int
    measured: list[tuple[Rule, Measured]]
    suite: Sequence[Any]


def _hold(
    connection: psycopg.Connection[Any],
    table: str,
    suite: Sequence[Any],
    keys: frozenset[frozenset[str]],
    rows_before: int,
    as_of: datetime,
    accept_loss: bool,
) -> _Held:
    """Measure the rules of a table."""
    # its key is what its suite declares to be unique
    key = next((list(rule.columns) for rule in suite if isinstance(rule, Key)), [])
    binding = Binding(table, key, keys, rows_before, as_of, accept_loss)
    bound = [binding.bind(rule) for rule in suite if isinstance(rule, Rule)]
    rows, measured = measure(connection, table, bound)
    return _Held(table, key, rows, list(zip(bound, measured, strict=True)), suite)


def _findings(
    connection: psycopg.Connection[Any], schema: Schema, table: _Held, ours: Iterator[Any], library: Library
) -> list[Finding]:
    """What was found in a table, in the order of its suite; ``ours`` are the results of our rules."""
    bound = (rule for rule, _ in table.measured)
    theirs = iter(library.hold(table.name, [rule for rule in table.suite if not isinstance(rule, Rule)], table.key))
    findings = []
    for rule in table.suite:
        if isinstance(rule, Rule):
            findings.append(_finding(connection, schema, table, next(bound), next(ours)))
        else:
            findings.append(_finding(connection, schema, table, rule, next(theirs)))
    return findings


def _finding(connection: psycopg.Connection[Any], schema: Schema, table: _Held, rule: Any, result: Any) -> Finding:
    severity = rule.severity if isinstance(rule, Rule) else rule.severity.value
    found = {
        "table": f"{schema.name}.{table.name}", "rule": rule.description, "rows": table.rows, "severity": str(severity),
    }  # fmt: skip
    if trouble := _exception(result.exception_info):
        return Finding(**found, ok=False, note=f"could not be checked: {trouble}")
    broken = (result.result or {}).get("unexpected_count")
    if broken is None:  # a rule about the table as a whole
        return Finding(**found, ok=result.success, note=None if result.success else _observed(rule, table.rows))
    mostly = getattr(rule, "mostly", 1)
    return Finding(
        **found,
        ok=result.success,
        broken=broken,
        unit=getattr(rule, "finds", "rows"),
        examples=_examples(connection, *_broken_rows(rule, table, result)) if broken else (),
        note=None if mostly == 1 else f"{1 - mostly:.1%} may",
    )


def _broken_rows(rule: Any, table: _Held, result: Any) -> tuple[str, int]:
    """SQL that finds what breaks a rule (empty: nobody can say), and how many of its columns put that in order."""
    if isinstance(rule, Rule):
        return rule.broken_rows(f'"{table.name}"', table.key), rule.ordered_by(table.key)
    query = (result.result or {}).get("unexpected_index_query")
    return str(query or "").strip().rstrip(";"), len(table.key)


def _observed(rule: Any, rows: int) -> str:
    if isinstance(rule, Kept):
        return f"{rows:,} rows, at least {rule.least:,} expected after those at the last check"
    return f"{rows:,} rows"


def _exception(info: Any) -> str | None:
    """What kept a rule from being checked, on one line."""
    if not info:
        return None
    nested = [value for value in info.values() if isinstance(value, dict)] or [info]
    for one in nested:
        if one.get("raised_exception"):
            text = str(one.get("exception_message") or "").strip().split("\n")[0]
            text = re.sub(r"^(Error: )?(\(psycopg2\.errors\.\w+\) )?", "", text)
            return text.replace(" in BatchData", "")
    return None


def _absent(schema: Schema, table: str, before: int, accept_loss: bool) -> Finding:
    if not before:
        return Finding(f"{schema.name}.{table}", "Nothing has come here yet", True, 0)
    note = f"the table is gone; it had {before:,} rows"
    severity: Severity = "warning" if accept_loss else "critical"
    return Finding(
        f"{schema.name}.{table}", "A table that had rows still exists", False, 0, severity=severity, note=note
    )


def _tables(connection: psycopg.Connection[Any], schema: str) -> dict[str, frozenset[frozenset[str]]]:
    """table or view -> the keys the database itself holds it to, each a set of columns, for a whole schema."""
    query = """
        select
            c.relname,
            (
                select coalesce(json_agg(keys.columns), '[]')
                from (
                    select array_agg(a.attname::text) as columns
                    from pg_index i
                        join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey::int2 [])
                    where i.indrelid = c.oid and i.indisunique and i.indisvalid
                        and i.indpred is null and i.indexprs is null
                    group by i.indexrelid
                    having bool_and(a.attnotnull)
                ) as keys
            )
        from pg_class c
        where c.relnamespace = to_regnamespace(quote_ident(%s)) and c.relkind in ('r', 'v', 'm', 'p')
    """
    return {table: frozenset(map(frozenset, keys)) for table, keys in connection.execute(query, [schema])}


def _examples(connection: psycopg.Connection[Any], query: str, ordered_by: int) -> tuple[Mapping[str, Any], ...]:
    if not query:
        return ()
    order = f" order by {', '.join(str(n + 1) for n in range(ordered_by))}" if ordered_by else ""
    cursor = connection.execute(f"select * from ({query}) as broken{order} limit {EXAMPLES}".encode())
    names = [column.name for column in cursor.description or ()]
    # A column that is part of the key and of the rule comes twice: the mapping keeps one.
    return tuple({name: shown(name, value) for name, value in zip(names, row, strict=True)} for row in cursor)


def shown(column: str, value: Any) -> Any:
    """A value as a report may show it: what is about a person is hidden, the rest made fit for JSON."""
    if value is None or isinstance(value, bool):
        return value
    words = set(column.lower().split("_"))
    if words & PERSONAL or (words & MIXED and not SHORT_NUMBER.fullmatch(str(value))):
        return HIDDEN
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal | float):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S") + ("Z" if value.tzinfo else "")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return text if len(text) <= 80 else text[:79] + HIDDEN

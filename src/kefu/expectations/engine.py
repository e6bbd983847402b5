"""Holds tables to their suites with Great Expectations, and finds out which rows broke a rule.

Great Expectations says whether each rule holds and how many rows break it: one batch a table, all its row rules in one
scan, and one batch of its days, all rules about them in another. For rules that are broken plain SQL then fetches five
rows and no more, however many there are.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from kefu.expectations.model import Finding, Severity

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
    from kefu.expectations import rules

    findings: list[Finding] = []
    rows_now: dict[str, int] = {}
    with psycopg.connect(url, options=schema.options(), autocommit=True) as connection:
        existing = _tables(connection, schema.name)
        batches = _Batches(url, schema)
        try:
            for table, suite in suites.items():
                before = rows_before.get(table, 0)
                if table not in existing:
                    findings.append(_absent(schema, table, before, accept_loss))
                    continue
                rows_now[table] = rows = _count(connection, f'"{table}"')
                key = _key(suite)
                binding = rules.Binding(table, key, existing[table], before, as_of, accept_loss)
                bound = [binding.bind(rule, number) for number, rule in enumerate(suite)]
                results = batches.validate(table, bound, key)
                findings += [
                    _finding(connection, f"{schema.name}.{table}", table, rule, results[number], key, rows)
                    for number, rule in enumerate(bound)
                ]
        finally:
            batches.close()
    return findings, rows_now


class _Batches:
    """An ephemeral Great Expectations context on one schema."""

    def __init__(self, url: str, schema: Schema) -> None:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations as gx

            context = gx.get_context(mode="ephemeral")
            context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
            self._source = context.data_sources.add_postgres(
                name=schema.name,
                # Great Expectations reads a dollar sign as the name of a variable.
                connection_string=url.replace("postgresql://", "postgresql+psycopg2://", 1).replace("$", "%24"),
                kwargs={"connect_args": {"options": schema.options()}},  # type: ignore[call-arg]
            )

    def validate(self, table: str, bound: Sequence[Any], key: list[str]) -> dict[int, Any]:
        """Hold a table to rules; the results by the rules' numbers."""
        from kefu.expectations.rules import DAY, ExpectDaysToSatisfy, days

        of_days = [rule for rule in bound if isinstance(rule, ExpectDaysToSatisfy)]
        of_rows = [rule for rule in bound if not isinstance(rule, ExpectDaysToSatisfy)]
        found: dict[int, Any] = {}
        if of_rows:
            found |= self._hold(self._source.add_table_asset(name=table, table_name=table), of_rows, key)
        if of_days:
            measures = {name: aggregate for rule in of_days for name, aggregate in rule.measures.items()}
            query = days(f'"{table}"', measures).replace(":", "\\:")  # a colon is SQL here, never a parameter
            asset = self._source.add_query_asset(name=f"{table} by day", query=query)
            found |= self._hold(asset, of_days, list(DAY))
        return found

    def _hold(self, asset: Any, bound: Sequence[Any], key: list[str]) -> dict[int, Any]:
        import great_expectations as gx

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = (
                asset.add_batch_definition_whole_table("all")
                .get_batch()
                .validate(
                    gx.ExpectationSuite(name=asset.name, expectations=list(bound)),
                    result_format={
                        "result_format": "BASIC",
                        "return_unexpected_index_query": True,
                        "unexpected_index_column_names": key,
                    },
                )
            )
        return {result.expectation_config.meta["number"]: result for result in outcome.results}

    def close(self) -> None:
        self._source.get_execution_engine().close()


def _key(suite: Sequence[Any]) -> list[str]:
    """The key of a table: what its suite declares to be unique."""
    from kefu.expectations.rules import ExpectKeyToBeUnique

    return next((list(rule.columns) for rule in suite if isinstance(rule, ExpectKeyToBeUnique)), [])


def _finding(
    connection: psycopg.Connection[Any], name: str, table: str, rule: Any, result: Any, key: list[str], rows: int
) -> Finding:
    found = {"table": name, "rule": rule.description, "rows": rows, "severity": str(rule.severity.value)}
    if trouble := _exception(result.exception_info):
        return Finding(**found, ok=False, note=f"could not be checked: {trouble}")
    broken = (result.result or {}).get("unexpected_count")
    if broken is None:  # a rule about the table as a whole
        return Finding(**found, ok=result.success, note=None if result.success else _observed(rule, rows))
    query = _query_of_broken_rows(rule, table, key, result)
    mostly = getattr(rule, "mostly", 1)
    return Finding(
        **found,
        ok=result.success,
        broken=broken,
        unit=getattr(rule, "finds", "rows"),
        examples=_examples(connection, query, _ordered_by(rule, key)) if broken and query else (),
        note=None if mostly == 1 else f"{1 - mostly:.1%} may",
    )


def _ordered_by(rule: Any, key: list[str]) -> int:
    from kefu.expectations.rules import DAY, ExpectDaysToSatisfy

    if isinstance(rule, ExpectDaysToSatisfy):
        return len(DAY)
    return 1 if hasattr(rule, "query") else len(key)


def _query_of_broken_rows(rule: Any, table: str, key: list[str], result: Any) -> str | None:
    if hasattr(rule, "broken_rows"):
        return str(rule.broken_rows(f'"{table}"', key))
    query = (result.result or {}).get("unexpected_index_query")
    return str(query).strip().rstrip(";") if query else None


def _observed(rule: Any, rows: int) -> str:
    least = getattr(rule, "min_value", None)
    if least is not None and (rule.meta or {}).get("share_kept") is not None:
        return f"{rows:,} rows, at least {least:,} expected after those at the last check"
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


def _count(connection: psycopg.Connection[Any], relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation} as counted".encode()).fetchone()
    return int(row[0]) if row else 0


def _examples(connection: psycopg.Connection[Any], query: str, ordered_by: int) -> tuple[Mapping[str, Any], ...]:
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

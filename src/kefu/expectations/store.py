"""What checks leave behind in the schema ``control``: every finding, and how many rows a table had when it passed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from kefu.expectations.model import Finding, Report

KEEP = timedelta(days=90)  # a quarter: long enough to see when a source began to go wrong

TABLES = """
create table if not exists control.checks (
    run_id text not null,
    edge text not null,
    subject text not null,
    finding_number integer not null,
    table_name text not null,
    rule text not null,
    severity text not null,
    ok boolean not null,
    rows_checked bigint not null,
    rows_broken bigint not null,
    unit text not null,
    examples json not null, -- not jsonb, which would reorder the columns
    note text,
    as_of_at timestamptz not null,
    checked_at timestamptz not null,
    seconds double precision not null,
    primary key (run_id, edge, subject, finding_number)
);
create index if not exists checks_checked_at on control.checks (checked_at);
comment on table control.checks is
'One row per rule and check: whether it held, in how many rows not, and up to five of them without personal data.';
create table if not exists control.passed_rows (
    table_name text primary key,
    row_count bigint not null,
    passed_at timestamptz not null
);
comment on table control.passed_rows is
'One row per raw table: how many rows it had when it last passed its check. The next load may not lose too many.';
"""


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Create the tables; may run any time."""
    if connection.execute("select to_regclass('control.passed_rows')").fetchone() == (None,):
        # One at a time: two at once would both find nothing and one would fail.
        connection.execute("select pg_advisory_xact_lock(hashtext('kefu control.checks'))")
        connection.execute(TABLES)


def rows_when_passed(connection: psycopg.Connection[Any], schema: str) -> dict[str, int]:
    """table -> its rows when it last passed, for the tables of a schema."""
    query = """
        select split_part(table_name, '.', 2), row_count from control.passed_rows
        where split_part(table_name, '.', 1) = %s
    """
    return {table: int(rows) for table, rows in connection.execute(query, [schema])}


def remember_rows(connection: psycopg.Connection[Any], schema: str, rows: Mapping[str, int], at: datetime) -> None:
    """From now on the tables of a schema are held to these row counts, and to no others."""
    connection.execute("delete from control.passed_rows where split_part(table_name, '.', 1) = %s", [schema])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into control.passed_rows (table_name, row_count, passed_at) values (%s, %s, %s)",
            [(f"{schema}.{table}", count, at) for table, count in rows.items()],
        )


def save(connection: psycopg.Connection[Any], report: Report) -> None:
    """Write a report down; a repeated check of the same run replaces its first findings."""
    connection.execute(
        "delete from control.checks where (run_id = %s and edge = %s and subject = %s) or checked_at < %s",
        [report.run, report.edge, report.subject, report.checked_at - KEEP],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into control.checks (
                run_id, edge, subject, finding_number, table_name, rule, severity, ok, rows_checked, rows_broken,
                unit, examples, note, as_of_at, checked_at, seconds
            ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    report.run, report.edge, report.subject, number, finding.table, finding.rule, finding.severity,
                    finding.ok, finding.rows, finding.broken, finding.unit, json.dumps(finding.examples), finding.note,
                    report.as_of, report.checked_at, report.seconds,
                )
                for number, finding in enumerate(report.findings, 1)
            ],
        )  # fmt: skip


def last_check_failed(connection: psycopg.Connection[Any], edge: str, subject: str) -> bool:
    """Whether the last check of a subject forbids going on; False if it was never checked."""
    query = """
        select bool_or(not ok and severity = 'critical') from control.checks
        where edge = %s and subject = %s group by checked_at order by checked_at desc limit 1
    """
    row = connection.execute(query, [edge, subject]).fetchone()
    return bool(row and row[0])


def reports_of(connection: psycopg.Connection[Any], run: str, page: Path | None = None) -> list[Report]:
    """All reports of a run, in the order they were made."""
    query = """
        select edge, subject, as_of_at, checked_at, seconds, table_name, rule, ok, rows_checked, rows_broken, unit,
            severity, examples, note
        from control.checks where run_id = %s order by checked_at, edge, subject, finding_number
    """
    found: dict[tuple[str, str], tuple[Any, list[Finding]]] = {}
    for edge, subject, as_of, checked_at, seconds, *one in connection.execute(query, [run]):
        table, rule, ok, rows, broken, unit, severity, examples, note = one
        _, findings = found.setdefault((edge, subject), ((as_of, checked_at, seconds), []))
        findings.append(Finding(table, rule, ok, rows, broken, unit, severity, tuple(examples), note))
    return [
        Report(
            run=run,
            edge=edge,  # type: ignore[arg-type]
            subject=subject,
            as_of=as_of.astimezone(UTC),
            checked_at=checked_at.astimezone(UTC),
            seconds=seconds,
            findings=tuple(findings),
            page=page,
        )
        for (edge, subject), ((as_of, checked_at, seconds), findings) in found.items()
    ]

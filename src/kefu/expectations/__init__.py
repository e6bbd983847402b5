"""The two edges: what landed must be fit to build on, what was built must be fit to be seen.

`check_raw` holds the raw tables of a source to ``expectations/raw/<kind>.py``, `check_published` the tables of a
publication slot to ``expectations/published.py`` and to the ranges the KPI catalogue states. Both write every finding
to ``control.checks`` and a page to ``KEFU_HOME/reports``; both raise KefuError if a rule is broken, saying which rows
of which table broke it. Nobody may go on then: readers keep the last good build.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from kefu import warehouse
from kefu.errors import KefuError
from kefu.expectations import page, store
from kefu.expectations.model import Edge, Finding, Report
from kefu.settings import Settings

__all__ = ["Edge", "Finding", "Report", "check_published", "check_raw", "prepare", "require_fit"]

# A vendor's clock may run a little ahead of ours; hours ahead is a wrong time zone.
GRACE = timedelta(hours=1)
SHOWN = 3  # broken rules with examples in the message; the page has them all


def prepare(settings: Settings) -> None:
    """Create the control tables of the checks; may run any time."""
    with warehouse.connect(settings) as connection:
        store.prepare(connection)


def check_raw(
    settings: Settings,
    source_name: str,
    *,
    run: str | None = None,
    as_of: datetime | None = None,
    accept_loss: bool = False,
) -> Report:
    """Hold what landed from a source to what its vendor must send.

    ``run`` groups the checks of one run on one page (default: a run of its own); ``as_of`` (default: now) is the
    instant after which nothing can have happened yet. With ``accept_loss`` rows that are gone since the last check
    only warn, and the next check compares with what is there now. Raises KefuError if a rule is broken.
    """
    source = settings.source(source_name)
    suites = _declared(settings.project / "expectations" / "raw" / f"{source.kind}.py").SUITES
    schema = f"raw_{source.name}"
    checked_at = datetime.now(UTC)
    until = _aware(as_of) if as_of else checked_at

    from kefu.expectations import engine

    began = time.monotonic()
    with closing(warehouse.connect(settings)) as connection:
        with connection.transaction():
            store.prepare(connection)
            before = store.rows_when_passed(connection, schema)
        findings, rows = engine.check(
            warehouse.dsn(settings),
            engine.Schema(schema),
            suites,
            as_of=until + GRACE,
            rows_before=before,
            accept_loss=accept_loss,
        )
        report = _report(run, "raw", schema, until, checked_at, began, findings)
        with connection.transaction():
            report = _keep(settings, connection, report)
            if report.ok:
                store.remember_rows(connection, schema, rows, checked_at)
    return _verdict(
        report,
        f"What landed from {source.name} may not be built on.",
        do=f"See docs/runbooks/expectations.md. Correct it at the source and extract again: kefu extract {source.name}."
        " Readers keep the last good build meanwhile.",
    )


def check_published(settings: Settings, slot: str, *, run: str | None = None, accept_loss: bool = False) -> Report:
    """Hold the marts and KPIs built in a slot to what readers rely on, before they are turned visible.

    With ``accept_loss`` history that is gone only warns. Raises KefuError if a rule is broken; the slot then stays
    unpublished.
    """
    from kefu import publish
    from kefu.expectations import engine, generated

    publish.require_slot(slot)
    declared = _declared(settings.project / "expectations" / "published.py")
    checked_at = datetime.now(UTC)
    began = time.monotonic()
    findings: list[Finding] = []
    with closing(warehouse.connect(settings)) as connection:
        with connection.transaction():
            store.prepare(connection)
            as_of, zone = _build(connection, settings)
            suites = generated.published_suites(settings, connection, declared, slot, last_day=_day(as_of, zone))
        url = warehouse.dsn(settings)
        for layer, other in (("marts", "kpis"), ("kpis", "marts")):
            schema = engine.Schema(f"{layer}_{slot}", (f"{other}_{slot}",))
            found, _ = engine.check(url, schema, suites[layer], as_of=as_of, rows_before={}, accept_loss=accept_loss)
            findings += found
        report = _report(run, "published", f"slot {slot}", as_of, checked_at, began, findings)
        with connection.transaction():
            report = _keep(settings, connection, report)
    return _verdict(
        report,
        f"What was built in slot {slot} may not be published.",
        do="See docs/runbooks/expectations.md. Correct the cause, then `kefu build`, `kefu check` and `kefu publish`."
        " Readers keep the last good build meanwhile.",
    )


def require_fit(settings: Settings) -> None:
    """KefuError if the last check of an enabled source was broken: its rows are in raw and may not be built on."""
    with warehouse.connect(settings) as connection:
        store.prepare(connection)
        unfit = [
            source.name
            for source in settings.enabled_sources()
            if store.last_check_failed(connection, "raw", f"raw_{source.name}")
        ]
    if unfit:
        raise KefuError(
            f"What landed last from {', '.join(unfit)} broke a rule, so nothing may be built on it.",
            where=str(settings.home / "reports" / "latest.html"),
            do="Correct it at the source, then `kefu extract` and `kefu check raw`."
            " Readers keep the last good build meanwhile (docs/runbooks/expectations.md).",
        )


def _declared(path: Path) -> ModuleType:
    """A module of ``expectations/``; they are data beside the package, not part of it."""
    if not path.is_file():
        raise KefuError(
            "There are no expectations to check with.",
            expected=f"a file {path}",
            do="Write it after the others beside it (docs/add-a-source.md).",
        )
    spec = importlib.util.spec_from_file_location(f"kefu_expectations_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _build(connection: psycopg.Connection[Any], settings: Settings) -> tuple[datetime, str]:
    """The as-of time and reporting zone the models were built with."""
    known = connection.execute("select to_regclass('control.build')").fetchone()
    row = (
        connection.execute("select as_of_at, reporting_zone from control.build").fetchone()
        if known and known[0]
        else None
    )
    if row is None:
        raise KefuError(
            "Nothing has been built yet.", expected="a row in control.build", do="Build first: `kefu build`."
        )
    return _aware(row[0]), row[1] or settings.reporting_zone


def _aware(instant: datetime) -> datetime:
    """Naive instants are UTC everywhere in Kefu."""
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _day(instant: datetime, zone: str) -> str:
    return instant.astimezone(ZoneInfo(zone)).date().isoformat()


def _report(
    run: str | None,
    edge: Edge,
    subject: str,
    as_of: datetime,
    checked_at: datetime,
    began: float,
    findings: Sequence[Finding],
) -> Report:
    name = run or f"{checked_at:%Y%m%dT%H%M%S}-{subject.replace(' ', '-').replace('_', '-')}"
    return Report(name, edge, subject, as_of, checked_at, round(time.monotonic() - began, 3), tuple(findings))


def _keep(settings: Settings, connection: psycopg.Connection[Any], report: Report) -> Report:
    store.save(connection, report)
    path = page.write(settings.home / "reports", report.run, store.reports_of(connection, report.run))
    return replace(report, page=path)


def _verdict(report: Report, summary: str, *, do: str) -> Report:
    if report.ok:
        return report
    rules = report.failed
    lines = [summary]
    for finding in rules[:SHOWN]:
        lines.append(f"  ✗ {finding.table}: {finding.rule}: {finding.sentence()}")
        lines += [f"      {_row(example)}" for example in finding.examples]
    lines += [f"  ✗ {finding.table}: {finding.rule}: {finding.sentence()}" for finding in rules[SHOWN:]]
    raise KefuError(
        "\n".join(lines),
        found=f"{len(rules)} of {len(report.findings)} rules broken",
        where=str(report.page),
        do=do,
    )


def _row(example: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {'null' if value is None else value}" for name, value in example.items())

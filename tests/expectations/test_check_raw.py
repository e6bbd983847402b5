"""The raw edge, with the project's own suites on a real Postgres: what landed well passes, what is broken is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kefu import expectations, load
from kefu import warehouse as database
from kefu.errors import KefuError
from kefu.expectations.engine import HIDDEN, shown
from kefu.settings import Settings, SourceSettings
from kefu.sources import kinds

NOW = datetime(2026, 6, 1, tzinfo=UTC)

NewWarehouse = Callable[..., Settings]

# What somebody breaks, the table it is in, the rule that says so, and how many rows it says.
BROKEN = [
    ("update raw_zendesk.tickets set status = 'escalated' where id < 3", "tickets", "A ticket has a status we know", 2),
    ("update raw_zendesk.tickets set updated_at = '2020-01-01' where id = 1", "tickets", "changed before", 1),
    ("update raw_zendesk.tickets set created_at = '1970-01-01' where id = 2", "tickets", "created in our time", 1),
    ("update raw_zendesk.tickets set updated_at = '2026-06-02' where id = 2", "tickets", "changed in our time", 1),
    ("update raw_zendesk.tickets set status = null where id = 2", "tickets", "Every ticket has a status", 1),
    (
        "update raw_zendesk.ticket_events set value = 'strange' where field = 'status'",
        "ticket_events",
        "one we know",
        1,
    ),
    ("update raw_zendesk.ticket_events set ticket_id = 1 where event_id = 12", "ticket_events", "created once", 1),
    ("update raw_zendesk.ticket_events set ticket_id = 99 where event_id = 11", "ticket_events", "that we have", 1),
    ("update raw_zendesk.ticket_events set value = 'hi' where field = 'comment'", "ticket_events", "do not land", 1),
    ("update raw_zendesk.users set role = 'boss' where id = 7", "users", "an agent or an administrator", 1),
    ("update raw_zendesk.groups set name = null", "groups", "has a name", 1),
    ("update raw_zendesk.satisfaction_ratings set ticket_id = 99", "satisfaction_ratings", "one we have", 1),
    ("delete from raw_asterisk.queue_log where event = 'CONNECT'", "queue_log", "finished was answered", 1),
    ("delete from raw_asterisk.queue_log where event = 'ENTERQUEUE'", "queue_log", "entered it before", 2),
    (
        "update raw_asterisk.queue_log set data2 = 'x' where event = 'COMPLETECALLER'",
        "queue_log",
        "waited and talked",
        1,
    ),
    ("update raw_asterisk.queue_log set callid = 'NONE' where event = 'ABANDON'", "queue_log", "names the call", 1),
    ("update raw_qualtrics.answers set value = '15' where question_id = 'QID1'", "answers", "scale of its question", 1),
    ("update raw_qualtrics.answers set value = 'Very good' where question_id = 'QID1'", "answers", "scale of its", 1),
    ("delete from raw_qualtrics.responses", "answers", "response we have", 2),
    ("update raw_qualtrics.responses set progress = 101", "responses", "not begun and complete", 1),
    ("update raw_qualtrics.questions set scale = null", "questions", "has a scale", 1),
]


def run(settings: Settings, statements: str) -> None:
    with database.connect(settings, "loader") as connection:
        connection.execute(statements)


def check(settings: Settings, source: str, **options: object) -> expectations.Report:
    return expectations.check_raw(settings, source, as_of=NOW, **options)


@pytest.mark.parametrize("source", ["zendesk", "asterisk", "qualtrics", "bank"])
def test_empty_tables_pass_and_every_rule_can_be_checked(
    new_warehouse: NewWarehouse, landed: Settings, source: str
) -> None:
    settings = new_warehouse(sources=landed.sources)
    load.prepare_raw(settings)
    report = check(settings, source)
    assert report.ok
    assert [finding for finding in report.findings if finding.note and "could not" in finding.note] == []
    kind = settings.sources[source].kind
    assert {finding.table.split(".")[1] for finding in report.findings} == {
        table.name for table in kinds()[kind].tables
    }


@pytest.mark.parametrize("source", ["zendesk", "asterisk", "qualtrics"])
def test_what_landed_well_passes(landed: Settings, source: str) -> None:
    report = check(landed, source)
    assert [finding for finding in report.findings if not finding.ok] == []


def test_a_source_that_never_landed_passes(landed: Settings) -> None:
    source = SourceSettings(name="elsewhere", kind="asterisk")
    report = check(landed.model_copy(update={"sources": {"elsewhere": source}}), "elsewhere")
    assert report.ok
    assert report.summary() == "2 rules on 2 tables hold"


@pytest.mark.parametrize(("breaking", "table", "rule", "rows"), BROKEN, ids=[f"{b[1]}: {b[2]}" for b in BROKEN])
def test_a_broken_rule_is_named_with_its_rows(
    landed: Settings, breaking: str, table: str, rule: str, rows: int
) -> None:
    schema = breaking.split("raw_")[1].split(".")[0]
    with database.connect(landed, "loader") as connection:
        backup = f"create temporary table backup as select * from raw_{schema}.{breaking.split('.')[1].split()[0]}"
        connection.execute(backup)
        connection.execute(breaking)
        connection.commit()
        try:
            with pytest.raises(KefuError) as raised:
                check(landed, schema)
        finally:
            changed = f"raw_{schema}.{breaking.split('.')[1].split()[0]}"
            connection.execute(f"delete from {changed}; insert into {changed} select * from backup")
            connection.commit()
    line = next(line for line in str(raised.value).splitlines() if f"raw_{schema}.{table}: " in line and rule in line)
    assert f": {rows} " in line
    with database.connect(landed) as connection:
        found = connection.execute(
            "select rows_broken, json_array_length(examples) from control.checks"
            " where subject = %s and table_name = %s and rule like %s and not ok and checked_at = ("
            "select max(checked_at) from control.checks where subject = %s)",
            [f"raw_{schema}", f"raw_{schema}.{table}", f"%{rule}%", f"raw_{schema}"],
        ).fetchall()
    assert found == [(rows, rows)]


def test_the_message_shows_rows_with_their_keys_where_the_report_is_and_what_to_do(landed: Settings) -> None:
    run(landed, "update raw_zendesk.tickets set status = 'escalated' where id in (1, 3)")
    try:
        with pytest.raises(KefuError) as raised:
            check(landed, "zendesk", run="shown")
    finally:
        run(
            landed,
            "update raw_zendesk.tickets set status = case id when 1 then 'open' else 'deleted' end where id <> 2",
        )
    message = str(raised.value)
    assert (
        "  ✗ raw_zendesk.tickets: A ticket has a status we know: 2 of 3 rows\n      id = 1, status = escalated"
        in message
    )
    assert f"where: {landed.home / 'reports' / 'shown.html'}" in message
    assert re.search(r"found: 1 of \d{2} rules broken", message)
    assert "kefu extract zendesk" in message


def test_nothing_about_a_person_is_shown_or_stored(landed: Settings) -> None:
    run(landed, "update raw_zendesk.users set role = null where id = 7")
    run(landed, "update raw_asterisk.queue_log set queue = null where byte_offset = 40")
    try:
        for source in ("zendesk", "asterisk"):
            with pytest.raises(KefuError):
                check(landed, source, run="private")
    finally:
        run(landed, "update raw_zendesk.users set role = 'agent' where id = 7")
        run(landed, "update raw_asterisk.queue_log set queue = 'returns' where byte_offset = 40")
    page = (landed.home / "reports" / "private.html").read_text()
    for secret in ("Li Wei", "li.wei", "02012345678", "Bob"):
        assert secret not in page


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("email", "li@example.com", HIDDEN),
        ("customer_id", "zendesk-8", HIDDEN),
        ("question_text", "How was it?", HIDDEN),
        ("value", "All well, call me", HIDDEN),
        ("value", "15", "15"),
        ("data2", "02012345678", HIDDEN),
        ("data2", "291", "291"),
        ("status", "escalated", "escalated"),
        ("created_at", NOW, "2026-06-01 00:00:00Z"),
        ("wait_seconds", 12, 12),
        ("name", None, None),
    ],
)
def test_values_about_a_person_are_hidden(column: str, value: object, wanted: object) -> None:
    assert shown(column, value) == wanted


def test_a_source_that_had_rows_and_has_none_fails(landed: Settings) -> None:
    check(landed, "asterisk")
    with database.connect(landed, "loader") as connection:
        connection.execute("create temporary table backup as select * from raw_asterisk.queue_log")
        connection.execute("delete from raw_asterisk.queue_log")
        connection.commit()
        try:
            with pytest.raises(KefuError, match="No load loses lines: 0 rows, at least 6 expected"):
                check(landed, "asterisk")
            with pytest.raises(KefuError, match="No load loses lines"):
                check(landed, "asterisk")
            report = check(landed, "asterisk", accept_loss=True)
            assert [finding.rule for finding in report.warnings] == ["No load loses lines"]
            assert check(landed, "asterisk").warnings == (), "what was accepted is what is compared with from now on"
        finally:
            connection.execute("insert into raw_asterisk.queue_log select * from backup")
            connection.commit()


def test_a_table_that_is_gone_fails(
    new_warehouse: NewWarehouse, landed: Settings, land_well: Callable[[Settings], None]
) -> None:
    settings = new_warehouse(sources=landed.sources)
    land_well(settings)
    check(settings, "zendesk")
    run(settings, "drop table raw_zendesk.groups")
    with pytest.raises(KefuError, match=r"raw_zendesk\.groups: A table that had rows still exists"):
        check(settings, "zendesk")


def test_a_column_that_is_gone_is_a_broken_rule_not_a_crash(new_warehouse: NewWarehouse, landed: Settings) -> None:
    settings = new_warehouse(sources=landed.sources)
    load.prepare_raw(settings)
    run(settings, "alter table raw_zendesk.groups drop column name")
    with pytest.raises(KefuError, match='could not be checked: column "name" does not exist'):
        check(settings, "zendesk")
    with database.connect(settings) as connection:
        broken = connection.execute("select table_name, rule from control.checks where not ok").fetchall()
    assert broken == [("raw_zendesk.groups", "Every group has a name")], "the other rules of the table were checked"


def test_a_few_dirty_rows_of_a_file_pass_and_many_do_not(landed: Settings) -> None:
    insert = """
        insert into raw_bank.calls (call_id, direction, outcome, started_at, ended_at, _file, _line)
        select 'c' || n, 'inbound', 'answered', '2026-03-01', case when n > %s then timestamptz '2026-03-01' end
            - case when n > %s then interval '1 hour' else interval '0' end, 'x', n from generate_series(1, 1000) n
    """
    try:
        for dirty, passes in ((10, True), (30, False)):
            with database.connect(landed, "loader") as connection:
                connection.execute("delete from raw_bank.calls")
                connection.execute(insert, [0, 1000 - dirty])
            if passes:
                finding = next(f for f in check(landed, "bank").findings if f.rule == "No call ends before it begins")
                assert (finding.ok, finding.broken, finding.note) == (True, 10, "2.0% may")
            else:
                with pytest.raises(KefuError, match=r"No call ends before it begins: 30 of 1,000 rows; 2\.0% may"):
                    check(landed, "bank")
    finally:
        run(landed, "delete from raw_bank.calls")


def test_a_kind_without_expectations_is_one_clear_message(landed: Settings, tmp_path: Path) -> None:
    settings = landed.model_copy(update={"project": tmp_path})
    with pytest.raises(KefuError, match="no expectations") as raised:
        check(settings, "zendesk")
    assert str(tmp_path / "expectations" / "raw" / "zendesk.py") in str(raised.value)


def test_any_expectation_of_the_library_can_be_declared(landed: Settings, tmp_path: Path) -> None:
    suite = tmp_path / "expectations" / "raw" / "zendesk.py"
    suite.parent.mkdir(parents=True)
    suite.write_text(
        "import great_expectations.expectations as gxe\n"
        "from kefu.expectations.rules import key\n"
        "SUITES = {'tickets': [key('Every ticket has a number', 'id'),\n"
        "    gxe.ExpectColumnValuesToBeInSet(column='status', value_set=['open'], description='Tickets are open'),\n"
        "    gxe.ExpectTableRowCountToBeBetween(max_value=2, description='There are few tickets'),\n"
        "    gxe.ExpectColumnValuesToNotBeNull(column='priority', mostly=0.5, description='Most have a priority')]}\n"
    )
    settings = landed.model_copy(update={"project": tmp_path})
    with pytest.raises(KefuError) as raised:
        check(settings, "zendesk")
    lines = str(raised.value).splitlines()
    assert "  ✗ raw_zendesk.tickets: Tickets are open: 2 of 3 rows" in lines
    assert "      id = 2, status = hold" in lines
    assert "  ✗ raw_zendesk.tickets: There are few tickets: 3 rows" in lines
    assert not any("Most have a priority" in line for line in lines)


def test_the_checks_of_one_run_share_a_page_that_needs_nothing_but_itself(landed: Settings) -> None:
    for source in ("zendesk", "asterisk"):
        check(landed, source, run="together")
    check(landed, "asterisk", run="together")
    page = landed.home / "reports" / "together.html"
    text = page.read_text()
    assert text == (landed.home / "reports" / "latest.html").read_text()
    assert text.count("<h2>What landed: ") == 2
    assert re.search(r"✓ All \d{2} rules on \d{2} tables hold", text)
    for foreign in ("http:", "https:", "<script", "<link", "@import", "url(", "src="):
        assert foreign not in text


def test_findings_are_written_down_one_row_a_rule(landed: Settings) -> None:
    report = check(landed, "qualtrics", run="written")
    with database.connect(landed) as connection:
        rows = connection.execute(
            "select edge, table_name, rule, ok, rows_checked, rows_broken, examples from control.checks"
            " where run_id = 'written' order by finding_number"
        ).fetchall()
    assert [(row[1], row[2]) for row in rows] == [(finding.table, finding.rule) for finding in report.findings]
    assert {row[0] for row in rows} == {"raw"}
    assert json.dumps([row[6] for row in rows]) == json.dumps([[]] * len(rows))


def test_nothing_may_have_happened_after_the_as_of_time(landed: Settings) -> None:
    early = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(hours=2)
    with pytest.raises(KefuError, match="Tickets were created in our time, and not in the future: 2 of 3 rows"):
        expectations.check_raw(landed, "zendesk", as_of=early)


def test_nothing_is_built_on_a_source_whose_last_check_was_broken(landed: Settings) -> None:
    for source in landed.sources:
        check(landed, source, accept_loss=True)
    expectations.require_fit(landed)
    run(landed, "update raw_zendesk.tickets set priority = 'burning' where id = 1")
    try:
        with pytest.raises(KefuError):
            check(landed, "zendesk")
        with pytest.raises(KefuError, match="What landed last from zendesk broke a rule"):
            expectations.require_fit(landed)
    finally:
        run(landed, "update raw_zendesk.tickets set priority = 'high' where id = 1")
    check(landed, "zendesk")
    expectations.require_fit(landed)

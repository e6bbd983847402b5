"""The published edge, on marts and KPIs that dbt really built: what readers rely on holds, or nothing is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kefu import catalogue, control, expectations, publish, transform, trust
from kefu import warehouse as database
from kefu.errors import KefuError
from kefu.settings import Settings

pytestmark = pytest.mark.slow  # dbt builds everything once

SLOT = "a"

# What somebody breaks in tables of kpis (all at once: a check takes seconds), and what the rules then say.
# The database would not take such rows: what it holds is held a second time, for one that cannot.
WITHOUT_KEYS = """
do $$ declare key text; begin
for key in select indexrelid::regclass::text from pg_index where indrelid = '{}'::regclass and indisunique loop
    execute 'drop index ' || key;
end loop; end $$;
"""
BROKEN = {
    "counts that contradict each other": {
        "kpi_telephony_hourly": (
            "update {} set answered = 2, offered = 2, answered_in_target = 4",
            "answered, gave up, gave up at once or ended otherwise: 1 of 1 rows",
            "Contacts answered in time, timed or transferred are answered contacts: 1 of 1 rows",
            "Service level (服务水平) is between 0 and 1 on every day: 1 day",
        ),
        "kpi_tickets_daily": (
            "update {} set reopened_tickets = 1, tickets_solved = 9",
            "Reopen rate (重开率) is a part of what it is measured by: 2 days",
            "No source solves more tickets than were ever created: 1 source",
        ),
        "kpi_satisfaction_daily": (
            "update {} set csat_positive = 2, invitations_answered = 2",
            "Positive answers are answers: 3 of 3 rows",
            "Customer satisfaction (客户满意度) is between 0 and 1 on every day: 1 day",
            "Answered invitations were delivered: 3 of 3 rows",
        ),
        "kpi_backlog_daily": (
            "update {} set service_date = '2026-03-09' where service_date = '2026-03-02'",
            "Every pile is counted on every day between its first and its last: 1 pile",
        ),
    },
    "sums no data can have": {
        "kpi_telephony_hourly": (
            "update {} set talk_seconds = -1, wait_answered_squares = 0, handled = 0,"
            " elapsed_handle_seconds = handle_seconds - 1",
            "Nothing is counted below zero: 1 of 1 rows",
            "Average talk time (平均通话时长) is measured by something wherever there is some: 1 day",
            "Waits of answered contacts: the spread is possible: 1 of 1 rows",
            "A share of an agent's time is no more than what passed by the clock: 1 of 1 rows",
        ),
        "kpi_backlog_daily": (
            "update {} set open_tickets = -1",
            "No pile is smaller than nothing: 2 of 2 rows",
            "Backlog (积压量) is 0 or more on every day: 2 days",
        ),
    },
    "words and days nobody knows": {
        "kpi_telephony_hourly": (
            "update {} set team_id = 'ghosts', queue_id = 'ghosts', channel = 'unmapped', service_date = '2999-01-01'",
            "Dashboards have a name for every team: 1 of 1 rows",
            "Dashboards have a name for every queue: 1 of 1 rows",
            "Dashboards have a name for every channel: 1 channel",
            "Every word of a source has been translated into ours: 1 of 1 rows",
            "No day lies after the day the numbers are as of: 1 of 1 rows",
        ),
        "kpi_satisfaction_daily": (
            "update {} set survey_id = 'ghosts'",
            "Dashboards have a name for every survey: 3 of 3 rows",
        ),
    },
    "rows twice or from nowhere": {
        "kpi_telephony_hourly": (
            f"{WITHOUT_KEYS} insert into {{}} select * from {{}}",
            "An hour of a queue and team is booked once: 2 of 2 rows",
        ),
        "kpi_tickets_daily": (
            "alter table {} alter column source drop not null; update {} set source = null",
            "Nothing is booked without saying where: 2 of 2 rows",
        ),
    },
}


@pytest.fixture(scope="module")
def built(new_warehouse: Callable[..., Settings], sources: dict, land_well: Callable[[Settings], None]) -> Settings:
    """A warehouse with one finished build in slot a; tests put back what they break."""
    settings = new_warehouse(sources=sources)
    control.prepare(settings)
    expectations.prepare(settings)
    publish.prepare(settings)
    land_well(settings)
    current = control.begin_build(settings, SLOT)
    transform.build(settings, current)
    control.mark(settings, current, "built")
    return settings


@contextmanager
def broken(settings: Settings, statements: dict[str, str], slot: str = SLOT) -> Iterator[None]:
    """Tables of a slot with something wrong in them, put right afterwards."""
    with database.connect(settings) as connection:
        for table, statement in statements.items():
            connection.execute(f"create temporary table {table}_before as select * from kpis_{slot}.{table}")
            connection.execute(statement.replace("{}", f"kpis_{slot}.{table}"))
        connection.commit()
        try:
            yield
        finally:
            for table in statements:
                connection.execute(f"delete from kpis_{slot}.{table}")
                connection.execute(f"insert into kpis_{slot}.{table} select * from {table}_before")
            connection.commit()


def test_what_was_built_well_passes_and_readers_see_how_much_was_checked(built: Settings) -> None:
    report = expectations.check_published(built, SLOT)
    assert [finding for finding in report.findings if not finding.ok] == []
    assert [finding for finding in report.findings if finding.note and "could not" in finding.note] == []
    current = control.current_build(built)
    control.mark(built, current, "checked")
    publication = publish.publish(built, SLOT, as_of=current.as_of_at)
    assert publication.checks == f"{len(report.findings)}/{len(report.findings)}"
    assert publication.sources == "asterisk, qualtrics, zendesk"


def test_every_kpi_of_the_catalogue_is_held_to_its_range(built: Settings) -> None:
    rules = {(finding.table, finding.rule) for finding in expectations.check_published(built, SLOT).findings}
    for kpi in catalogue.load(built.project).values():
        title = f"{kpi.name['en']} ({kpi.name['zh']}) is "
        assert [rule for table, rule in rules if table == f"kpis_a.{kpi.table}" and rule.startswith(title)], kpi.id


def test_no_table_readers_see_goes_unlooked_at(built: Settings) -> None:
    report = expectations.check_published(built, SLOT)
    query = "select table_name from information_schema.tables where table_schema = 'kpis_a' and table_name like 'kpi%'"
    with database.connect(built) as connection:
        tables = {f"kpis_a.{name}" for (name,) in connection.execute(query)}
    assert tables <= {finding.table for finding in report.findings}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_rules_are_named(built: Settings, what: str) -> None:
    statements = {table: statement for table, (statement, *_) in BROKEN[what].items()}
    with broken(built, statements), pytest.raises(KefuError, match="slot a may not be published") as raised:
        expectations.check_published(built, SLOT)
    lines = str(raised.value).splitlines()
    for table, (_, *said) in BROKEN[what].items():
        for words in said:
            assert any(line.startswith(f"  ✗ kpis_a.{table}: ") and line.endswith(words) for line in lines), words


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (1, "The shares of an agent's contacts add up to the seconds in which the agent was busy: 1 day"),
        (7_207_200, "Who shares an agent has some of the agent's time, and not all: 1 of 1 rows"),
    ],
)
def test_shares_of_a_day_that_nobody_worked_so_are_named(built: Settings, parts: int, words: str) -> None:
    with database.connect(built) as connection:
        connection.execute(
            "insert into marts_a.fct_leg_shares select 'ghost', work_day_id, agent_id, source, service_date, 10, %s"
            " from marts_a.fct_agent_work_days order by work_day_id limit 1",
            [parts],
        )
    try:
        with pytest.raises(KefuError, match="slot a may not be published") as raised:
            expectations.check_published(built, SLOT)
    finally:
        with database.connect(built) as connection:
            connection.execute("delete from marts_a.fct_leg_shares where leg_id = 'ghost'")
    assert f"  ✗ marts_a.fct_leg_shares: {words}" in str(raised.value).splitlines()


def test_a_failing_rule_leaves_readers_on_the_numbers_they_had(built: Settings) -> None:
    current = control.begin_build(built, SLOT)
    control.mark(built, current, "checked")
    publish.publish(built, SLOT, as_of=current.as_of_at)
    query = "select sum(offered) from kpis.kpi_telephony_hourly"
    with database.connect(built, "analyst") as connection:
        before = connection.execute(query).fetchone()
    following = control.begin_build(built, "b")
    copy_slot(built)
    control.mark(built, following, "built")
    with broken(built, {"kpi_telephony_hourly": "update {} set offered = 70"}, slot="b"):
        with pytest.raises(KefuError, match="kpi_telephony_hourly: Every contact that waited"):
            expectations.check_published(built, "b")
        with pytest.raises(KefuError, match="has not passed its check"):
            publish.publish(built, "b", as_of=following.as_of_at)
    with database.connect(built, "analyst") as connection:
        assert connection.execute(query).fetchone() == before


def test_a_source_whose_past_is_gone_fails_unless_that_is_accepted(built: Settings) -> None:
    current = control.begin_build(built, SLOT)
    control.mark(built, current, "checked")
    with broken(built, {"kpi_tickets_daily": "update {} set tickets_created = 500"}):
        publish.publish(built, current.slot, as_of=current.as_of_at)
        copy_slot(built)
        with broken(built, {"kpi_tickets_daily": "update {} set tickets_created = 440"}, slot="b"):
            with pytest.raises(KefuError, match="No source loses more than 10% of the past that readers see") as raised:
                expectations.check_published(built, "b")
            assert "source = zendesk, seen = 1000, built = 880" in str(raised.value)
            assert expectations.check_published(built, "b", accept_loss=True).warnings
        with broken(built, {"kpi_tickets_daily": "update {} set tickets_created = 460"}, slot="b"):
            assert expectations.check_published(built, "b").ok


def test_without_a_build_there_is_nothing_to_check(new_warehouse: Callable[..., Settings], sources: dict) -> None:
    with pytest.raises(KefuError, match="Nothing has been built"):
        expectations.check_published(new_warehouse(sources=sources), SLOT)


def copy_slot(settings: Settings) -> None:
    """Slot b as if the same had been built there."""
    with database.connect(settings) as connection:
        for layer in ("marts", "kpis"):
            tables = connection.execute(
                "select table_name from information_schema.tables where table_schema = %s", [f"{layer}_a"]
            ).fetchall()
            for (table,) in tables:
                connection.execute(f"drop table if exists {layer}_b.{table} cascade")
                connection.execute(f"create table {layer}_b.{table} as select * from {layer}_a.{table}")


def test_a_number_is_trusted_as_far_as_the_rules_hold_where_it_comes_from(built: Settings) -> None:
    current = control.current_build(built)
    for source in ("zendesk", "asterisk", "qualtrics"):
        expectations.check_raw(built, source)
    expectations.check_published(built, SLOT)
    control.mark(built, current, "checked")
    publish.publish(built, SLOT, as_of=current.as_of_at)
    rows = {row["kpi"]: row for row in trust.trust(built)}
    assert {row["value"] for row in rows.values()} == {1.0} and rows["tickets_created"]["n"] > 40
    whole = rows["tickets_created"]["denominator"]

    with database.connect(built) as connection:
        connection.execute(
            "update control.checks set ok = false where table_name = 'raw_zendesk.tickets' and finding_number ="
            " (select min(finding_number) from control.checks where table_name = 'raw_zendesk.tickets'"
            " and severity = 'critical')"
        )
    (tickets,) = trust.trust(built, ["tickets_created"])
    assert (tickets["numerator"], tickets["denominator"]) == (whole - 3, whole)
    assert tickets["broken"].startswith("raw_zendesk.tickets: ") and tickets["value"] == (whole - 3) / whole
    (calls,) = trust.trust(built, ["service_level"])
    assert calls["value"] == 1.0 and calls["broken"] == ""
    assert trust.trust(built)[0]["value"] == min(row["value"] for row in trust.trust(built)) < 1.0

    with database.connect(built) as connection:  # a table that many numbers are made of
        connection.execute("update control.checks set ok = false where table_name = 'marts_a.fct_contacts'")
    (calls,) = trust.trust(built, ["service_level"])
    assert calls["is_trusted"] is (calls["value"] >= 0.95) and "marts_a.fct_contacts" in calls["broken"]
    (tickets_now,) = trust.trust(built, ["tickets_created"])
    assert tickets_now == tickets

    expectations.check_raw(built, "zendesk")  # looked at again: what the last check found is what counts
    (tickets,) = trust.trust(built, ["tickets_created"])
    assert tickets["value"] == 1.0


def test_trust_knows_what_is_made_of_what_and_not_who_tells_whom(project: Path) -> None:
    made_of = trust.lineage(project)
    assert {"fct_tickets", "fct_ticket_events"} <= made_of["kpi_tickets_daily"]
    assert "fct_contacts" in made_of["kpi_telephony_hourly"]
    assert not any(name.startswith(("fct_ticket", "fct_survey")) for name in made_of["kpi_telephony_hourly"])


def test_nobody_is_trusted_before_anything_is_published(new_warehouse: Callable[..., Settings], sources: dict) -> None:
    settings = new_warehouse(sources=sources)
    publish.prepare(settings)
    with pytest.raises(KefuError, match="Nothing has been published yet"):
        trust.trust(settings)
    with pytest.raises(KefuError, match="no KPI called 'nonsense'"):
        trust.trust(settings, ["nonsense"])

"""Ticket durations, waits, replies and counts: random and hand-written histories through the real models, against a
walk through each history in Python. Business time comes from asking where the wall clock stands (business_oracle).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from business_oracle import OpenTime, Version
from test_business_time import CHICAGO, SAN_FRANCISCO, inserted, zendesk_schedule

from kefu import control, pipeline, transform, warehouse
from kefu.settings import Settings, SourceSettings

pytestmark = pytest.mark.slow

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
BEGIN = int(datetime(2020, 9, 1, tzinfo=UTC).timestamp())
END = int(AS_OF.timestamp())
HOUR, DAY = 3600, 86_400

LUNCH = Version(0, "Europe/Berlin", dict.fromkeys(range(1, 6), ((9 * 60, 12 * 60), (13 * 60, 17 * 60 + 30))))
SCHEDULES = {1: CHICAGO, 2: SAN_FRANCISCO, 3: LUNCH}
OPEN = {number: OpenTime((version,), BEGIN, END) for number, version in SCHEDULES.items()}

PEOPLE = {"customer": (9, "end-user"), "Ann": (1, "agent"), "Bob": (2, "agent"), "Cid": (3, "admin")}
SOLVED = ("solved", "closed")


@dataclass(frozen=True)
class Update:
    """What happened to a ticket at once; empty means unchanged."""

    at: int
    who: str
    comment: str = ""  # public or note
    status: str = ""
    group: str = ""
    assignee: str = ""
    schedule: int = 0


@dataclass(frozen=True)
class Ticket:
    """A history; the first update opens it."""

    number: int
    updates: list[Update] = field(default_factory=list)
    tags: str = "[]"


# --- hand-written ----------------------------------------------------------------------------------------------------

# ticket | moment of 2026, UTC | who | deeds: reply and note are comments. Open time is Chicago's, daily 7:00 to 21:00.
STORIES = """
# 11: opened by an agent, with a message; the customer answers, and gets a reply after an hour
11|03-10 15:00|Ann|new reply group=1 assignee=1
11|03-10 16:00|customer|reply status=open
11|03-10 17:00|Ann|reply status=solved
# 12: a note among colleagues first: the reply is what counts, after two hours
12|03-10 15:00|customer|new reply
12|03-10 15:30|Ann|note group=1 assignee=1 status=open
12|03-10 17:00|Ann|reply status=pending
# 13: a robot first: no human's reply
13|03-10 15:00|customer|new reply
13|03-10 15:01|robot|reply group=1
13|03-10 16:00|Bob|reply status=solved
# 17: solved, "thanks", solved again without a word
17|03-10 15:00|customer|new reply
17|03-10 16:00|Ann|reply status=solved
17|03-10 17:00|customer|reply status=open
17|03-10 17:05|robot|status=solved
# 18: reopened and still open
18|03-10 15:00|customer|new reply
18|03-10 16:00|Ann|reply status=solved
18|03-11 16:00|customer|reply status=open
# 20: handed from one team and agent to another, each of whom replies; three messages in a row are one turn
20|03-10 15:00|customer|new reply group=1
20|03-10 15:10|customer|reply
20|03-10 15:20|customer|reply
20|03-10 15:30|Ann|reply status=pending assignee=1
20|03-10 15:40|customer|reply status=open
20|03-10 15:50|Ann|note group=2 assignee=2
20|03-10 16:10|Bob|reply status=solved
# 23: merged into another
23|03-10 15:00|customer|new reply
23|03-10 16:00|Ann|reply status=closed
# 24: never replied to, and solved all the same; then closed, when no time counts any more
24|03-10 15:00|customer|new reply
24|03-10 16:00|Ann|status=hold
24|03-10 18:00|Ann|status=solved
24|03-14 18:00|robot|status=closed
# 25: untouched
25|03-10 15:00|customer|new reply
# 26: deleted, and back again
26|03-10 15:00|customer|new reply
26|03-10 16:00|Ann|status=deleted
26|03-10 18:00|Ann|status=open
26|03-10 19:00|Ann|reply status=solved
"""


def told() -> list[Ticket]:
    """The hand-written tickets, and golden case 14: another schedule 21 seconds before the reply."""
    tickets: dict[int, Ticket] = {}
    for line in STORIES.strip().splitlines():
        if line.startswith("#"):
            continue
        number, moment, who, deeds = line.split("|")
        at = int(datetime.fromisoformat(f"2026-{moment}+00:00").timestamp())
        known: dict[str, Any] = {}
        for deed in deeds.split():
            word, _, value = deed.partition("=")
            known |= {"reply": {"comment": "public"}, "note": {"comment": "note"}, "new": {"status": "new"}}.get(
                word, {word: value}
            )
        tags = '["closed_by_merge"]' if number == "23" else "[]"
        tickets.setdefault(int(number), Ticket(int(number), tags=tags)).updates.append(Update(at, who, **known))
    created, moved, replied = (
        int(datetime.fromisoformat(f"{text}+00:00").timestamp())
        for text in ("2020-09-29 17:01:38", "2020-09-30 19:01:25", "2020-09-30 19:01:46")
    )
    switched = [
        Update(created, "customer", "public", "new"),
        Update(moved, "robot", schedule=2),
        Update(replied, "Ann", "public", "solved"),
    ]
    return [*tickets.values(), Ticket(14, switched)]


def thrown(chance: random.Random, number: int) -> Ticket:
    """A random ticket: over the changes of clocks in March, with every state, actor and schedule."""
    at = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) + chance.randrange(80 * DAY)
    opener = chance.choice(["customer", "customer", "customer", "Ann"])
    first = Update(at, opener, chance.choice(["public", "public", "note" if opener == "Ann" else "public"]), "new")
    updates = [first]
    for _ in range(chance.randrange(1, 14)):
        at += chance.choice([0, chance.randrange(600), chance.randrange(2 * DAY), chance.randrange(6 * DAY)])
        if at >= END or updates[-1].status == "closed":
            break
        who = chance.choice(["customer", "customer", "Ann", "Bob", "Cid", "robot"])
        comment = chance.choice(["public", "", "note" if who != "customer" else "public", "public"])
        status = chance.choice(["", "", "open", "pending", "hold", "solved", "solved", "new", "closed", "deleted"])
        group, assignee = chance.choice(["", "", "1", "2"]), chance.choice(["", "", "1", "2", "none"])
        schedule = chance.choice([0] * 8 + [1, 2, 3])
        updates.append(Update(at, who, comment, status, group, assignee, schedule))
    return Ticket(number, updates)


def land(connection: psycopg.Connection[Any], tickets: Iterable[Ticket]) -> None:
    """The tickets as raw rows of Zendesk."""
    people = [{"id": n, "name": name, "role": role, "active": True} for name, (n, role) in PEOPLE.items()]
    inserted(connection, "raw_zendesk.users", people)
    inserted(connection, "raw_zendesk.groups", [{"id": n, "name": f"Team {n}"} for n in (1, 2)])
    event_id = 0
    for ticket in tickets:
        row: dict[str, Any] = {"id": ticket.number, "via_channel": "email", "requester_id": 9, "tags": ticket.tags}
        row |= {"created_at": moment(ticket.updates[0].at), "submitter_id": PEOPLE[ticket.updates[0].who][0]}
        for place, update in enumerate(ticket.updates):
            event_id += 1
            who = PEOPLE.get(update.who, (-1,))[0]
            facts: list[dict[str, Any]] = [] if place else [{"field": "created"}]
            if update.comment:
                facts.append({"field": "comment", "is_public": update.comment == "public", "author_id": who})
            for column, value in (("status", update.status), ("group_id", update.group)):
                if value:
                    facts.append({"field": column, "value": value})
                    row[column] = value
            if update.assignee:
                facts.append({"field": "assignee_id", "value": None if update.assignee == "none" else update.assignee})
            if update.schedule:
                facts.append({"field": "schedule_id", "value": str(update.schedule)})
            common = {"event_id": event_id, "ticket_id": ticket.number, "created_at": moment(update.at)}
            common |= {"updater_id": who, "via": "Rule" if who < 0 else "Web form", "event_type": "Change"}
            inserted(
                connection,
                "raw_zendesk.ticket_events",
                [{**common, "child_number": n, **fact} for n, fact in enumerate(facts)],
            )
        inserted(connection, "raw_zendesk.tickets", [{**row, "updated_at": moment(ticket.updates[-1].at)}])


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@pytest.fixture(scope="module")
def tickets() -> list[Ticket]:
    chance = random.Random(20261122)
    return [*told(), *(thrown(chance, 1000 + n) for n in range(400))]


@pytest.fixture(scope="module")
def built(new_warehouse: Callable[..., Settings], tickets: list[Ticket]) -> Settings:
    """The histories in raw, and what dbt makes of them; a file of tickets without schedules beside them."""
    bank = SourceSettings(name="bank", kind="files", options={"mapping": "bank.yml"})
    settings = new_warehouse(teams=(), sources={"bank": bank})
    pipeline.prepare(settings)
    with warehouse.connect(settings, "loader") as connection:
        for number, version in SCHEDULES.items():
            zone = {1: "Central Time (US & Canada)", 2: "Pacific Time (US & Canada)", 3: "Berlin"}[number]
            zendesk_schedule(connection, number, (version,), zone)
        land(connection, tickets)
        whole = {"ticket_id": "f1", "status": "closed", "channel": "web", "_file": "tickets.csv", "_line": 1}
        whole |= {"created_at": moment(END - 3 * DAY), "first_replied_at": moment(END - 2 * DAY)}
        whole |= {"solved_at": moment(END - DAY), "agent_replies": 1}
        inserted(connection, "raw_bank.tickets", [whole])
    control.begin_build(settings, "a", AS_OF)
    select = ["--select", "+fct_fivetran_dbt_zendesk_tickets", "--indirect-selection", "buildable"]
    status, lines = transform.run_dbt(settings, "a", ["build", "--full-refresh", *select, *transform.RESOURCES])
    assert status == 0, "\n".join(lines)
    return settings


def asked(settings: Settings, table: str) -> list[dict[str, Any]]:
    with warehouse.connect(settings, "transformer") as connection:
        cursor = connection.execute(f"select * from marts_a.{table}".encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


@pytest.fixture(scope="module")
def found(built: Settings) -> dict[str, dict[str, Any]]:
    """fct_tickets by ticket."""
    return {row["ticket_id"]: row for row in asked(built, "fct_tickets")}


# --- the same again, in Python ---------------------------------------------------------------------------------------


def business(ticket: Ticket, start: int, end: int) -> int:
    """Open seconds under whatever schedule the ticket had."""
    changes = {update.at: update.schedule for update in ticket.updates if update.schedule}  # the last at an instant
    edges = [(BEGIN, 1), *sorted(changes.items()), (END, 0)]
    return sum(
        OPEN[schedule].between(max(start, since), min(end, until))
        for (since, schedule), (until, _) in pairwise(edges)
        if max(start, since) < min(end, until)
    )


def under_last(ticket: Ticket, start: int, end: int) -> int:
    """Open seconds under the schedule the ticket had at the end."""
    changes = [update.schedule for update in ticket.updates if update.schedule and update.at <= end]
    return OPEN[changes[-1] if changes else 1].between(start, end)


def states(ticket: Ticket) -> list[tuple[str, int, int | None, bool]]:
    """Spells: status, begin, end (None: still), not yet solved before."""
    spells: list[tuple[str, int, bool]] = []
    status, was_solved = "", False
    for update in ticket.updates:
        new = {"hold": "on_hold"}.get(update.status, update.status) or status
        was_solved = was_solved or new in SOLVED
        if new != status:
            spells.append((new, update.at, not was_solved))
        status = new
    ends = [begin for _, begin, _ in spells[1:]]
    return [
        (name, begin, end, early)
        for (name, begin, early), end in zip(spells, [*ends, None], strict=True)
        if name not in ("closed", "deleted")
    ]


def lived(ticket: Ticket) -> dict[str, Any]:
    """What fct_tickets must say."""
    created = ticket.updates[0].at
    status, team, agent = "new", "", ""
    solves: list[tuple[int, int]] = []
    reopens: list[tuple[int, int, int]] = []
    replies: list[tuple[int, Update]] = []
    known: dict[str, Any] = dict.fromkeys(("group_hops", "team_stations", "agent_stations", "reassignments"), 0)
    for n, update in enumerate(ticket.updates):
        new = {"hold": "on_hold"}.get(update.status, update.status) or status
        if new in SOLVED and status not in SOLVED:
            solves.append((n, update.at))
        if status in SOLVED and new not in (*SOLVED, "deleted"):
            reopens.append((n, update.at, solves[-1][1]))
        status = new
        human = update.who not in ("customer", "robot")
        if update.comment == "public" and human and n:
            replies.append((n, update))
        moved = bool(update.group and team and update.group != team)
        known["group_hops"] += moved
        known["team_stations"] += bool(update.group)
        team = update.group or team
        if update.assignee and update.assignee != "none":
            moved |= bool(agent and update.assignee != agent)
            known["agent_stations"] += 1
            agent = update.assignee
        known["reassignments"] += moved

    def counts(n: int, at: int) -> bool:
        again = next(((m, when) for m, when in solves if m > n), None)
        thanked = again and again[1] - at <= DAY and not any(n <= m <= again[0] for m, _ in replies)
        return not thanked

    counted = [(at, undone) for n, at, undone in reopens if counts(n, at)]
    moments = {
        "first_reply": replies[0][1].at if replies else None,
        "first_resolution": solves[0][1] if solves else None,
        "full_resolution": solves[-1][1] if solves and status in SOLVED else None,
    }
    for name, at in moments.items():
        known[f"{name}_seconds"] = None if at is None else at - created
        known[f"{name}_business_seconds"] = None if at is None else business(ticket, created, at)
        known[f"{name}_last_schedule_business_seconds"] = None if at is None else under_last(ticket, created, at)
    over = [(name, begin, end, early) for name, begin, end, early in states(ticket) if end is not None]
    for name, wanted in (
        ("requester_wait", ("new", "open", "on_hold")),
        ("agent_wait", ("pending",)),
        ("agent_work", ("new", "open")),
        ("on_hold", ("on_hold",)),
    ):
        spells = [(begin, end) for one, begin, end, _ in over if one in wanted]
        known[f"{name}_seconds"] = sum(end - begin for begin, end in spells)
        known[f"{name}_business_seconds"] = sum(business(ticket, begin, end) for begin, end in spells)
    early = [(begin, end) for one, begin, end, before in over if one == "pending" and before]
    known["first_agent_wait_seconds"] = sum(end - begin for begin, end in early)
    known["first_agent_wait_business_seconds"] = sum(business(ticket, begin, end) for begin, end in early)
    running = [begin for _, begin, end, _ in states(ticket) if end is None]
    humans = [update for update in ticket.updates if update.who not in ("customer", "robot") and update.comment]
    return known | {
        "status": status,
        "status_since_at": naive(running[0]) if running else None,
        "solves": len(solves),
        "reopen_events": len(reopens),
        "reopens": len(counted),
        "was_reopened_in_window": any(at - undone <= 14 * DAY for at, undone in counted),
        "agent_replies": len(replies),
        "customer_replies": sum(u.who == "customer" and u.comment == "public" for u in ticket.updates[1:]),
        "agent_comments": sum(update.comment == "public" for update in humans),
        "agents_replied": len({update.who for _, update in replies}),
        "agents_commented": len({update.who for update in humans}),
    }


def naive(at: int) -> datetime:
    return moment(at).replace(tzinfo=None)


def turns(ticket: Ticket) -> list[dict[str, Any]]:
    """What fct_ticket_replies must say, turn by turn."""
    made: list[dict[str, Any]] = []
    waiting: list[int] = []
    replied = False
    opened_by_agent = ticket.updates[0].who != "customer"

    def turn(reply: Update | None) -> dict[str, Any]:
        at = reply.at if reply else None
        return {
            "messages": len(waiting),
            "started_at": naive(waiting[0]),
            "last_message_at": naive(waiting[-1]),
            "replied_at": naive(at) if at is not None else None,
            "replier_id": f"zendesk-{PEOPLE[reply.who][0]}" if reply else None,
            "is_first_reply": not replied and not opened_by_agent,
            "reply_seconds": None if at is None else at - waiting[0],
            "reply_business_seconds": None if at is None else business(ticket, waiting[0], at),
            "since_last_message_seconds": None if at is None else at - waiting[-1],
            "since_last_message_business_seconds": None if at is None else business(ticket, waiting[-1], at),
        }

    for n, update in enumerate(ticket.updates):
        if update.comment != "public" or update.who == "robot":
            continue
        if update.who == "customer":
            waiting.append(update.at)
        elif n:
            if waiting:
                made.append(turn(update))
            waiting, replied = [], True
    if waiting:
        made.append(turn(None))
    return made


def test_every_ticket_is_what_a_walk_through_its_history_says(
    tickets: list[Ticket], found: dict[str, dict[str, Any]]
) -> None:
    differing = {}
    for ticket in tickets:
        row, expected = found[f"zendesk-{ticket.number}"], lived(ticket)
        if wrong := {name: (row[name], value) for name, value in expected.items() if row[name] != value}:
            differing[ticket.number] = wrong
    assert differing == {}
    rows = [found[f"zendesk-{ticket.number}"] for ticket in tickets]
    assert (
        sum(row["first_reply_business_seconds"] != row["first_reply_last_schedule_business_seconds"] for row in rows)
        > 20
    )
    assert sum(bool(row["on_hold_business_seconds"]) for row in rows) > 50


def test_every_spell_of_a_status_is_there_and_as_long_as_it_was(built: Settings, tickets: list[Ticket]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(asked(built, "fct_ticket_status_intervals"), key=lambda row: row["sequence"]):
        rows.setdefault(row["ticket_id"], []).append(row)
    for ticket in tickets:
        columns = ("status", "started_at", "ended_at", "is_before_first_solve", "is_running", "duration_seconds")
        spells = [
            (*(row[name] for name in columns), row["duration_business_seconds"])
            for row in rows.get(f"zendesk-{ticket.number}", [])
        ]
        assert spells == [
            (status, naive(begin), None, early, True, None, None)
            if end is None
            else (status, naive(begin), naive(end), early, False, end - begin, business(ticket, begin, end))
            for status, begin, end, early in states(ticket)
        ], ticket.number


def test_every_turn_of_a_customer_is_there_with_its_reply(built: Settings, tickets: list[Ticket]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(asked(built, "fct_ticket_replies"), key=lambda row: row["sequence"]):
        rows.setdefault(row["ticket_id"], []).append(row)
    for ticket in tickets:
        expected = turns(ticket)
        made = rows.get(f"zendesk-{ticket.number}", [])
        assert [{name: row[name] for name in expected[0]} for row in made] == expected if expected else made == []


def test_a_source_that_only_names_moments_has_no_waits_and_without_a_schedule_no_business_time(
    found: dict[str, dict[str, Any]],
) -> None:
    row = found["bank-f1"]
    assert (row["first_reply_seconds"], row["full_resolution_seconds"]) == (DAY, 2 * DAY)
    empty = [name for name in row if name.endswith(("business_seconds", "wait_seconds")) and row[name] is not None]
    assert empty == []
    assert row["customer_replies"] is None


# --- worked out on paper ---------------------------------------------------------------------------------------------


def minutes(settings: Settings) -> dict[str, dict[str, Any]]:
    """The view under the package's names, by ticket."""
    return {row["ticket_id"]: row for row in asked(settings, "fct_fivetran_dbt_zendesk_tickets")}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (11, {"first_reply_seconds": 2 * HOUR, "agent_replies": 1, "agent_comments": 2, "created_by_kind": "agent"}),
        (12, {"first_reply_seconds": 2 * HOUR, "agent_replies": 1, "agents_commented": 1}),
        (13, {"first_reply_seconds": HOUR, "agent_replies": 1, "agents_replied": 1}),
        (14, {"first_reply_business_seconds": 57_608, "first_reply_last_schedule_business_seconds": 41_408}),
        (17, {"reopens": 0, "reopen_events": 1, "solves": 2, "full_resolution_seconds": 2 * HOUR + 300}),
        (18, {"reopens": 1, "reopen_events": 1, "solves": 1, "full_resolution_seconds": None}),
        (20, {"agents_replied": 2, "group_hops": 1, "reassignments": 1, "since_last_message_seconds": 600}),
        (23, {"excluded_reason": "merged", "is_excluded": True}),
        (
            24,
            {"first_replied_at": None, "agent_replies": 0, "requester_wait_seconds": 3 * HOUR, "on_hold_seconds": 7200},
        ),
        (26, {"requester_wait_seconds": 2 * HOUR, "first_resolution_seconds": 4 * HOUR}),
    ],
)
def test_edge_cases_worked_out_on_paper(
    found: dict[str, dict[str, Any]], number: int, expected: dict[str, Any]
) -> None:
    row = found[f"zendesk-{number}"]
    assert {name: row[name] for name in expected} == expected


# --- what fivetran/dbt_zendesk gets wrong, and what we say (docs/decisions.md) ----------------------------------------


def test_a_reopen_that_is_not_solved_again_counts(built: Settings) -> None:
    """Its count_reopens is solves less one: none."""
    row = minutes(built)["zendesk-18"]
    assert (row["count_resolutions"], row["count_reopens"]) == (1, 1)


def test_a_ticket_nobody_replied_to_is_unreplied(found: dict[str, dict[str, Any]]) -> None:
    """Its count asks for fewer than no replies: always none."""
    unreplied = [
        ticket
        for ticket, row in found.items()
        if row["has_reply_record"] and row["created_by_kind"] != "agent" and row["first_replied_at"] is None
    ]
    assert {"zendesk-24", "zendesk-25"} <= set(unreplied)


def test_work_outside_hours_is_no_business_time(found: dict[str, dict[str, Any]], tickets: list[Ticket]) -> None:
    """Its work-time models count calendar minutes there, on Postgres."""
    outside = [
        ticket
        for ticket in tickets
        if lived(ticket)["agent_work_seconds"] > 0 and lived(ticket)["agent_work_business_seconds"] == 0
    ]
    assert len(outside) > 3
    assert {found[f"zendesk-{ticket.number}"]["agent_work_business_seconds"] for ticket in outside} == {0}


def test_a_reply_outside_hours_took_no_business_time_and_is_there(
    built: Settings, found: dict[str, dict[str, Any]]
) -> None:
    """Its promises have no row where not one minute was open between the promise and its end."""
    at_night = [
        ticket
        for ticket, row in found.items()
        if row["first_reply_seconds"] and row["first_reply_business_seconds"] == 0
    ]
    assert at_night
    told_minutes = minutes(built)
    assert {told_minutes[ticket]["first_reply_time_business_minutes"] for ticket in at_night} == {Decimal(0)}


def test_seconds_elapsed_rather_than_minute_boundaries(built: Settings) -> None:
    """From 17:01:38 to 19:01:46 the next day its minutes are 1,560; elapsed are 1,560.1333."""
    row = minutes(built)["zendesk-14"]
    assert row["first_resolution_calendar_minutes"] == Decimal("1560.1333")
    assert row["first_reply_time_business_minutes"] == Decimal("960.1333")


def test_an_open_ticket_is_not_counted_beyond_what_has_been(found: dict[str, dict[str, Any]]) -> None:
    """Its open spells run 1,000 hours past now; ours end where they are known to have ended."""
    row = found["zendesk-25"]
    assert (row["requester_wait_business_seconds"], row["status_since_at"]) == (0, datetime(2026, 3, 10, 15))


def test_building_later_tells_yesterdays_numbers_again(built: Settings, found: dict[str, dict[str, Any]]) -> None:
    """Its columns look at the clock; nothing here does: days later every row is the same."""
    control.begin_build(built, "a", AS_OF + timedelta(days=1))
    select = ["--select", "fct_ticket_status_intervals", "fct_ticket_replies", "fct_tickets"]
    status, lines = transform.run_dbt(built, "a", ["run", "--full-refresh", *select])
    assert status == 0, "\n".join(lines)
    assert {row["ticket_id"]: row for row in asked(built, "fct_tickets")} == found

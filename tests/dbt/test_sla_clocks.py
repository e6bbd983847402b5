"""SLA clocks: the real SQL on a real Postgres against living through each ticket minute by minute, and worked by hand.

The models are built once by dbt from random tickets, policies and schedules; then they are asked as of other times, and
under the other rule for changed targets, by the SQL that dbt compiled of them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from business_oracle import OpenTime, Version
from sla_oracle import METRICS, MINUTE, Clock, State, Ticket, Update, clocks
from test_business_time import inserted, zendesk_schedule

from kefu import control, pipeline, transform, warehouse
from kefu.settings import Settings, load_settings
from kefu.sources import zendesk_policies

pytestmark = pytest.mark.slow

NewWarehouse = Callable[..., Settings]

AS_OF = datetime(2026, 4, 8, 9, 30, tzinfo=UTC)
SOURCE_TIME = {"_loaded_at": datetime(2026, 3, 20, tzinfo=UTC)}
ANN, CUSTOMER = 1, 101
HOUR = 3600


def at(text: str) -> int:
    """``"03-23 10:00"`` of 2026 in Shanghai, as epoch seconds."""
    return int(datetime.fromisoformat(f"2026-{text}+08:00").timestamp())


def utc(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


# --- schedules: Shanghai's weekdays with a lunch break, edited once; Berlin over the change of clocks, a holiday ------

SHANGHAI = (
    Version(0, "Asia/Shanghai", dict.fromkeys(range(1, 6), ((9 * 60, 12 * 60), (13 * 60, 18 * 60)))),
    Version(at("04-01 00:00"), "Asia/Shanghai", dict.fromkeys(range(1, 7), ((10 * 60, 16 * 60),))),
)
BERLIN = (
    Version(
        0,
        "Europe/Berlin",
        {**dict.fromkeys(range(1, 6), ((8 * 60, 20 * 60),)), 7: ((0, 5 * 60),)},
        closed=((date(2026, 4, 3), (0, 1440)),),
    ),
)
SCHEDULES = {1: SHANGHAI, 2: BERLIN}

# --- policies: as the vendor's API has them ---------------------------------------------------------------------------


def policy(number: int, position: int, filters: dict[str, Any], targets: str, **more: Any) -> dict[str, Any]:
    """``targets``: one ``metric priority minutes calendar|business`` a line."""
    lines = [line.split() for line in targets.strip().splitlines()]
    return {
        "id": number,
        "title": f"Policy {number}",
        "position": position,
        "filter": {"all": [], "any": [], **filters},
        "policy_metrics": [
            {"metric": metric, "priority": priority, "target": int(minutes), "business_hours": clock == "business"}
            for metric, priority, minutes, clock in lines
        ],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **more,
    }


def condition(field: str, operator: str, value: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


EVERYBODY = """
first_reply_time normal 60 business
first_reply_time high 30 calendar
next_reply_time normal 90 business
next_reply_time high 45 business
requester_wait_time normal 480 business
requester_wait_time high 300 calendar
agent_work_time normal 240 business
total_resolution_time normal 2880 calendar
total_resolution_time high 720 business
periodic_update_time normal 600 business
pausable_update_time normal 360 calendar
pausable_update_time high 120 business
"""
VIP = """
first_reply_time normal 20 calendar
first_reply_time high 15 calendar
next_reply_time normal 30 calendar
requester_wait_time high 120 business
agent_work_time normal 100 calendar
agent_work_time high 60 calendar
periodic_update_time high 240 calendar
"""
FOR_GROUP = """
first_reply_time low 500 business
first_reply_time normal 40 business
requester_wait_time normal 200 calendar
requester_wait_time low 900 business
total_resolution_time low 4000 business
"""
EDITED = at("04-02 11:00")
GONE = at("04-04 03:00")
FORM = {"all": [condition("ticket_form_id", "is", "7")]}
VIPS = {"all": [condition("current_tags", "includes", "vip gold_card")]}
GROUP = {
    "any": [condition("type", "is", "incident"), condition("group_id", "is", "12")],
    "all": [condition("via", "is_not", "chat")],
}
TASKS = {"all": [condition("type", "is_not", "task")]}
SINCE = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
POLICIES: dict[int, list[State]] = {
    1: [State(SINCE, policy(1, 1, FORM, "first_reply_time normal 1 calendar"))],
    2: [State(SINCE, policy(2, 2, VIPS, VIP)), State(GONE, None)],
    3: [
        State(SINCE, policy(3, 3, GROUP, FOR_GROUP)),
        State(
            EDITED,
            policy(
                3, 5, GROUP, FOR_GROUP.replace("200 calendar", "90 business"),
                updated_at=utc(EDITED).isoformat(),
            ),
        ),
    ],
    4: [
        State(SINCE, policy(4, 4, TASKS, EVERYBODY)),
        State(
            EDITED,
            policy(
                4, 4, TASKS, EVERYBODY.replace("60 business", "25 business"),
                updated_at=utc(EDITED).isoformat(),
            ),
        ),
    ],
}  # fmt: skip


def land_policies(connection: psycopg.Connection[Any]) -> None:
    """What the source leaves in raw of the policies, each state when it came."""
    for number, states in POLICIES.items():
        for place, state in enumerate(states):
            seen = {"_loaded_at": utc(state.since)}
            if state.said is None:
                before = states[place - 1].said
                assert before is not None
                row = {**zendesk_policies.gone(number, before["updated_at"]), "recurrence": 0, **seen}
                inserted(connection, "raw_zendesk.sla_policy_versions", [row])
                continue
            version, targets, conditions = zendesk_policies.opened(state.said)
            inserted(connection, "raw_zendesk.sla_policy_versions", [{**version, "recurrence": 0, **seen}])
            if place == 0 or targets != zendesk_policies.opened(states[0].said or {})[1]:
                inserted(connection, "raw_zendesk.sla_policy_targets", targets)
            conditions = [{key: value for key, value in row.items() if key != "obstacle"} for row in conditions]
            inserted(connection, "raw_zendesk.sla_policy_conditions", conditions)


# --- tickets ----------------------------------------------------------------------------------------------------------


def random_ticket(number: int, chance: random.Random) -> Ticket:
    """A customer, agents and rules at work on a ticket for some days."""
    moment = at("03-25 00:00") + chance.randrange(10 * 1440) * MINUTE
    created = {
        "status": chance.choice(["new", "new", "open", "solved" if chance.random() < 0.1 else "open"]),
        "priority": chance.choice(["low", "normal", "normal", "high", None, None]),
        "type": chance.choice(["question", "incident", "task", "problem"]),
        "group_id": chance.choice([None, "11", "12"]),
        "tags": chance.choice([[], [], ["vip"], ["goldXcard"], ["gold_card", "x"]]),
        "via": chance.choice(["email", "chat"]),
    }
    opener = chance.choice(["customer", "customer", "customer", "agent"])
    updates = [Update(moment, opener, chance.random() < 0.9, created)]
    state = dict(created)
    for _ in range(chance.randrange(12)):
        moment += chance.choice([1, 3, 30, 120, 300, 1440, 2000]) * chance.randrange(1, 3) * MINUTE
        actor = chance.choice(["agent", "agent", "customer", "bot"])
        changes: dict[str, Any] = {}
        if chance.random() < 0.5:
            statuses = ["open", "pending", "hold", "solved", "open", "pending", "closed", "deleted"]
            changes["status"] = chance.choices(statuses, [6, 5, 3, 5, 4, 4, 1, 1])[0]
        if chance.random() < 0.25:
            changes["priority"] = chance.choice(["low", "normal", "high"])
        if chance.random() < 0.2:
            changes["group_id"] = chance.choice(["11", "12"])
        if chance.random() < 0.2:
            changes["type"] = chance.choice(["question", "incident", "task"])
        if chance.random() < 0.2:
            changes["tags"] = chance.choice([[], ["vip", "b"], ["gold_card"]])
        if chance.random() < 0.15:
            changes["schedule_id"] = chance.choice([1, 2])
        changes = {key: value for key, value in changes.items() if state.get(key) != value}
        state |= changes
        message = chance.choice([None, True, True, False])
        if changes or message is not None:
            updates.append(Update(moment, actor, message, changes))
    return Ticket(number, tuple(updates))


def land(connection: psycopg.Connection[Any], tickets: Iterable[Ticket]) -> None:
    """The tickets as the source leaves them in raw."""
    numbers = iter(range(1000, 10_000_000))
    people = {"customer": CUSTOMER, "agent": ANN, "bot": -1}
    tracked = ("status", "priority", "type", "group_id", "assignee_id", "requester_id")
    for ticket in tickets:
        first = ticket.updates[0]
        state: dict[str, Any] = {"tags": []}
        rows = []
        for update in ticket.updates:
            event = {
                "event_id": next(numbers), "ticket_id": ticket.id, "created_at": utc(update.at),
                "updater_id": people[update.actor], "via": "Rule" if update.actor == "bot" else "Web form",
            }  # fmt: skip
            facts: list[dict[str, Any]] = []
            if update is first:
                facts.append({"field": "created", "event_type": "Create"})
                facts += [
                    {"field": name, "value": update.changes.get(name), "event_type": "Create"} for name in tracked
                ]
            else:
                for name, value in update.changes.items():
                    value, before = (_text(each) for each in (value, state.get(name)))
                    facts.append({"field": name, "value": value, "previous_value": before, "event_type": "Change"})
            if update.message is not None:
                facts.append({"field": "comment", "is_public": update.message, "author_id": people[update.actor]})
            rows += [{**event, "child_number": child, **fact} for child, fact in enumerate(facts)]
            state |= update.changes
        inserted(connection, "raw_zendesk.ticket_events", rows)
        inserted(
            connection,
            "raw_zendesk.tickets",
            [
                {
                    "id": ticket.id, "created_at": utc(first.at), "updated_at": utc(ticket.updates[-1].at),
                    "status": state["status"], "priority": state.get("priority"), "type": state.get("type"),
                    "group_id": state.get("group_id"), "requester_id": CUSTOMER, "submitter_id": people[first.actor],
                    "via_channel": state.get("via", "email"), "tags": _text(state["tags"]),
                }
            ],
        )  # fmt: skip


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return "[" + ", ".join(f'"{one}"' for one in value) + "]"
    return None if value is None else str(value)


def story(number: int, lines: str) -> Ticket:
    """One ``moment | who | what`` a line; what: message, note, and field=value."""
    updates = []
    for line in lines.strip().splitlines():
        moment, who, what = (part.strip() for part in line.split("|"))
        words = what.split()
        changes = dict(word.split("=") for word in words if "=" in word)
        message = True if "message" in words else False if "note" in words else None
        updates.append(Update(at(moment), who, message, changes))
    return Ticket(number, tuple(updates))


# 2026-03-23 is a Monday. Everybody, normal: first reply 60 business minutes, requester wait 480, agent work 240.
CUSTOMERS = "customer | message status=new priority=normal type=question"
BY_HAND = [
    # worked on wholly outside hours
    story(
        9001, f"03-27 19:00 | {CUSTOMERS}\n03-28 11:00 | agent | message\n03-28 12:00 | agent | message status=solved"
    ),
    # never touched; AS_OF is Wednesday 04-08 17:30 in Shanghai
    story(9002, f"04-08 15:30 | {CUSTOMERS}"),
    # solved without a reply, with no business minute in between
    story(9003, f"03-24 20:00 | {CUSTOMERS}\n03-24 23:00 | bot | status=solved"),
    # a minute late, and to the second in time
    story(9004, f"03-24 10:00 | {CUSTOMERS}\n03-24 11:01 | agent | message"),
    story(9005, f"03-24 10:00 | {CUSTOMERS}\n03-24 11:00 | agent | message"),
    # answered the next morning before it opens: the last minute of the target was the last one of the day
    story(9006, f"03-24 17:00 | {CUSTOMERS}\n03-25 08:00 | agent | message"),
    # three messages of the customer in one turn, then another turn
    story(
        9007,
        f"03-24 09:00 | {CUSTOMERS}\n03-24 09:10 | agent | message\n03-24 09:20 | customer | message\n"
        "03-24 09:40 | customer | message\n03-24 10:00 | customer | message\n03-24 10:10 | agent | message\n"
        "03-24 10:30 | customer | message\n03-24 10:35 | agent | note\n03-24 10:40 | agent | message",
    ),
    # breached as normal after 60 business minutes, then made high, whose 30 calendar minutes had long passed
    story(9008, f"03-24 10:00 | {CUSTOMERS}\n03-24 11:30 | agent | priority=high\n03-24 11:40 | agent | message"),
    # made high in time as normal, too late as high: 09:00 + 30 calendar minutes had passed at 09:50
    story(9009, f"03-24 09:00 | {CUSTOMERS}\n03-24 09:50 | agent | priority=high\n03-24 09:55 | agent | message"),
    # paused overnight: 60 minutes new, then pending, then 30 minutes open
    story(
        9010,
        f"03-24 10:00 | {CUSTOMERS}\n03-24 11:00 | agent | message status=pending\n"
        "03-25 10:00 | customer | message status=open\n03-25 10:30 | agent | message status=solved",
    ),
    # solved after an hour, reopened after four, solved again after two more hours: one clock, three hours
    story(
        9011,
        f"03-24 09:00 | {CUSTOMERS}\n03-24 10:00 | agent | message status=solved\n"
        "03-24 14:00 | customer | message status=open\n03-24 16:00 | agent | message status=solved",
    ),
    # deleted before anybody replied
    story(9012, f"03-24 10:00 | {CUSTOMERS}\n03-24 10:20 | agent | status=deleted"),
    # opened by an agent: nobody waits for a first reply
    story(
        9013, "03-24 10:00 | agent | message status=open priority=normal type=question\n03-24 15:00 | agent | message"
    ),
    # without a priority nothing is promised; once it has one the clock has run since the creation
    story(
        9014,
        "03-24 10:00 | customer | message status=new type=question\n03-24 11:30 | agent | priority=normal\n"
        "03-24 11:40 | agent | message",
    ),
    # nine business hours without a priority, then pending; normal while pending, whose 480 minutes had passed
    story(
        9015,
        "03-24 09:00 | customer | message status=new type=question\n03-25 10:00 | agent | message status=pending\n"
        "03-25 11:00 | agent | priority=normal\n03-25 12:00 | agent | message status=solved",
    ),
]


# --- a source without policies of its own -----------------------------------------------------------------------------

OURS = """
[[sla_policies]]
id = "loans"
clock = "business"
sources = ["bank"]
teams = ["loans"]
targets = { first_reply = "1h" }
[[sla_policies]]
id = "standard"
clock = "calendar"
channels = ["web"]
targets = { first_reply = { urgent = "30m", any = "2h" }, resolution = "4h" }
[[sla_policies]]
id = "standard"
valid_from = 2026-04-01
clock = "calendar"
channels = ["web"]
targets = { first_reply = "10m" }
"""


def land_files(connection: psycopg.Connection[Any]) -> None:
    """A list of tickets with the moment of the first reply, and one that only counts replies."""
    listed = [
        ("prompt", "web", "Urgent", "loans", "03-24 10:00", "03-24 10:59", "03-24 16:00", 1),
        ("late", "web", "urgent", None, "03-24 10:00", "03-24 10:31", "03-24 13:30", 2),
        ("unknown", "web", "p1", None, "03-24 10:00", None, "03-24 14:00:01", 3),
        ("open", "web", None, None, "04-08 17:00", None, None, 0),
        ("other", "email", None, None, "03-24 10:00", "03-24 11:00", None, 1),
    ]
    names = ("ticket_id", "channel", "priority", "team", "created_at", "first_replied_at", "solved_at", "agent_replies")
    rows = [dict(zip(names, row, strict=True)) for row in listed]
    for line, row in enumerate(rows):
        for name in ("created_at", "first_replied_at", "solved_at"):
            row[name] = utc(at(row[name])) if row[name] else None
        row |= {"status": "solved" if row["solved_at"] else "open", "_file": "t.csv", "_line": line}
    inserted(connection, "raw_bank.tickets", rows)


@dataclass(frozen=True)
class Asked:
    """The clocks and events as of a time and under a rule, by ticket and clock."""

    clocks: dict[tuple[int, str, int], dict[str, Any]]
    of_files: dict[tuple[str, str], dict[str, Any]]
    events: dict[str, list[tuple[str, datetime]]]


@dataclass(frozen=True)
class World:
    """What was built, and how to ask for it at another time."""

    settings: Settings
    tickets: list[Ticket]
    open_time: dict[int, OpenTime]

    def ask(self, as_of: datetime, rebase: str) -> Asked:
        folder = Path(self.settings.home) / "dbt" / "slot_a" / "compiled" / "kefu" / "models"
        clocks_sql, events_sql = (
            (folder / path).read_text(encoding="utf-8")
            for path in ("marts/sla/fct_sla_clocks.sql", "canonical/sla/canonical_sla_events.sql")
        )
        with warehouse.connect(self.settings, "admin") as connection:
            naive = as_of.replace(tzinfo=None)
            connection.execute("update control.build set as_of_at = %s, sla_rebase = %s", [naive, rebase])
            cursor = connection.execute(clocks_sql.encode())
            names = [column.name for column in cursor.description or ()]
            found, of_files = {}, {}
            for row in cursor:
                clock = dict(zip(names, row, strict=True))
                if clock["source"] == "bank":
                    of_files[clock["ticket_id"].removeprefix("bank-"), clock["sla_metric"]] = clock
                    continue
                ticket = int(clock["ticket_id"].removeprefix("zendesk-"))
                found[ticket, clock["sla_metric"], clock["clock_number"]] = clock
            events: dict[str, list[tuple[str, datetime]]] = {}
            query = f"select clock_id, sla_event, occurred_at from ({events_sql}) as e order by clock_id, sequence"
            for clock_id, event, moment in connection.execute(query.encode()):
                if moment <= naive:
                    events.setdefault(clock_id, []).append((event, moment))
            connection.rollback()
        return Asked(found, of_files, events)


@pytest.fixture(scope="module")
def world(new_warehouse: NewWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    chance = random.Random(7)
    tickets = [random_ticket(number, chance) for number in range(1, 201)]
    configuration = tmp_path_factory.mktemp("ours") / "kefu.toml"
    configuration.write_text(
        'reporting_zone = "Asia/Shanghai"\n[sources.bank]\nkind = "files"\nmapping = "bank.yml"\n'
        '[[teams]]\nid = "loans"\nname = { en = "Loans", zh = "贷款组" }\nmembers = { bank = ["loans"] }\n' + OURS,
        encoding="utf-8",
    )
    given = load_settings(configuration)
    made = new_warehouse(teams=given.teams, sources=given.sources, sla_policies=given.sla_policies)
    pipeline.prepare(made)
    with warehouse.connect(made, "loader") as connection:
        users = [{"id": ANN, "role": "agent", "active": True}, {"id": CUSTOMER, "role": "end-user", "active": True}]
        inserted(connection, "raw_zendesk.users", users)
        for number, versions in SCHEDULES.items():
            zendesk_schedule(connection, number, versions)
        land_policies(connection)
        land(connection, [*tickets, *BY_HAND])
        land_files(connection)
    control.begin_build(made, "a", AS_OF)
    select = ["--select", "+path:models/marts/sla", "--indirect-selection", "buildable", *transform.RESOURCES]
    status, lines = transform.run_dbt(made, "a", ["build", "--full-refresh", *select])
    assert status == 0, "\n".join(lines)
    begin, end = at("03-20 00:00"), int(AS_OF.timestamp()) + 61 * 86_400
    yield World(made, tickets, {id_: OpenTime(versions, begin, end) for id_, versions in SCHEDULES.items()})


def instant(epoch: int | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None)


def shown(clock: dict[str, Any]) -> tuple[Any, ...]:
    """What the oracle says too, in its order."""
    names = ("outcome", "target_seconds", "elapsed_seconds", "elapsed_calendar_seconds", "elapsed_business_seconds")
    moments = ("started_at", "breached_at", "finished_at", "over_seconds")
    return (
        *(clock[name] for name in (*names, *moments)),
        clock["due_at"] if clock["outcome"] == "running" else None,
    )


def expected(clock: Clock) -> tuple[Any, ...]:
    return (
        clock.outcome, clock.target, clock.elapsed, clock.calendar, clock.business, instant(clock.started),
        instant(clock.breached_at), instant(clock.finished_at), clock.over, instant(clock.due_at),
    )  # fmt: skip


@pytest.mark.parametrize("rebase", ["start", "change"])
@pytest.mark.parametrize("moment", ["04-08 17:30", "04-02 12:00", "03-29 09:30"])
def test_clocks_are_what_living_through_every_minute_makes_of_them(world: World, moment: str, rebase: str) -> None:
    as_of = at(moment)
    asked = world.ask(utc(as_of), rebase)
    open_minutes: dict[tuple[int, int], bool] = {}

    def is_open(schedule: int, minute: int) -> bool:
        key = schedule, minute
        if key not in open_minutes:
            open_minutes[key] = world.open_time[schedule].between(minute, minute + MINUTE) > 0
        return open_minutes[key]

    right: dict[tuple[int, str, int], tuple[Any, ...]] = {}
    for ticket in world.tickets:
        for clock in clocks(ticket, POLICIES, is_open, as_of, follows=rebase == "change"):
            right[ticket.id, clock.metric, clock.number] = expected(clock)
    found = {key: shown(clock) for key, clock in asked.clocks.items() if key[0] < 9000}
    keys = found.keys() | right.keys()
    wrong = {key: (found.get(key), right.get(key)) for key in keys if found.get(key) != right.get(key)}
    assert wrong == {}, f"{len(wrong)} of {len(right)}: " + "\n".join(map(str, list(wrong.items())[:5]))
    assert len(right) > 150
    assert {"met", "breached", "running", "running_breached"} <= set(Counter(clock[0] for clock in right.values()))
    assert {key[1] for key in right} == set(METRICS)
    # two routes to one number: the events tell the same story
    for clock in asked.clocks.values():
        told = asked.events[clock["clock_id"]]
        assert [m for event, m in told if event == "breached"] == [
            m for m in [clock["breached_at"]] if m is not None
        ], clock
        assert told[0][0] == "applied" and told[0][1] == clock["applied_at"]
        if clock["outcome"] == "met":
            assert told[-1] == ("met", clock["finished_at"])


# --- worked by hand ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_hand(world: World) -> Asked:
    return world.ask(AS_OF, "start")


def test_work_wholly_outside_hours_counts_no_business_time(by_hand: Asked) -> None:
    """The public dbt package counts the calendar minutes as business minutes on Postgres: breached."""
    clock = by_hand.clocks[9001, "agent_work", 1]
    assert (clock["outcome"], clock["elapsed_seconds"], clock["elapsed_calendar_seconds"]) == ("met", 0, 17 * HOUR)


def test_an_untouched_ticket_has_running_clocks_and_says_when_they_breach(by_hand: Asked) -> None:
    """Open from 10:00 to 16:00 since April, as of 17:30: 30 minutes of the afternoon, the others the next morning."""
    clock = by_hand.clocks[9002, "agent_work", 1]
    assert (clock["outcome"], clock["elapsed_seconds"], clock["left_seconds"]) == ("running", 30 * 60, 210 * 60)
    assert clock["due_at"] == instant(at("04-09 13:30"))
    late = by_hand.clocks[9002, "first_reply", 1]
    assert (late["outcome"], late["breached_at"]) == ("running_breached", instant(at("04-08 15:55") + 1))


def test_a_clock_without_a_business_minute_is_there_all_the_same(by_hand: Asked) -> None:
    """The public dbt package has no row for it."""
    clock = by_hand.clocks[9003, "first_reply", 1]
    assert (clock["outcome"], clock["ended_by"], clock["elapsed_seconds"]) == ("met", "solve", 0)


def test_more_than_the_target_is_a_breach_and_exactly_the_target_is_none(by_hand: Asked) -> None:
    late, just = by_hand.clocks[9004, "first_reply", 1], by_hand.clocks[9005, "first_reply", 1]
    assert (late["outcome"], late["elapsed_seconds"], late["over_seconds"]) == ("breached", 3660, 60)
    assert (late["due_at"], late["breached_at"]) == (instant(at("03-24 11:00")), instant(at("03-24 11:00") + 1))
    assert (just["outcome"], just["elapsed_seconds"], just["over_seconds"]) == ("met", 3600, None)


def test_a_target_used_up_at_closing_time_is_kept_until_it_opens(by_hand: Asked) -> None:
    clock = by_hand.clocks[9006, "first_reply", 1]
    assert (clock["outcome"], clock["elapsed_seconds"]) == ("met", 3600)
    assert clock["due_at"] == instant(at("03-24 18:00"))


def test_messages_in_a_row_are_one_turn(by_hand: Asked) -> None:
    turns = [clock for key, clock in by_hand.clocks.items() if key[:2] == (9007, "next_reply")]
    assert sorted(clock["elapsed_seconds"] for clock in turns) == [10 * 60, 50 * 60]


def test_a_target_holds_as_it_was_when_the_clock_started_and_both_are_shown(world: World, by_hand: Asked) -> None:
    """E12. As normal due after 60 business minutes; as high after 30 calendar minutes, which were over already."""
    followed = world.ask(AS_OF, "change")
    after, before = by_hand.clocks[9008, "first_reply", 1], followed.clocks[9008, "first_reply", 1]
    assert (after["outcome"], after["target_seconds"], after["over_seconds"]) == ("breached", 3600, 40 * 60)
    assert after["start_breached_at"] == after["current_breached_at"] == instant(at("03-24 11:00") + 1)
    assert (before["outcome"], before["target_seconds"], before["over_seconds"]) == ("breached", 1800, 70 * 60)
    kept, moved = by_hand.clocks[9009, "first_reply", 1], followed.clocks[9009, "first_reply", 1]
    assert (kept["outcome"], kept["current_breached_at"]) == ("met", instant(at("03-24 09:50")))
    assert (moved["outcome"], moved["breached_at"], moved["start_breached_at"]) == (
        "breached", instant(at("03-24 09:50")), None
    )  # fmt: skip
    assert [event for event, _ in followed.events[moved["clock_id"]]] == ["applied", "rebased", "breached", "finished"]


def test_a_pause_does_not_count(by_hand: Asked) -> None:
    wait = by_hand.clocks[9010, "requester_wait", 1]
    assert (wait["outcome"], wait["elapsed_seconds"], wait["elapsed_calendar_seconds"]) == ("met", 5400, 5400)
    told = [(event, moment) for event, moment in by_hand.events[wait["clock_id"]]]
    assert told == [
        ("applied", instant(at("03-24 10:00"))),
        ("paused", instant(at("03-24 11:00"))),
        ("resumed", instant(at("03-25 10:00"))),
        ("met", instant(at("03-25 10:30"))),
    ]
    assert by_hand.clocks[9010, "resolution", 1]["elapsed_calendar_seconds"] == 24 * HOUR + 1800


def test_after_a_reopen_the_same_clock_goes_on(by_hand: Asked) -> None:
    work = by_hand.clocks[9011, "agent_work", 1]
    assert (work["outcome"], work["elapsed_seconds"]) == ("met", 3 * HOUR)
    assert [event for event, _ in by_hand.events[work["clock_id"]]] == ["applied", "met", "resumed", "met"]


def test_a_deleted_ticket_cancels_its_clocks(by_hand: Asked) -> None:
    clock = by_hand.clocks[9012, "first_reply", 1]
    assert (clock["outcome"], clock["is_excluded"], clock["decided_date"]) == ("cancelled", True, None)
    assert [event for event, _ in by_hand.events[clock["clock_id"]]] == ["applied", "cancelled"]


def test_nobody_waits_for_a_first_reply_to_what_an_agent_opened(by_hand: Asked) -> None:
    assert (9013, "first_reply", 1) not in by_hand.clocks
    update = by_hand.clocks[9013, "periodic_update", 1]
    assert (update["outcome"], update["ended_by"], update["elapsed_seconds"]) == ("met", "reply", 4 * HOUR)


def test_a_promise_made_later_finds_the_clock_running(by_hand: Asked) -> None:
    clock = by_hand.clocks[9014, "first_reply", 1]
    assert (clock["started_at"], clock["applied_at"]) == (instant(at("03-24 10:00")), instant(at("03-24 11:30")))
    assert (clock["outcome"], clock["breached_at"], clock["elapsed_seconds"]) == (
        "breached", instant(at("03-24 11:30")), 100 * 60
    )  # fmt: skip


def test_a_promise_made_to_a_clock_at_rest_may_be_broken_at_once(by_hand: Asked) -> None:
    clock = by_hand.clocks[9015, "requester_wait", 1]
    used = clock["elapsed_seconds"]
    assert (clock["outcome"], clock["target_seconds"], clock["over_seconds"]) == ("breached", 480 * 60, used - 480 * 60)
    assert used > 480 * 60
    assert clock["breached_at"] == clock["applied_at"] == instant(at("03-25 11:00"))
    assert [event for event, _ in by_hand.events[clock["clock_id"]]] == ["applied", "breached", "finished"]


def test_policies_of_the_configuration_hold_for_sources_without_their_own(by_hand: Asked) -> None:
    """Loans have one in business time, and no schedule: every second is open. The rest of the web has another."""
    shown = {
        key: (clock["policy_id"], clock["outcome"], clock["target_seconds"], clock["elapsed_seconds"])
        for key, clock in by_hand.of_files.items()
    }
    assert shown == {
        ("prompt", "first_reply"): ("kefu-loans", "met", 3600, 59 * 60),
        ("late", "first_reply"): ("kefu-standard", "breached", 1800, 31 * 60),
        ("late", "resolution"): ("kefu-standard", "met", 4 * HOUR, 3 * HOUR + 1800),
        # replies are counted, but not when: whether the first was in time nobody knows
        ("unknown", "resolution"): ("kefu-standard", "breached", 4 * HOUR, 4 * HOUR + 1),
        # the version of April
        ("open", "first_reply"): ("kefu-standard", "running_breached", 600, 1800),
    }
    assert all(clock["elapsed_business_seconds"] is None for clock in by_hand.of_files.values())

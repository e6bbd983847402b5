"""What the ticketing system holds after the period, as state for its emulator.

Zendesk's words and numbers for the tickets of `kefu.simulator.tickets`. An object that changes is written once, with
``states``: what is known from which second on. So the emulator can show the account as it was at any instant.

A ticket has two clocks. ``updated_at`` moves with every update that leaves an event; ``generated_timestamp`` also moves
when the system touches the row by itself, a little later, and again when a deleted ticket is scrubbed after 30 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from kefu import zones
from kefu.simulator.chance import Stream
from kefu.simulator.files import write_lines
from kefu.simulator.people import Agent, Customer
from kefu.simulator.tickets import Actor, Audit, Ticket
from kefu.simulator.world import DAY, TEAMS, Team, World, iso

STEP = 128  # Zendesk's ids are large and not dense
GROUPS, AGENTS, CUSTOMERS, EVENTS, RATINGS = (base * 10**12 for base in (5, 6, 7, 8, 9))
BRAND, FORM, SCHEDULE, POLICY, TRIGGER, AUTOMATION = (4 * 10**12 + STEP * place for place in range(1, 7))
LONG_SCHEDULE = SCHEDULE + STEP * 50
KEY_POLICY, PUBLIC_POLICY = (POLICY + STEP * place for place in (101, 102))
ADMIN = AGENTS
CUSTOM_STATUS = {
    word: 4 * 10**12 + STEP * (20 + place)
    for place, word in enumerate(("new", "open", "pending", "hold", "solved", "closed", "deleted"))
}
SYSTEM_USER = -1
SCRUBBED_AFTER = 30 * DAY

VIA = {
    "email": "Mail",
    "web": "Web form",
    "chat": "Chat",
    "agent": "Web form",
    "rule": "Rule",
    "merge": "Merge",
}
FIELD = {"team": "group_id", "agent": "assignee_id", "customer": "requester_id", "satisfaction": "satisfaction_score"}
# What is promised: minutes by priority from urgent to low, of business or of calendar time.
PROMISES = (
    ("first_reply_time", True, (30, 60, 120, 240)),
    ("next_reply_time", True, (60, 120, 240, 480)),
    ("requester_wait_time", True, (240, 480, 960, 1920)),
    ("agent_work_time", False, (480, 1440, 2880, 4320)),
    ("total_resolution_time", False, (1440, 2880, 5760, 10080)),
    ("periodic_update_time", True, (480, 960, 1440, 1920)),
    ("pausable_update_time", True, (240, 480, 960, 1440)),
)
# The centre is closed on these days of every year, first and last: month and day.
HOLIDAYS = (
    ("New Year", (1, 1), (1, 2)),
    ("Winter break", (2, 16), (2, 18)),
    ("Spring day", (4, 5), (4, 5)),
    ("Labour Day", (5, 1), (5, 3)),
    ("Midsummer", (6, 21), (6, 21)),
    ("Anniversary", (8, 8), (8, 8)),
    ("National Day", (10, 1), (10, 3)),
    ("Autumn break", (11, 11), (11, 11)),
)


def write(world: World, agents: list[Agent], tickets: list[Ticket], directory: Path) -> dict[str, int]:
    """Write the account's state; returns rows by file. Only who has a ticket is a user there."""
    customers = {ticket.customer.number: (ticket.customer, ticket.created_at) for ticket in reversed(tickets)}
    return {
        "groups": write_lines(directory / "groups.jsonl", (_group(world, team) for team in TEAMS)),
        "users": write_lines(directory / "users.jsonl", _users(world, agents, customers)),
        "tickets": write_lines(directory / "tickets.jsonl", (_ticket(world, ticket) for ticket in tickets)),
        "ticket_events": write_lines(directory / "ticket_events.jsonl", _events(tickets)),
        "satisfaction_ratings": write_lines(
            directory / "satisfaction_ratings.jsonl", _ratings(ticket for ticket in tickets if ticket.rating)
        ),
        "schedules": write_lines(directory / "schedules.jsonl", _schedules(world)),
        "schedule_holidays": write_lines(directory / "schedule_holidays.jsonl", _holidays(world)),
        "sla_policies": write_lines(directory / "sla_policies.jsonl", _policies(world)),
        "deleted_tickets": write_lines(directory / "deleted_tickets.jsonl", _deleted(tickets)),
    }


def rails_zone(zone: str) -> str:
    """The vendor's own name of a time zone, which is not the IANA one."""
    named = [name for name, place in zones.RAILS.items() if place == zone]
    city = zone.rsplit("/", 1)[-1].replace("_", " ")
    return city if city in named else next(iter(named), zone)


def group_id(team: Team) -> int:
    """The id of a team's group."""
    return GROUPS + STEP * (TEAMS.index(team) + 1)


def schedule_id(team: Team | None) -> int:
    """The schedule a trigger gives to the tickets of a team: key accounts are served longer."""
    return LONG_SCHEDULE if team is TEAMS[-1] else SCHEDULE


def user_id(person: Customer | Agent) -> int:
    """The id of a person's user."""
    return (AGENTS if isinstance(person, Agent) else CUSTOMERS) + STEP * person.number


def _group(world: World, team: Team) -> dict[str, Any]:
    founded = iso(world.begins - 400 * DAY)
    return {
        "id": group_id(team),
        "name": team.group,
        "description": team.zh,
        "default": team is TEAMS[0],
        "is_public": True,
        "deleted": False,
        "created_at": founded,
        "updated_at": founded,
    }


def _users(world: World, agents: list[Agent], customers: dict[int, tuple[Customer, int]]) -> Iterator[dict[str, Any]]:
    founded = world.begins - 400 * DAY
    zone = {"time_zone": rails_zone(world.zone), "iana_time_zone": world.zone}
    yield {
        "id": ADMIN, "name": "Service desk", "email": "admin@centre.example", "phone": None, "role": "admin",
        "external_id": None, "default_group_id": group_id(TEAMS[0]), "locale": "en-US", **zone, "active": True,
        "suspended": False, "created_at": iso(founded), "states": [[founded, {}]],
    }  # fmt: skip
    for agent in agents:
        states: list[list[Any]] = [[founded + agent.number, {}]]
        if agent.leaves:
            states.append([world.epoch(agent.leaves, 9), {"active": False}])
        mailbox = agent.name.lower().replace(" ", ".")
        yield {
            "id": user_id(agent), "name": agent.name, "email": f"{mailbox}@centre.example", "phone": None,
            "role": "agent", "external_id": f"A{agent.number:03d}", "default_group_id": group_id(agent.team),
            "locale": "zh-CN", **zone, "active": True, "suspended": False, "created_at": iso(founded), "states": states,
        }  # fmt: skip
    for customer, since in sorted(customers.values(), key=lambda known: known[0].number):
        yield {
            "id": user_id(customer), "name": customer.name, "email": customer.email, "phone": customer.phone,
            "role": "end-user", "external_id": customer.reference, "default_group_id": None, "locale": "zh-CN",
            **zone, "active": True, "suspended": False, "created_at": iso(since), "states": [[since, {}]],
        }  # fmt: skip


def _ticket(world: World, ticket: Ticket) -> dict[str, Any]:
    stream = Stream(world.seed, "row", ticket.number)
    states: list[list[Any]] = []
    seen = 0
    for audit in ticket.audits:
        seen = max(seen, audit.at + stream.weighted(((0, 0.6), (1, 0.3), (3, 0.1))))
        changes: dict[str, Any] = {}
        for change in audit.changes:
            if change.field in ("customer", "subject"):
                continue
            field, value = _value(change.field, change.new)
            changes[field] = value
        states.append([seen, {"updated_at": iso(audit.at), **changes}])
        if stream.chance(0.25) and seen + 900 < world.ends:
            seen += stream.whole(5, 900)
            states.append([seen, {}])
        if changes.get("status") == "deleted" and audit.at + SCRUBBED_AFTER < world.ends:
            states.append([audit.at + SCRUBBED_AFTER, {"subject": "SCRUBBED", "description": "SCRUBBED"}])
    first = ticket.audits[0].comment
    return {
        "id": ticket.id,
        "created_at": iso(ticket.created_at),
        "requester_id": user_id(ticket.customer),
        "submitter_id": _actor(ticket.creator),
        "via": _ticket_via(ticket),
        "subject": ticket.subject,
        "description": first.text if first else "",
        "is_public": bool(first and first.public),
        "external_id": ticket.call_id,
        "states": _in_order(states),
    }


def _in_order(states: list[list[Any]]) -> list[list[Any]]:
    """A system touch may come after the next update's second; the row's clock never goes back."""
    latest = 0
    for state in states:
        latest = state[0] = max(latest, state[0])
    return states


def _ticket_via(ticket: Ticket) -> dict[str, Any]:
    source: dict[str, Any] = {"from": {}, "to": {}, "rel": None}
    if ticket.channel == "email":
        source["from"] = {"address": ticket.customer.email, "name": ticket.customer.name}
        source["to"] = {"address": "help@centre.example", "name": "Service centre"}
    if ticket.follow_up_of is not None:
        source["from"]["ticket_id"] = ticket.follow_up_of
        source["rel"] = "follow_up"
    return {"channel": ticket.channel, "source": source}


def _events(tickets: list[Ticket]) -> Iterator[dict[str, Any]]:
    """Every update in the order in which it happened, with the events in it."""
    updates = sorted(
        ((audit, ticket) for ticket in tickets for audit in ticket.audits), key=lambda update: update[0].number
    )
    ids = count(EVENTS + STEP, STEP)
    for audit, ticket in updates:
        yield {
            "id": next(ids),
            "ticket_id": ticket.id,
            "timestamp": audit.at,
            "updater_id": _actor(audit.actor),
            "via": VIA[audit.how],
            "children": [{"id": next(ids), **child} for child in _children(audit)],
        }


def _children(audit: Audit) -> Iterator[dict[str, Any]]:
    if audit.comment is not None:
        yield {
            "kind": "Comment",
            "author_id": _actor(audit.comment.author),
            "public": audit.comment.public,
            "body": audit.comment.text,
            "channel": _channel(audit),
        }
    yield from _other_schedule(audit)
    known: dict[str, Any] = {}  # a trigger changes what the same update has just set
    for change in audit.changes:
        field, value = _value(change.field, change.new)
        previous = known.get(field, _value(change.field, change.old)[1])
        known[field] = value
        if audit.created and not change.by_rule:
            yield {"kind": "Create", "field": field, "value": value}
        elif field == "tags":
            added = [tag for tag in value if tag not in previous]
            yield {"kind": "Change", "field": field, "value": value, "added": added, "removed": []}
        else:
            yield {"kind": "Change", "field": field, "value": value, "previous": previous, "rule": change.by_rule}
    if audit.created and audit.actor.kind == "customer":
        yield {"kind": "Notification"}


def _other_schedule(audit: Audit) -> Iterator[dict[str, Any]]:
    """What the trigger for schedules does when a ticket changes to or from the key accounts."""
    moves = [change for change in audit.changes if change.field == "team"]
    if moves:
        before, after = schedule_id(moves[0].old), schedule_id(moves[-1].new)
        if before != after:
            previous = None if audit.created else before  # the default schedule is nobody's doing
            yield {"kind": "ScheduleAssignment", "value": after, "previous": previous, "rule": True}


def _value(field: str, value: Any) -> tuple[str, Any]:
    """A field and its value in the vendor's words."""
    name = FIELD.get(field, field)
    if isinstance(value, Team):
        return name, group_id(value)
    if isinstance(value, Agent | Customer):
        return name, user_id(value)
    if field == "status" and value == "on_hold":
        return name, "hold"
    if field == "tags":
        return name, list(value)
    return name, value


def _actor(actor: Actor) -> int:
    return SYSTEM_USER if actor.person is None else user_id(actor.person)


def _channel(audit: Audit) -> str:
    return {"agent": "web", "merge": "web"}.get(audit.how, audit.how)


def _ratings(tickets: Iterator[Ticket]) -> Iterator[dict[str, Any]]:
    asked = sorted(tickets, key=lambda ticket: (ticket.rating.offered_at if ticket.rating else 0, ticket.number))
    for place, ticket in enumerate(asked, start=1):
        rating = ticket.rating
        assert rating is not None
        states: list[list[Any]] = [
            [
                rating.offered_at,
                {"score": "offered", "assignee_id": _id(rating.agent), "group_id": _id(rating.team)},
            ]
        ]
        for score in rating.scores:
            states.append(
                [
                    score.at,
                    {
                        "score": score.score,
                        "comment": score.comment,
                        "reason": score.reason,
                        "assignee_id": _id(score.agent),
                        "group_id": _id(score.team),
                    },
                ]
            )
        yield {
            "id": RATINGS + STEP * place,
            "ticket_id": ticket.id,
            "requester_id": user_id(ticket.customer),
            "created_at": iso(rating.offered_at),
            "states": states,
        }


def _id(thing: Agent | Team | None) -> int | None:
    if thing is None:
        return None
    return group_id(thing) if isinstance(thing, Team) else user_id(thing)


def _schedules(world: World) -> Iterator[dict[str, Any]]:
    founded = iso(world.begins - 400 * DAY)
    zone = {"time_zone": rails_zone(world.zone), "iana_time_zone": world.zone}

    def week(hours: dict[int, tuple[tuple[int, int], ...]]) -> list[dict[str, int]]:
        return [
            {"start_time": day * 1440 + begin * 60, "end_time": day * 1440 + end * 60}
            for day, spans in sorted(hours.items())
            for begin, end in spans
        ]

    weekend, long = ((10, 17),), ((8, 22),)
    office = dict.fromkeys(range(1, 6), ((9, 12), (13, 18)))  # a break for lunch
    yield {
        "id": SCHEDULE, "name": "Service hours", **zone, "created_at": founded, "updated_at": founded,
        "intervals": week({0: weekend, **office, 6: weekend}),
    }  # fmt: skip
    yield {
        "id": LONG_SCHEDULE, "name": "Telephone hours", **zone, "created_at": founded, "updated_at": founded,
        "intervals": week(dict.fromkeys(range(7), long)),
    }  # fmt: skip


def _holidays(world: World) -> Iterator[dict[str, Any]]:
    """The holidays of the service hours; the telephone knows none."""
    ids = count(SCHEDULE + STEP * 1000, STEP)
    for year in range(world.start.year, world.end.year + 2):
        for name, first, last in HOLIDAYS:
            yield {
                "id": next(ids), "schedule_id": SCHEDULE, "name": f"{name} {year}",
                "start_date": date(year, *first).isoformat(), "end_date": date(year, *last).isoformat(),
            }  # fmt: skip


def _policies(world: World) -> Iterator[dict[str, Any]]:
    founded = iso(world.begins - 400 * DAY)

    def metrics(factor: int) -> list[dict[str, Any]]:
        return [
            {"priority": priority, "metric": metric, "target": target * factor, "business_hours": business}
            for metric, business, targets in PROMISES
            for priority, target in zip(("urgent", "high", "normal", "low"), targets, strict=True)
        ]

    key = group_id(TEAMS[-1])
    filters: tuple[tuple[int, str, list[dict[str, Any]], int], ...] = (
        (KEY_POLICY, "Key accounts", [{"field": "group_id", "operator": "is", "value": str(key)}], 1),
        (PUBLIC_POLICY, "Everybody", [{"field": "type", "operator": "is_not", "value": "task"}], 2),
    )
    for position, (number, title, conditions, factor) in enumerate(filters, start=1):
        yield {
            "id": number,
            "title": title,
            "description": f"{title}: reply and waiting time by priority",
            "position": position,
            "filter": {"all": conditions, "any": []},
            "policy_metrics": metrics(factor),
            "created_at": founded,
            "updated_at": founded,
        }


def _deleted(tickets: list[Ticket]) -> Iterator[dict[str, Any]]:
    for ticket in tickets:
        for audit in ticket.audits:
            for change in audit.changes:
                if change.field == "status" and change.new == "deleted":
                    yield {
                        "id": ticket.id,
                        "subject": ticket.subject,
                        "actor_id": _actor(audit.actor),
                        "actor": audit.actor.person.name if audit.actor.person else "Zendesk",
                        "deleted_at": audit.at,
                        "previous_state": "hold" if change.old == "on_hold" else change.old,
                    }

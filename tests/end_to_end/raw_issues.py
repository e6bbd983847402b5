"""Issues from raw rows: who called and wrote, by which number and account, stitched by tests/dbt/stitching.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.dbt import stitching
from tests.dbt.stitching import Contact, People, Version
from tests.end_to_end.centre_truth import _life, issue_rows, of_contact

if TYPE_CHECKING:
    from tests.end_to_end.raw_facts import Centre, Raw

Row = dict[str, Any]
EVER, FOR_EVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# what the log says of the queue itself and of who works in it
NO_CALL = {
    "ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE", "PAUSEALL", "UNPAUSEALL", "PENALTY", "RINGPENALTY", "QUEUESTART",
    "CONFIGRELOAD",
}  # fmt: skip


def issues(contacts: list[Contact], said: dict[str, tuple[Any, bool]], centre: Centre) -> Iterator[Row]:
    """Issues, by the day of their first contact, and what customers said of them."""
    return issue_rows(
        contacts, lambda text: centre.day(datetime.fromisoformat(text)), centre.as_of, said, centre.parameters
    )


def linkable(contacts: list[Contact], voiced: set[str], centre: Centre) -> Iterator[Row]:
    """What customers did, whether it is known which customer did it, and whether they said anything of it."""
    for contact in contacts:
        if contact.is_contact:
            place = of_contact(contact, lambda text: centre.day(datetime.fromisoformat(text)))
            yield {**place, "linked": contact.customer is not None, "voiced": contact.id in voiced}


def people(raw: Raw, centre: Centre) -> People:
    """Who shows which number, address and account: end users of the ticketing system, and exported lists."""
    versions = [
        Version(
            ("account", f"zendesk-{user['id']}"),
            EVER,
            FOR_EVER,
            ("reference", user["external_id"]) if user["external_id"] else None,
            stitching.email(user["email"]),
            stitching.phone(user["phone"]),
        )
        for user in raw.get("zendesk", {}).get("users", [])
        if (user["role"] or "end-user") == "end-user"
    ]
    for source, tables in raw.items():
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in tables.get("customers", []):
            rows[row["customer"]].append(row)
        for name, states in rows.items():
            states.sort(key=lambda row: row["valid_from"])
            ends = [*(following["valid_from"] for _, following in pairwise(states)), FOR_EVER]
            for number, (row, until) in enumerate(zip(states, ends, strict=True)):
                versions.append(
                    Version(
                        ("account", f"{source}-{name}"),
                        row["valid_from"] if number else EVER,
                        until,
                        ("reference", row["reference"]) if row["reference"] else None,
                        stitching.email(row["email"]),
                        stitching.phone(row["phone"]),
                    )
                )
    return People(versions, float(centre.parameters.customer_match_confidence))


def contacts(raw: Raw, tickets: list[Row], centre: Centre) -> list[Contact]:
    """Calls and tickets, with what each refers to."""
    known = people(raw, centre)
    made = {
        one.id: one
        for one in (
            *_logged(raw, known, centre),
            *_exported(raw, known, centre),
            *_tickets(tickets, known, centre),
        )
    }
    for ticket in sorted(tickets, key=lambda one: str(one["id"]), reverse=True):  # of several the first in order holds
        note = made.get(f"ticket-zendesk-{ticket['id']}")
        for call in made.values():
            is_named = bool(ticket["call_id"]) and call.id == f"call-{call.source}-{ticket['call_id']}"
            if note and is_named and timedelta() <= note.started - call.started < timedelta(days=1, seconds=1):
                call.hangs_on = note.id
    return list(made.values())


def _logged(raw: Raw, known: People, centre: Centre) -> Iterator[Contact]:
    calls: dict[str, list[Row]] = defaultdict(list)
    for line in raw.get("asterisk", {}).get("queue_log", []):
        if line["callid"] not in (None, "NONE") and line["occurred_at"] <= centre.as_of:
            calls[line["callid"]].append(line)
    for name, lines in calls.items():
        lines.sort(key=lambda line: (line["occurred_at"], line["file_id"], line["byte_offset"]))
        if all(line["event"] in NO_CALL for line in lines):
            continue
        entered = [line for line in lines if line["event"] == "ENTERQUEUE"]
        number = next((stitching.phone(line["data2"]) for line in entered if line["data2"]), None)
        started, queue = lines[0]["occurred_at"], (entered or lines)[0]["queue"]
        events = {line["event"] for line in lines}
        who, sure = known.customer(number, started) if number else (None, 0.0)
        yield Contact(
            f"call-asterisk-{name}",
            who,
            sure,
            centre.team("asterisk", queue),
            "voice",
            started,
            lines[-1]["occurred_at"],
            "asterisk",
            f"asterisk-{queue}",
            is_human="CONNECT" in events,
            transferred=any("TRANSFER" in event for event in events),
        )


def _exported(raw: Raw, known: People, centre: Centre) -> Iterator[Contact]:
    queued = ("answered", "abandoned", "callback_requested", "voicemail", "overflowed", "closed")
    for source, tables in raw.items():
        for call in tables.get("calls", []):
            if call["direction"] == "internal" or call["started_at"] > centre.as_of:
                continue
            who, sure = None, 0.0
            if call["customer"]:
                who, sure = known.customer(("account", f"{source}-{call['customer']}"), call["started_at"])
            is_queued = call["direction"] == "inbound" and call["outcome"] in queued
            yield Contact(
                f"call-{source}-{call['call_id']}",
                who,
                sure,
                centre.team(source, call["team"] or call["queue"]),
                call["channel"],
                call["started_at"],
                call["ended_at"] or call["started_at"],
                source,
                f"{source}-{call['queue']}" if is_queued and call["queue"] else "none",
                is_contact=call["direction"] == "inbound",
                is_human=call["outcome"] == "answered",
                transferred=bool(call["transfers"]),
            )


def _tickets(tickets: list[Row], known: People, centre: Centre) -> Iterator[Contact]:
    for ticket in tickets:
        if ticket["excluded"] not in (None, "merged"):
            continue
        life = _life(ticket, {}, centre.parameters)
        solved, created = life["last_solved_at"], datetime.fromisoformat(ticket["created_at"])
        ended = datetime.fromisoformat(solved) if solved else created if ticket["excluded"] else None
        who, sure = known.customer(("account", f"zendesk-{ticket['requester']}"), created)
        yield Contact(
            f"ticket-zendesk-{ticket['id']}",
            who,
            sure,
            ticket["team"],
            ticket["channel"],
            created,
            ended,
            "zendesk",
            is_contact=ticket["created_by"] != "agent",
            is_human=life["replies"] > 0,
            transferred=life["moves"] > 0,
            reopened=life["reopened"],
            is_open=not solved and not ticket["excluded"],
            solved=bool(solved),
            hangs_on=f"ticket-zendesk-{ticket['follow_up_of']}" if ticket["follow_up_of"] else None,
        )

"""Tickets from raw Zendesk rows, told as the simulator's truth tells of its own, and the schedules they ran under.

Plain Python over the account's tables; centre_truth walks through what comes out.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from kefu.settings import Parameters
from tests.dbt.business_oracle import Minutes, OpenTime, Version
from tests.end_to_end import reconciled
from tests.end_to_end.centre_truth import _life, _piles, ticket_frames

if TYPE_CHECKING:
    import pandas as pd

    from tests.end_to_end.raw_facts import Centre, Raw

Row = dict[str, Any]
CHANNELS = {
    "email": "email", "mail": "email", "web": "web", "web form": "web", "chat": "chat", "voice": "voice",
    "phone": "voice", "sms": "sms", "api": "api", "letter": "letter",
}  # fmt: skip
AUTOMATIC = ("rule", "trigger", "automation", "macro rule")
STAFF = ("agent", "admin")
LEFT_OUT = {"closed_by_merge": "merged", "spam": "spam", "test": "test"}


def channel(word: str | None) -> str:
    """What the vendor calls a channel, in our words."""
    return CHANNELS.get((word or "other").lower(), "other")


# --- who was what ----------------------------------------------------------------------------------------------------


class Roles:
    """What a user was at a time: a role holds from the update that made it on, the first one known since ever."""

    def __init__(self, desk: Mapping[str, list[Row]]) -> None:
        """Read what is known of users, as they are and as they were."""
        self._known: dict[int, dict[float, str]] = defaultdict(dict)
        for user in (*desk.get("users", []), *desk.get("user_versions", [])):
            since = user["updated_at"].timestamp() if user["updated_at"] else -math.inf
            self._known[user["id"]][since] = user["role"]

    def kind(self, user: int | None, at: datetime) -> str:
        """agent, customer, or system where nobody knows the user."""
        if user not in self._known:
            return "system"
        versions = sorted(self._known[user].items())
        role = [role for number, (since, role) in enumerate(versions) if number == 0 or since <= at.timestamp()][-1]
        return "agent" if role in STAFF else "customer"


# --- tickets ---------------------------------------------------------------------------------------------------------


def tickets(raw: Raw, centre: Centre) -> list[Row]:
    """The account's tickets, each with its updates in order; `excluded` says why one is left out."""
    desk = raw.get("zendesk", {})
    roles, default = Roles(desk), default_schedule(desk)
    groups = {str(group["id"]): group["name"] for group in desk.get("groups", [])}
    events: dict[int, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(desk.get("ticket_events", []), key=lambda row: (row["event_id"], row["child_number"])):
        if row["created_at"] <= centre.as_of:
            events[row["ticket_id"]][row["event_id"]].append(row)

    def team(group: str | None) -> str | None:
        return centre.team("zendesk", groups.get(group), group) if group else None

    made = []
    for ticket in desk.get("tickets", []):
        if ticket["created_at"] > centre.as_of:
            continue
        tags = json.loads(ticket["tags"]) if isinstance(ticket["tags"], str) else ticket["tags"] or []
        left_out = [why for tag, why in LEFT_OUT.items() if tag in tags]
        created = ticket["created_at"].isoformat()
        told: Row = {
            "id": ticket["id"],
            "requester": ticket["requester_id"],
            "channel": channel(ticket["via_channel"]),
            "priority": ticket["priority"],
            "team": team(str(ticket["group_id"]) if ticket["group_id"] else None) or "none",
            "call_id": ticket["external_id"],
            "follow_up_of": ticket["follow_up_of"],
            "created_at": created,
            "created_by": roles.kind(ticket["submitter_id"], ticket["created_at"]),
            "excluded": "deleted" if ticket["status"] == "deleted" else next(iter(left_out), None),
            "row": ticket,
            "updates": [],
            **{name: [] for name in ("statuses", "teams", "agents", "priorities", "comments", "solved")},
            "schedules": [{"n": 0, "at": created, "value": default}],
        }
        status = "new"
        for number, rows in enumerate(events[ticket["id"]].values(), start=1):
            update = _update(number, rows, roles, team)
            told["updates"].append(update)
            common = {"n": number, "at": update["at"]}
            for field, name in (("status", "statuses"), ("assignee_id", "agents"), ("priority", "priorities")):
                if field in update["set"]:
                    told[name].append({**common, "value": update["set"][field]})
            if "group_id" in update["set"]:
                told["teams"].append({**common, "value": update["team"]})
            if "schedule_id" in update["set"]:
                schedule = update["set"]["schedule_id"]
                told["schedules"].append({**common, "value": int(schedule) if schedule else default})
            if "comment" in update:
                told["comments"].append({**common, "public": update["comment"], "by": update["by"]})
            was, status = status, update["set"].get("status") or status
            if status in ("solved", "closed") and was not in ("solved", "closed"):
                told["solved"].append({**common, "by": update["by"]})
        made.append(told)
    return made


def _update(number: int, rows: list[Row], roles: Roles, team: Callable[[str | None], str | None]) -> Row:
    """One update of a ticket: who made it, and what every field was set to (last, if more than once)."""
    last = {row["field"]: row for row in rows}
    at: datetime = rows[0]["created_at"]
    author = last["comment"]["author_id"] if "comment" in last else None
    actor = rows[0]["updater_id"] if author is None else author
    is_bot = (rows[0]["updater_id"] or 0) < 0 or any((row["via"] or "").lower() in AUTOMATIC for row in rows)
    update: Row = {
        "n": number,
        "at": at.isoformat(),
        "set": {field: row["value"] or None for field, row in last.items() if field not in ("comment", "created")},
        "was": {row["field"]: row["previous_value"] or None for row in reversed(rows)},
        "by": {"kind": "bot" if is_bot else roles.kind(actor, at), "name": f"zendesk-{actor}"},
    }
    if update["set"].get("status") == "hold":
        update["set"]["status"] = "on_hold"
    if "comment" in last:
        update["comment"] = bool(last["comment"]["is_public"])
    if "group_id" in update["set"]:
        update["team"] = team(update["set"]["group_id"])
    return update


def lives(made: list[Row], hours: Mapping[int | None, OpenTime], rules: Parameters) -> list[Row]:
    """The tickets that count, lived through."""
    return [
        {**_life(ticket, {}, rules), "business": business(ticket, hours)} for ticket in made if not ticket["excluded"]
    ]


def frames(made: list[Row], hours: Mapping[int | None, OpenTime], centre: Centre) -> dict[str, pd.DataFrame]:
    """The frames of `Facts` that tell of tickets; backlog up to the last day on which any ticket changed."""

    def day(text: str) -> date:
        return centre.day(datetime.fromisoformat(text))

    counted = lives(made, hours, centre.parameters)
    changed = [day(update["at"]) for ticket in made for update in ticket["updates"]]
    piles = list(_piles(counted, day, max(changed), centre.parameters)) if changed else []
    return ticket_frames(counted, day, piles, centre.first_level, centre.outside)


def figures(made: list[Row], hours: Mapping[int | None, OpenTime], centre: Centre) -> Iterator[Row]:
    """The vendor's figures against ours."""

    def day(text: str) -> date:
        return centre.day(datetime.fromisoformat(text))

    told = []
    for ticket in made:
        row = ticket["row"]
        metrics = reconciled.metric_set(row["metric_set"])
        if metrics is not None:
            generated = row["generated_timestamp"]
            told_at = datetime.fromtimestamp(generated, UTC) if generated else row["updated_at"]
            life = {**_life(ticket, {}, centre.parameters), "business": business(ticket, hours)}
            told.append(reconciled.Told(ticket, life, metrics, told_at))
    return reconciled.rows(told, hours, day, centre.as_of)


# --- schedules -------------------------------------------------------------------------------------------------------


def default_schedule(desk: Mapping[str, list[Row]]) -> int | None:
    """What a ticket is under until a trigger says otherwise: the account's oldest schedule."""
    known = [(row["created_at"], row["schedule_id"]) for row in desk.get("schedule_versions", []) if row["created_at"]]
    return min(known)[1] if known else None


def open_hours(raw: Raw, centre: Centre) -> dict[int | None, OpenTime]:
    """When each schedule of the account is open, as it was at each time."""
    desk = raw.get("zendesk", {})
    begins = min((row["created_at"] for row in desk.get("tickets", [])), default=centre.as_of)
    first, last = (
        int(moment.timestamp()) for moment in (begins - timedelta(days=2), centre.as_of + timedelta(days=30))
    )
    states: dict[int, list[Row]] = defaultdict(list)
    for row in desk.get("schedule_versions", []):
        states[row["schedule_id"]].append(row)
    return {schedule: OpenTime(tuple(_versions(rows, desk)), first, last) for schedule, rows in states.items()}


def valid_since(rows: list[Row], first: datetime | None = None) -> list[tuple[datetime | None, Row]]:
    """States something was seen in, in order, with the instant from which on each held.

    An update says when; what changed without one is valid from when it was first seen. The first holds since ``first``
    (None: ever).
    """
    early = datetime(1900, 1, 1, tzinfo=UTC)
    rows = sorted(
        rows,
        key=lambda row: (row["updated_at"] or early, row["_loaded_at"] or early, row["content"], row["recurrence"]),
    )
    found: list[tuple[datetime | None, Row]] = [(first, rows[0])]
    for before, row in pairwise(rows):
        known = row["updated_at"] and row["updated_at"] > (before["updated_at"] or early)
        since = row["updated_at"] if known else row["_loaded_at"]
        found.append((max(since, found[-1][0] or since), row))
    return found


def _versions(rows: list[Row], desk: Mapping[str, list[Row]]) -> Iterator[Version]:
    for since, state in valid_since(rows):
        key = (state["schedule_id"], state["content"])
        hours: dict[int, list[Minutes]] = defaultdict(list)
        for row in desk.get("schedule_intervals", []):
            if (row["schedule_id"], row["content"]) == key:
                for place in range(7):  # minutes count from Sunday 0:00, and may last over midnight
                    begin, end = (row[name] - 1440 * place for name in ("start_time", "end_time"))
                    if begin < 1440 and end > 0:
                        hours[place or 7].append((max(begin, 0), min(end, 1440)))
        closed = tuple(
            (row["start_date"] + timedelta(days=number), (0, 1440))
            for row in desk.get("schedule_holidays", [])
            if (row["schedule_id"], row["content"]) == key
            for number in range(((row["end_date"] or row["start_date"]) - row["start_date"]).days + 1)
        )
        zone = _zone(state["time_zone"], desk)
        yield Version(
            int(since.timestamp()) if since else 0, zone, {day: tuple(parts) for day, parts in hours.items()}, closed
        )


def _zone(name: str, desk: Mapping[str, list[Row]]) -> str:
    """The vendor names zones its own way; users carry both names."""
    if name in available_timezones():
        return name
    named = {user["time_zone"]: user["iana_time_zone"] for user in desk.get("users", []) if user["iana_time_zone"]}
    return ZoneInfo(named[name]).key


def business(ticket: Row, hours: Mapping[int | None, OpenTime]) -> Callable[[str, str], int | None]:
    """Open seconds between two instants of a ticket; None where at any of them no schedule is known."""
    since = [int(datetime.fromisoformat(entry["at"]).timestamp()) for entry in ticket["schedules"]]
    spells = list(zip([0, *since[1:]], [*since[1:], 2**40], (e["value"] for e in ticket["schedules"]), strict=True))

    def between(start: str, end: str) -> int | None:
        a, b = (math.floor(datetime.fromisoformat(text).timestamp()) for text in (start, end))
        total = 0
        for begin, until, schedule in spells:
            if max(a, begin) < min(b, until) or (a == b and begin <= a < until):
                if schedule not in hours:
                    return None
                total += hours[schedule].between(max(a, begin), min(b, until))
        return total

    return between

"""A ticket's metric set as Zendesk computes it, from the ticket's events up to an instant.

Minutes are whole and rounded down. Business minutes lie within the last schedule the ticket has had, the account's
first unless a trigger gave it another, even for the time before that. Deleted tickets have no metric set.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kefu.simulator.world import iso

WAITING_FOR_AGENT = ("new", "open", "hold")


class OpenTime:
    """The open time of a schedule as a running total, so that the seconds between two instants are two look-ups."""

    def __init__(self, schedule: dict[str, Any], begin: int, end: int, holidays: Sequence[dict[str, Any]] = ()) -> None:
        """Lay out the schedule's windows from ``begin`` to ``end`` (epoch seconds), a day more on both sides."""
        zone = ZoneInfo(schedule["iana_time_zone"])
        closed = [(date.fromisoformat(row["start_date"]), date.fromisoformat(row["end_date"])) for row in holidays]
        day = datetime.fromtimestamp(begin, UTC).date() - timedelta(days=2)
        last = datetime.fromtimestamp(end, UTC).date() + timedelta(days=2)
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []
        total = 0
        while day <= last:
            sunday_first = (day.weekday() + 1) % 7
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            is_open = not any(first <= day <= last_day for first, last_day in closed)
            for interval in schedule["intervals"] if is_open else ():
                offset = interval["start_time"] - sunday_first * 1440
                if 0 <= offset < 1440:
                    opens = (midnight + timedelta(minutes=offset)).timestamp()
                    closes = (midnight + timedelta(minutes=interval["end_time"] - sunday_first * 1440)).timestamp()
                    self._starts.append(int(opens))
                    self._ends.append(int(closes))
                    self._before.append(total)
                    total += int(closes - opens)
            day += timedelta(days=1)

    def until(self, at: int) -> int:
        """Open seconds before an instant, from the beginning of the layout."""
        place = bisect_right(self._starts, at) - 1
        if place < 0:
            return 0
        return self._before[place] + min(at, self._ends[place]) - self._starts[place]

    def between(self, begin: int, end: int) -> int:
        """Open seconds between two instants."""
        return self.until(end) - self.until(begin)


def metric_set(
    ticket: dict[str, Any],
    events: Sequence[dict[str, Any]],
    agents: set[int],
    openings: Mapping[int, OpenTime],
    url: str,
) -> dict[str, Any]:
    """The metric set of a ticket (its row) from its events so far, as the vendor words it.

    ``openings`` is the open time of each schedule by its id, the account's default one first.
    """
    watch = _Watch(events[0]["timestamp"], agents)
    for event in events:
        watch.see(event)
    created = watch.created
    opening = openings[watch.schedule if watch.schedule is not None else next(iter(openings))]

    def minutes(end: int | None) -> dict[str, int | None]:
        if end is None:
            return {"calendar": None, "business": None}
        return {"calendar": (end - created) // 60, "business": opening.between(created, end) // 60}

    def spells(*statuses: str) -> dict[str, int]:
        taken = [(begin, end) for status, begin, end in watch.spells if status in statuses]
        return {
            "calendar": sum(end - begin for begin, end in taken) // 60,
            "business": sum(opening.between(begin, end) for begin, end in taken) // 60,
        }

    done = watch.status in ("solved", "closed")
    return {
        "url": url,
        "id": ticket["id"] * 10 + 3,
        "ticket_id": ticket["id"],
        "created_at": ticket["created_at"],
        "updated_at": ticket["updated_at"],
        "group_stations": watch.groups,
        "assignee_stations": watch.assignees,
        "reopens": watch.reopens,
        "replies": watch.replies,
        "assignee_updated_at": _iso(watch.assignee_updated),
        "requester_updated_at": _iso(watch.requester_updated),
        "status_updated_at": _iso(watch.status_updated),
        "initially_assigned_at": _iso(watch.first_assigned),
        "assigned_at": _iso(watch.assigned),
        "solved_at": _iso(watch.last_solved) if done else None,
        "latest_comment_added_at": _iso(watch.commented),
        "reply_time_in_minutes": minutes(watch.replied),
        "first_resolution_time_in_minutes": minutes(watch.first_solved),
        "full_resolution_time_in_minutes": minutes(watch.last_solved if done else None),
        "agent_wait_time_in_minutes": spells("pending"),
        "requester_wait_time_in_minutes": spells(*WAITING_FOR_AGENT),
        "on_hold_time_in_minutes": spells("hold"),
        "reply_time_in_seconds": {"calendar": watch.replied - created if watch.replied is not None else None},
        "custom_status_updated_at": _iso(watch.status_updated),
    }


class _Watch:
    """What a ticket's events add up to."""

    def __init__(self, created: int, agents: set[int]) -> None:
        self.created, self.agents = created, agents
        self.groups = self.assignees = self.reopens = self.replies = 0
        self.status, self.status_updated = "new", created
        self.schedule: int | None = None
        self.assignee: int | None = None
        self.requester: int | None = None
        self.spells: list[tuple[str, int, int]] = []
        self.assignee_updated: int | None = None
        self.requester_updated: int | None = None
        self.first_assigned: int | None = None
        self.assigned: int | None = None
        self.first_solved: int | None = None
        self.last_solved: int | None = None
        self.commented: int | None = None
        self.replied: int | None = None

    def see(self, event: dict[str, Any]) -> None:
        at = event["timestamp"]
        for child in event["children"]:
            if child["kind"] == "Comment":
                self._comment(at, child, opening=event["children"][-1] is not child and self._creates(event))
            elif child["kind"] in ("Create", "Change"):
                self._change(at, child)
            elif child["kind"] == "ScheduleAssignment":
                self.schedule = child["value"]
        if event["updater_id"] == self.assignee:
            self.assignee_updated = at
        if event["updater_id"] == self.requester:
            self.requester_updated = at

    @staticmethod
    def _creates(event: dict[str, Any]) -> bool:
        return any(child["kind"] == "Create" for child in event["children"])

    def _comment(self, at: int, child: dict[str, Any], *, opening: bool) -> None:
        self.commented = at
        if child["public"] and child["author_id"] in self.agents:
            self.replies += 1
            if not opening and self.replied is None:
                self.replied = at

    def _change(self, at: int, child: dict[str, Any]) -> None:
        field, value = child["field"], child["value"]
        if field == "status":
            if at > self.created or value != "new":
                self.spells.append((self.status, self.status_updated, at))
            if self.status == "solved" and value not in ("closed", "deleted"):
                self.reopens += 1
            if value == "solved":
                self.first_solved = self.first_solved or at
                self.last_solved = at
            self.status, self.status_updated = value, at
        elif field == "group_id" and value is not None:
            self.groups += 1
        elif field == "assignee_id":
            self.assignee = value
            if value is not None:
                self.assignees += 1
                self.assigned = at
                self.first_assigned = self.first_assigned or at
        elif field == "requester_id":
            self.requester = value


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)

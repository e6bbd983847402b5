"""The simulator's own truth about calls, as contacts to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.end_to_end.voice import Contact, Leg, Ring, Visit

Row = dict[str, Any]

# What the simulator calls it that a wait ran out and the call was sent on.
OUTCOMES = {"timed_out": "overflowed"}


def contacts(calls: Iterable[Row]) -> Iterator[Contact]:
    """Every call, as it was."""
    for call in calls:
        yield Contact(
            id=call["call_id"],
            source="asterisk",
            channel="voice",
            inbound=True,
            started=_instant(call["entered_at"]),
            team=call["visits"][0]["team"],
            visits=tuple(
                Visit(
                    f"asterisk-{one['queue']}", one["team"], OUTCOMES.get(one["outcome"], one["outcome"]),
                    one["wait_seconds"],
                    _instant(one["entered_at"]),
                )
                for one in call["visits"]
            ),
            rings=tuple(_rings(call["visits"])),
            legs=tuple(_leg(one) for one in call["visits"] if one["outcome"] == "answered"),
        )  # fmt: skip


def _rings(visits: Iterable[Row]) -> Iterator[Ring]:
    for visit in visits:
        queue, team = f"asterisk-{visit['queue']}", visit["team"]
        yield from (Ring(queue, team, answered=False) for _ in range(visit["rings_unanswered"]))
        if visit["outcome"] == "answered":
            yield Ring(queue, team, answered=True)


def _leg(visit: Row) -> Leg:
    ended = _instant(visit["ended_at"])
    return Leg(
        queue=f"asterisk-{visit['queue']}",
        team=visit["team"],
        agent=visit["agent"],
        talk=visit["talk_seconds"],
        hold=None,
        wrap=visit["wrap_seconds"],
        ended_by="transfer" if visit["transferred_to"] else {"caller": "customer"}.get(visit["ended_by"], "agent"),
        begins=_instant(visit["left_at"]),
        ends=ended + timedelta(seconds=visit["wrap_seconds"]),
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

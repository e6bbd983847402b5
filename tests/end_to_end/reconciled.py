"""Figures that the ticketing system reports itself held against ours, ticket by ticket, a second time.

``Told`` is one ticket as the simulator's truth or the raw rows tell of it, with what the vendor reports. Written from
docs/kpis.md and docs/decisions.md, sharing no code and no SQL with the models.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tests.dbt.business_oracle import OpenTime

Row = dict[str, Any]
COLUMNS = ("date", "source", "channel", "team", "measure", "verdict")
# Ours: where it ends, who is credited, what the vendor calls it.
ENDS = {
    "first_reply": ("replied_at", "reply_team", "reply_time_in_minutes"),
    "first_resolution": ("solved_at", "solve_team", "first_resolution_time_in_minutes"),
    "full_resolution": ("last_solved_at", "last_solve_team", "full_resolution_time_in_minutes"),
    "requester_wait": ("last_solved_at", "last_solve_team", "requester_wait_time_in_minutes"),
    "agent_wait": ("last_solved_at", "last_solve_team", "agent_wait_time_in_minutes"),
}


@dataclass(frozen=True)
class Told:
    """A ticket (as told, and lived through) and the vendor's metric set with the moment it is of."""

    ticket: Row
    life: Row
    metrics: Row
    told_at: datetime


def metric_set(found: Any) -> Row | None:
    """What a raw row has of it, whether it is text or read already."""
    return json.loads(found) if isinstance(found, str) else found


def rows(
    told: Iterable[Told], hours: Mapping[Any, OpenTime], day: Callable[[str], date], as_of: datetime
) -> Iterator[Row]:
    """One row a figure that is compared."""
    for one in told:
        if one.told_at <= as_of:
            for measure in ENDS:
                for business in (False, True):
                    verdict = _verdict(one, measure, business, hours)
                    if verdict:
                        yield {
                            **_place(one, measure, day),
                            "measure": measure + ("_business" if business else ""),
                            "verdict": verdict,
                        }


def _place(one: Told, measure: str, day: Callable[[str], date]) -> Row:
    moment, team, _ = ENDS[measure]
    without = one.life["first_team"] if measure == "first_reply" else None
    return {
        "date": day(one.life[moment] or one.life["created_at"]),
        "source": "zendesk",
        "channel": one.life["channel"],
        "team": one.life[team] or without or one.ticket["team"] or "none",
    }


def _verdict(one: Told, measure: str, business: bool, hours: Mapping[Any, OpenTime]) -> str | None:
    """None: there is nothing to compare."""
    life, (moment, _, name) = one.life, ENDS[measure]
    theirs = (one.metrics.get(name) or {}).get("business" if business else "calendar")
    opened_by_agent = measure == "first_reply" and life["created_by"] == "agent"
    is_ours = bool(life[moment]) and not one.ticket["excluded"] and not opened_by_agent
    is_wait = measure.endswith("_wait")
    if theirs is None and (business or is_wait or not is_ours):
        return None
    if is_wait and not life["last_solved_at"]:
        return None
    ours = _minutes(_spells(one, measure), life["business"] if business else _elapsed) if is_ours else None
    if ours is not None and ours == theirs:
        return "equal"
    if one.ticket["excluded"]:
        return "left_out"
    if opened_by_agent:
        return "opened_by_agent"
    if max(_at(entry["at"]) for entry in _entries(one.ticket)) > one.told_at:
        return "told_before"
    if measure == "first_reply" and _is_of_a_robot(one):
        return "automatic_reply"
    entries = one.ticket["schedules"]
    last = {entries[-1]["value"]}
    if not is_wait and life[moment]:  # the one at its end
        last.add([entry for entry in entries if _at(entry["at"]) <= _at(life[moment])][-1]["value"])
    if business and theirs in {_minutes(_spells(one, measure), _within(hours[it])) for it in last if it in hours}:
        return "last_schedule"
    return "unexplained"


def _spells(one: Told, measure: str) -> list[tuple[str, str]]:
    """From when to when the duration runs."""
    life = one.life
    if not measure.endswith("_wait"):
        end = life[ENDS[measure][0]]
        return [(life["created_at"], end)] if end else []
    kinds = ("pending",) if measure == "agent_wait" else ("new", "open", "hold", "on_hold")
    return [(begin, end) for (begin, status, *_), (end, *_) in itertools.pairwise(life["states"]) if status in kinds]


def _minutes(spells: list[tuple[str, str]], measured: Callable[[str, str], int | None]) -> int | None:
    seconds = [measured(begin, end) for begin, end in spells]
    known = [one for one in seconds if one is not None]
    return sum(known) // 60 if len(known) == len(seconds) else None


def _elapsed(begin: str, end: str) -> int:
    return math.floor(_at(end).timestamp()) - math.floor(_at(begin).timestamp())


def _within(opening: OpenTime) -> Callable[[str, str], int]:
    return lambda begin, end: opening.between(*(math.floor(_at(text).timestamp()) for text in (begin, end)))


def _is_of_a_robot(one: Told) -> bool:
    """Whether the reply the vendor tells of is a robot's."""
    said = [entry for entry in one.ticket["comments"] if entry["public"] and entry["by"]["kind"] == "bot"]
    later = [entry for entry in said if entry["n"] > 1]
    theirs = (one.metrics.get("reply_time_in_minutes") or {}).get("calendar")
    return bool(later) and _elapsed(one.life["created_at"], later[0]["at"]) // 60 == theirs


def _entries(ticket: Row) -> list[Row]:
    names = ("statuses", "teams", "agents", "priorities", "comments", "schedules")
    return [entry for name in names for entry in ticket[name]] + list(ticket.get("updates", ()))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)

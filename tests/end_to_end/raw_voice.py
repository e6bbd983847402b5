"""Calls and chats as raw rows tell of them, a queue log's lines or an export's rows, as contacts to be counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from kefu.settings import Settings
from tests.dbt.business_oracle import Minutes, OpenTime, Version
from tests.end_to_end.voice import Contact, Leg, Ring, Visit, seconds

if TYPE_CHECKING:
    from tests.end_to_end.raw_facts import Centre, Raw

Row = dict[str, Any]

TALK_ENDS = {
    "COMPLETEAGENT": "agent",
    "COMPLETECALLER": "customer",
    "BLINDTRANSFER": "transfer",
    "ATTENDEDTRANSFER": "transfer",
    "TRANSFER": "transfer",
}
WAIT_ENDS = {
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "overflowed",
    "EXITWITHKEY": "overflowed",
    "EXITEMPTY": "closed",
}
QUEUED = ("answered", "abandoned", "callback_requested", "voicemail", "overflowed", "closed")


def contacts(raw: Raw, centre: Centre) -> Iterator[Contact]:
    """Every contact on a live channel in raw."""
    yield from _logged(raw, centre)
    for source, tables in raw.items():
        for call in tables.get("calls", []):
            yield _exported(source, call, centre)


# --- a queue log -----------------------------------------------------------------------------------------------------


def lines(raw: Raw) -> list[Row]:
    """The log in order."""
    log = raw.get("asterisk", {}).get("queue_log", [])
    return sorted(log, key=lambda line: (line["occurred_at"], line["file_id"], line["byte_offset"]))


def calls(raw: Raw) -> dict[str, list[Row]]:
    """The lines of each call, in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for line in lines(raw):
        if line["callid"] not in (None, "NONE"):
            found[line["callid"]].append(line)
    return found


def _logged(raw: Raw, centre: Centre) -> Iterator[Contact]:
    wrap_up = _wrap_ups(lines(raw))
    for callid, own in calls(raw).items():
        visits, rings, legs = [], [], []
        for part in stays(own):
            queue, team = f"asterisk-{part[0]['queue']}", centre.team("asterisk", part[0]["queue"])
            if visit := _visit(part, queue, team):
                visits.append(visit)
            rings += [Ring(queue, team, line["event"] == "CONNECT") for line in part if _is_ring(line)]
            if leg := _leg(part, queue, team, wrap_up):
                legs.append(leg)
        if visits:
            yield Contact(
                id=callid,
                source="asterisk",
                channel="voice",
                inbound=True,
                started=own[0]["occurred_at"],
                team=centre.team("asterisk", own[0]["queue"]),
                visits=tuple(visits),
                rings=tuple(rings),
                legs=tuple(legs),
            )


def stays(lines: list[Row]) -> list[list[Row]]:
    """The lines of a call, cut where it entered a queue."""
    found: list[list[Row]] = []
    for line in lines:
        if line["event"] == "ENTERQUEUE" or not found:
            found.append([])
        found[-1].append(line)
    return found


def first(lines: list[Row], *events: str) -> Row | None:
    return next((line for line in lines if line["event"] in events), None)


def _figure(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _is_ring(line: Row) -> bool:
    return line["event"] == "CONNECT" or (line["event"] == "RINGNOANSWER" and _figure(line["data1"]) is not None)


def _visit(lines: list[Row], queue: str, team: str) -> Visit | None:
    """What became of one wait: the log's own figures, where it gives none its stamps."""
    entered, answered, left = first(lines, "ENTERQUEUE"), first(lines, "CONNECT"), first(lines, *WAIT_ENDS)
    if not (entered or answered or left):
        return None
    began = (entered or lines[0])["occurred_at"]
    if answered:
        said, outcome, until = _figure(answered["data1"]), "answered", answered["occurred_at"]
    elif left:
        said = _figure(left["data3"]) if left["event"] in ("ABANDON", "EXITWITHTIMEOUT") else None
        outcome, until = WAIT_ENDS[left["event"]], left["occurred_at"]
    else:
        return Visit(queue, team, "unfinished", None, began)
    return Visit(queue, team, outcome, seconds(began, until) if said is None else said, began)


def talked(answered: Row, ended: Row | None) -> int | None:
    """How long, by the log's own figure, else by its stamps; None while it lasts."""
    if not ended:
        return None
    said = _figure(ended["data2"]) if ended["event"].startswith("COMPLETE") else None
    return seconds(answered["occurred_at"], ended["occurred_at"]) if said is None else said


def _leg(lines: list[Row], queue: str, team: str, wrap_up: Callable[[Row], tuple[int | None, datetime]]) -> Leg | None:
    answered, ended = first(lines, "CONNECT"), first(lines, *TALK_ENDS)
    if not answered:
        return None
    wrap = ends = None
    if ended:
        wrap, ends = wrap_up(ended)
    return Leg(
        queue=queue,
        team=team,
        agent=answered["agent"],
        talk=talked(answered, ended),
        hold=None,
        wrap=wrap,
        ended_by=TALK_ENDS[ended["event"]] if ended else None,
        begins=answered["occurred_at"],
        ends=ends,
    )


def _wrap_ups(lines: list[Row]) -> Callable[[Row], tuple[int | None, datetime]]:
    """Of the line that ends a talk: how long its agent wrapped up, and until when.

    A wrap-up is a pause with that reason right after the call, until the agent is back; where nobody ever logs one it
    is unknown, not zero.
    """
    told = {id(line): line["event"] == "PAUSE" and (line["data1"] or "").lower() == "wrapup" for line in lines}
    is_recorded = any(told.values())
    spells: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        if line["event"] in (*TALK_ENDS, "CONNECT", "PAUSE", "UNPAUSE"):
            spells[line["agent"]].append(line)
    following = {
        id(line): spell[place + 1 : place + 3] for spell in spells.values() for place, line in enumerate(spell)
    }

    def wrap_up(ended: Row) -> tuple[int | None, datetime]:
        after = following[id(ended)]
        if not after or not told[id(after[0])]:
            return (0 if is_recorded else None), ended["occurred_at"]
        if len(after) < 2 or after[1]["event"] != "UNPAUSE":
            return None, ended["occurred_at"]
        return seconds(after[0]["occurred_at"], after[1]["occurred_at"]), after[1]["occurred_at"]

    return wrap_up


# --- exported calls --------------------------------------------------------------------------------------------------


def _exported(source: str, call: Row, centre: Centre) -> Contact:
    queue, team = f"{source}-{call['queue'] or 'none'}", centre.team(source, call["team"] or call["queue"])
    in_menu = call["ivr_seconds"] is not None or call["outcome"] in ("ivr_abandoned", "self_served")
    out_of_menu = call["started_at"] + timedelta(seconds=call["ivr_seconds"] or 0)
    queued = call["queued_at"] or out_of_menu
    answered = call["outcome"] == "answered"
    until = call["answered_at"] or (None if answered else call["ended_at"])
    wait = call["wait_seconds"]
    if wait is None and until is not None:
        wait = seconds(queued, until)
    menu = {"ivr_abandoned": "left", "self_served": "served"}.get(call["outcome"], "passed") if in_menu else None
    return Contact(
        id=call["call_id"],
        source=source,
        channel=call["channel"],
        inbound=call["direction"] == "inbound",
        started=call["started_at"],
        team=team,
        visits=(Visit(queue, team, call["outcome"], wait, queued),) if call["outcome"] in QUEUED else (),
        legs=(_exported_leg(call, queue, team, queued + timedelta(seconds=wait or 0)),) if answered else (),
        transfers=call["transfers"],
        menu=menu,
        asked=out_of_menu if menu == "passed" else None,
        calls_back=call["callback_of"],
    )


def _exported_leg(call: Row, queue: str, team: str, waited_until: datetime) -> Leg:
    """The one leg a row tells of; its holds lie somewhere within, its wrap-up follows the call."""
    talk, began, ended = call["talk_seconds"], call["answered_at"], call["ended_at"]
    if talk is None and began and ended:
        talk = seconds(began, ended) - (call["hold_seconds"] or 0)
    begins = began or waited_until
    served = begins + timedelta(seconds=(talk or 0) + (call["hold_seconds"] or 0))
    after = (ended or served) + timedelta(seconds=call["wrap_seconds"]) if call["wrap_seconds"] is not None else served
    return Leg(
        queue=queue,
        team=team,
        agent=call["agent"],
        talk=talk,
        hold=call["hold_seconds"],
        wrap=call["wrap_seconds"],
        ended_by="transfer" if call["transfers"] else call["ended_by"],
        begins=begins,
        left_on_hold=bool(call["ended_on_hold"]),
        ends=max(served, after),
    )


# --- opening hours ---------------------------------------------------------------------------------------------------


def team_hours(settings: Settings, as_of: datetime) -> Callable[[str], OpenTime | None]:
    """The opening hours of kefu.toml that a team keeps, from a year before until after the as-of time."""
    kept = {team.id: team.schedule for team in settings.teams}

    @cache
    def hours(schedule: str) -> OpenTime:
        versions = []
        for one in sorted((one for one in settings.schedules if one.id == schedule), key=lambda one: one.starts_at()):
            assert not one.holidays, "nobody has counted under a country's holidays a second time yet"
            week = {weekday: tuple(map(_minutes, spans)) for weekday, spans in one.hours.items()}
            closed, opened = (tuple((d.day, _minutes(d.span)) for d in dated) for dated in (one.closed, one.open))
            since = int((one.starts_at() - datetime(1970, 1, 1)).total_seconds())
            versions.append(Version(since, one.zone, week, closed, opened))
        begin, end = (int((as_of + timedelta(days=days)).timestamp()) for days in (-400, 30))
        return OpenTime(tuple(versions), begin, end)

    def of_team(team: str) -> OpenTime | None:
        schedule = kept.get(team) or settings.business_schedule
        return hours(schedule) if schedule else None

    return of_team


def _minutes(span: tuple[int, int]) -> Minutes:
    assert not any(second % 60 for second in span)
    return span[0] // 60, span[1] // 60

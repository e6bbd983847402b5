"""Contacts on live channels as any system tells of them, and every rule of counting them, a second time.

Whoever reads a source (`centre_voice`, `raw_voice`) makes `Contact`s of it; `frames` makes of these the rows that
`independent` counts. Written from docs/kpis.md and docs/decisions.md, sharing no code and no SQL with the models.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from kefu.settings import Parameters
from tests.dbt.business_oracle import OpenTime
from tests.end_to_end.independent import frame

Row = dict[str, Any]
LegKey = tuple[str, str, int]  # source, contact, which of its legs
PLACE = ("date", "source", "channel", "queue", "team")
COLUMNS = {
    "contacts": (
        *PLACE, "offered", "answered", "abandoned", "called_back", "wait", "short", "target", "human", "transferred",
        "touches",
    ),
    "arrivals": (*PLACE, "at", "in_menu", "left_menu", "closed"),
    "legs": (*PLACE, "talk", "hold", "wrap", "handle", "held", "left_on_hold", "ended_by"),
    "visits": (*PLACE, "answered", "abandoned", "otherwise", "wait", "short", "target"),
    "alerts": (*PLACE, "answered"),
    "callbacks": (*PLACE, "decided", "kept", "wait", "business"),
    "handling": ("date", "source", "team", "agent", "begins", "ends"),
}  # fmt: skip

# What may become of a visit of a queue that is neither answered nor given up; any other word is none.
ENDED_OTHERWISE = ("overflowed", "callback_requested", "voicemail", "closed", "unfinished")


@dataclass(frozen=True)
class Visit:
    """One wait in one queue. ``outcome``: answered, abandoned, or another word."""

    queue: str
    team: str
    outcome: str
    wait: int | None
    entered: datetime


@dataclass(frozen=True)
class Ring:
    """A telephone that rang at an agent until it was answered, or not; not one whose customer gave up meanwhile."""

    queue: str
    team: str
    answered: bool


@dataclass(frozen=True)
class Leg:
    """What one agent did for one contact; None: not measured, not known. ``ended_by``: agent, customer, transfer…"""

    queue: str
    team: str
    agent: str | None
    talk: int | None
    hold: int | None
    wrap: int | None
    ended_by: str | None
    begins: datetime
    left_on_hold: bool = False
    ends: datetime | None = None  # None: after talk, hold and wrap-up


@dataclass(frozen=True)
class Contact:
    """One contact. ``transfers``: what its source reports, None if it records none; ``menu``: left, served, passed."""

    id: str  # the source's own
    source: str
    channel: str
    inbound: bool
    started: datetime
    team: str  # whom it asked for
    visits: tuple[Visit, ...]
    rings: tuple[Ring, ...] = ()
    legs: tuple[Leg, ...] = ()
    transfers: int | None = 0
    menu: str | None = None
    asked: datetime | None = None  # for a person, in the menu
    calls_back: str | None = None  # the contact that asked for it

    @property
    def until_answered(self) -> tuple[Visit, ...]:
        """The visits the customer waited in for a first answer."""
        for place, visit in enumerate(self.visits, start=1):
            if visit.outcome == "answered":
                return self.visits[:place]
        return self.visits

    @property
    def outcome(self) -> str | None:
        """What became of it, for the organisation: the end of the visit that was answered, else of the last one."""
        return self.until_answered[-1].outcome if self.visits else None

    @property
    def wait(self) -> int | None:
        """Until an agent first answered, ringing included."""
        waits = [visit.wait for visit in self.until_answered if visit.wait is not None]
        return sum(waits) if waits else None

    @property
    def is_chat(self) -> bool:
        return self.channel in ("chat", "messaging")


@dataclass(frozen=True)
class Rules:
    """Where and under which parameters is counted."""

    zone: ZoneInfo
    as_of: datetime
    parameters: Parameters
    hours: Callable[[str], OpenTime | None] = field(default=lambda team: None)  # of a team's schedule

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def short(self, contact: Contact) -> int:
        said = self.parameters
        return said.short_abandon_seconds_chat if contact.is_chat else said.short_abandon_seconds

    def target(self, contact: Contact) -> int:
        said = self.parameters
        return said.target_answer_seconds_chat if contact.is_chat else said.target_answer_seconds


def seconds(start: datetime, end: datetime) -> int:
    """Whole seconds by the clock: fractions are cut off before."""
    return math.floor(end.timestamp()) - math.floor(start.timestamp())


def frames(contacts: Iterable[Contact], rules: Rules) -> dict[str, pd.DataFrame]:
    """The frames of `Facts` that tell of live channels."""
    known = [contact for contact in contacts if contact.started <= rules.as_of]
    inbound = [contact for contact in known if contact.inbound]
    handled = handle_times(known, rules)
    rows: dict[str, Iterable[Row]] = {
        "contacts": (_contact(contact, rules) for contact in inbound if contact.visits),
        "arrivals": (_arrival(contact, rules) for contact in inbound),
        "legs": (row for contact in inbound for row in _legs(contact, rules, handled)),
        "visits": (row for contact in inbound for row in _visits(contact, rules)),
        "alerts": (
            {**_place(contact, rules, ring.queue, ring.team), "answered": ring.answered}
            for contact in inbound
            for ring in contact.rings
        ),
        "callbacks": _callbacks(known, rules),
        "handling": (row for contact in known for row in _handling(contact, rules)),
    }
    return {name: frame(rows[name], columns) for name, columns in COLUMNS.items()}


def _place(contact: Contact, rules: Rules, queue: str | None = None, team: str | None = None) -> Row:
    """Where it is booked: on its arrival, in the queue it entered first, to the team that answered first."""
    answered = next((visit.team for visit in contact.visits if visit.outcome == "answered"), contact.team)
    return {
        "date": rules.day(contact.started),
        "source": contact.source,
        "channel": contact.channel,
        "queue": queue or (contact.visits[0].queue if contact.visits else "none"),
        "team": team or answered,
    }


def _contact(contact: Contact, rules: Rules) -> Row:
    answered = contact.outcome == "answered"
    wait = contact.wait
    # who asked for a person in the menu waits from there on
    before = seconds(contact.asked, contact.visits[0].entered) if contact.asked else 0
    handed_over = sum(leg.ended_by == "transfer" for leg in contact.legs)
    transfers = None if contact.transfers is None else max(contact.transfers, handed_over)
    touches = max(len(contact.legs), (contact.transfers or 0) + 1)
    return {
        **_place(contact, rules),
        "offered": True,
        "answered": answered,
        "abandoned": contact.outcome == "abandoned",
        "called_back": contact.outcome == "callback_requested",
        "wait": wait,
        "short": rules.short(contact),
        "target": rules.target(contact),
        "human": answered and wait is not None and wait + max(before, 0) <= rules.parameters.human_answer_seconds,
        "transferred": None if transfers is None else transfers > 0,
        "touches": touches if answered and transfers is not None else None,
    }


def _arrival(contact: Contact, rules: Rules) -> Row:
    hours = rules.hours(contact.team)
    moment = math.floor(contact.started.timestamp())
    return {
        **_place(contact, rules),
        "at": contact.started,
        "in_menu": contact.menu is not None,
        "left_menu": contact.menu == "left",
        "closed": None if hours is None else hours.between(moment, moment + 1) == 0,
    }


def _legs(contact: Contact, rules: Rules, handled: dict[LegKey, int]) -> Iterator[Row]:
    for place, leg in enumerate(contact.legs):
        if leg.talk is not None:
            talk, hold, wrap = cut(leg, rules)
            yield {
                **_place(contact, rules, leg.queue, leg.team),
                "talk": talk,
                "hold": hold,
                "wrap": wrap,
                "handle": handled[contact.source, contact.id, place],
                "held": bool(hold) or leg.left_on_hold,
                "left_on_hold": leg.left_on_hold,
                "ended_by": leg.ended_by,
            }


def cut(leg: Leg, rules: Rules) -> tuple[int | None, int | None, int | None]:
    """Talk, hold and wrap-up, each up to the length at which somebody forgot to end it."""
    said = rules.parameters
    parts = (
        (leg.talk, said.stuck_state_seconds),
        (leg.hold, said.stuck_hold_seconds),
        (leg.wrap, said.stuck_wrap_seconds),
    )
    talk, hold, wrap = (None if length is None else min(length, longest) for length, longest in parts)
    return talk, hold, wrap


def handle_times(contacts: Iterable[Contact], rules: Rules) -> dict[LegKey, int]:
    """What each leg took of its agent's time: every second goes in equal parts to all that were in hand in it.

    Counted second by second where anything overlaps. Of what a leg has between its beginning and its end it keeps that
    share of talk, hold and wrap-up, to the nearest second, halves up.
    """
    found: dict[LegKey, int] = {}
    of_agent: dict[tuple[str, str], list[tuple[int, int, LegKey]]] = defaultdict(list)
    for contact in contacts:
        for place, leg in enumerate(contact.legs):
            if leg.talk is None:
                continue
            key = (contact.source, contact.id, place)
            found[key] = sum(part or 0 for part in cut(leg, rules))
            begins, ends = _span(leg, rules)
            if leg.agent and begins < ends:
                of_agent[contact.source, leg.agent].append((begins, ends, key))
    for spans in of_agent.values():
        for cluster in _touching(sorted(spans)):
            in_hand = Counter(second for begins, ends, _ in cluster for second in range(begins, ends))
            for begins, ends, key in cluster:
                among = Counter(in_hand[second] for second in range(begins, ends))
                share = sum(Fraction(seconds, several) for several, seconds in among.items())
                found[key] = math.floor(found[key] * share / (ends - begins) + Fraction(1, 2))
    return found


def _touching(spans: list[tuple[int, int, LegKey]]) -> Iterator[list[tuple[int, int, LegKey]]]:
    """Spans in order of their beginning, in groups of several that hang together."""
    group: list[tuple[int, int, LegKey]] = []
    for span in spans:
        if group and span[0] >= max(ends for _, ends, _ in group):
            if len(group) > 1:
                yield group
            group = []
        group.append(span)
    if len(group) > 1:
        yield group


def _span(leg: Leg, rules: Rules) -> tuple[int, int]:
    """From when to when an agent was busy with it, in seconds since the epoch."""
    parts = cut(leg, rules)
    begins = math.floor(leg.begins.timestamp())
    if leg.ends and parts == (leg.talk, leg.hold, leg.wrap):
        return begins, math.floor(leg.ends.timestamp())
    return begins, begins + sum(part or 0 for part in parts)


def _visits(contact: Contact, rules: Rules) -> Iterator[Row]:
    """Every entry into a queue is a demand of its own, on the day of the entry."""
    for visit in contact.visits:
        yield {
            **_place(contact, rules, visit.queue, visit.team),
            "date": rules.day(visit.entered),
            "answered": visit.outcome == "answered",
            "abandoned": visit.outcome == "abandoned",
            "otherwise": visit.outcome in ENDED_OTHERWISE,
            "wait": visit.wait,
            "short": rules.short(contact),
            "target": rules.target(contact),
        }


def _callbacks(contacts: list[Contact], rules: Rules) -> Iterator[Row]:
    """Requests to be called back, on the day of the request, and what came of them."""
    for contact in contacts:
        if contact.outcome != "callback_requested":
            continue
        requested = contact.visits[0].entered + timedelta(seconds=contact.wait or 0)
        calls = [one for one in contacts if (one.source, one.calls_back) == (contact.source, contact.id)]
        calls.sort(key=lambda one: one.started)
        tries = [one for one in enumerate(calls, start=1) if one[1].outcome == "answered"]
        number, reached = (tries[0][0], tries[0][1].legs[0].begins) if tries else (0, None)
        promised = requested + timedelta(seconds=rules.parameters.callback_promise_seconds)
        in_time = reached is not None and reached <= promised
        hours = rules.hours(contact.team)
        business = None
        if reached is not None and hours is not None:
            business = hours.between(*(math.floor(moment.timestamp()) for moment in (requested, reached)))
        yield {
            **_place(contact, rules),
            "date": rules.day(requested),
            "decided": in_time or promised <= rules.as_of,
            "kept": in_time and number <= rules.parameters.callback_attempts,
            "wait": None if reached is None else seconds(requested, reached),
            "business": business,
        }


def _handling(contact: Contact, rules: Rules) -> Iterator[Row]:
    """When agents were busy with it, cut at midnight where the centre is; seconds since the epoch."""
    for leg in contact.legs:
        if leg.talk is None or leg.agent is None:
            continue
        begins, ends = _span(leg, rules)
        day = rules.day(leg.begins)
        while begins < ends:
            midnight = datetime.combine(day + timedelta(days=1), time(), rules.zone)
            until = min(ends, math.floor(midnight.timestamp()))
            yield {
                "date": day,
                "source": contact.source,
                "team": leg.team,
                "agent": f"{contact.source} {leg.agent}",
                "begins": begins,
                "ends": until,
            }
            begins, day = until, day + timedelta(days=1)

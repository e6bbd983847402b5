"""What agents' time and reviews of their work come to, counted from plain spells and items: the rules a second time.

Written from docs/kpis.md and docs/decisions.md, in Python, for any world: `centre_people` brings the simulator's truth,
`raw_people` raw rows. No code and no SQL is shared with the models.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Stretch = tuple[int, int, set[str], set[str], set[str]]  # from, seconds, states, legs, plan

EVALUATIONS = (
    "date", "at", "source", "channel", "team", "kind", "selection", "earned", "weight", "critical", "customer",
    "business", "compliance",
)  # fmt: skip
REVIEWED = ("date", "source", "channel", "team", "evaluated", "for_a_reason")
AGENT_DAYS = (
    "date", "source", "team", "agent", "handling", "staffed", "adherent", "scheduled", "conforming",
    "scheduled_on_queue", "away", "planned_away", "unplanned_away", "paid", "productive", "handled",
)  # fmt: skip

QUARTER = 900
PAUSES = ("lunch", "break", "meeting", "training", "coaching", "other")  # what holds where two overlap, first to last
PLANS = ("absence", *PAUSES, "on_queue")


@dataclass(frozen=True)
class Spell:
    """An agent was something, or was to be, from a second (UTC, 1970) to another."""

    what: str
    begin: int
    end: int
    source: str
    team: str | None = None
    is_paid: bool = True


@dataclass
class Agent:
    """All that is known of an agent, ready to be counted: nothing that has not happened, nothing left open.

    ``teams``: from which second on, which team (None: none); before the first one nobody knows.
    """

    states: list[Spell] = field(default_factory=list)
    legs: list[Spell] = field(default_factory=list)
    plan: list[Spell] = field(default_factory=list)
    teams: list[tuple[int, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """The edge rules about time."""

    as_of: int
    zone: ZoneInfo
    tolerance: int = 300
    longest: int = 43_200
    longest_wrap: int = 1800
    longest_hold: int = 1800

    def day(self, second: int) -> date:
        return datetime.fromtimestamp(second, self.zone).date()

    def midnight(self, day: date) -> int:
        return round(datetime.combine(day, time(), self.zone).timestamp())

    def state(self, word: str, begin: int, end: int | None, source: str, team: str | None) -> Iterator[Spell]:
        """A state on record, unless it lasts; one left open is cut."""
        if word != "offline" and end is not None and begin < end <= self.as_of:
            most = self.longest_wrap if word == "wrap" else self.longest
            yield Spell(word, begin, min(end, begin + most), source, team)


def agent_days(agents: dict[str, Agent], rules: Rules) -> Iterator[Row]:
    """One row an agent, day and team, with the seconds of each measure."""
    for name, agent in agents.items():
        touched: set[date] = set()
        for spell in (*agent.states, *agent.legs, *agent.plan):
            touched |= {rules.day(spell.begin), rules.day(spell.end)}
        for day in sorted(touched):
            yield from _agent_day(name, agent, day, rules)


def _agent_day(name: str, agent: Agent, day: date, rules: Rules) -> Iterator[Row]:
    first, last = rules.midnight(day), rules.midnight(day + timedelta(days=1))

    def here(spells: list[Spell]) -> list[Spell]:
        return [one for one in spells if day in (rules.day(one.begin), rules.day(one.end))]

    states, legs, plan = here(agent.states), here(agent.legs), here(agent.plan)
    # the plan counts as far as it is known what came of it
    known = max((one.end for one in (*states, *legs)), default=None)
    due = [one for one in (_as_far_as_known(one, known, rules) for one in plan) if one is not None]
    source = min((one.source for one in states), default=None) or min((one.source for one in due), default=None)
    if source is None:
        return
    teams = [
        min((one.team for one in spells if one.team), default=None) for spells in (states, due, legs)
    ]  # where no roster says more
    fallback = next((team for team in teams if team), "none")
    cuts = {first, last}
    for one in (*states, *legs, *due):
        cuts |= {one.begin, one.end}
    if len(agent.teams) > 1:  # whose a quarter of an hour is, is who the agent was when it began
        cuts |= set(range(first - first % QUARTER, last, QUARTER))
    borders = sorted(at for at in cuts if first <= at <= last)
    stretches: list[Stretch] = []
    for begin, end in pairwise(borders):
        now, busy, planned_now = (_at(spells, begin) for spells in (states, legs, due))
        if now or planned_now:
            stretches.append((begin, end - begin, now, busy, planned_now))
    found: dict[str, Row] = defaultdict(lambda: dict.fromkeys(AGENT_DAYS[4:], 0))
    missed = _missed(stretches, rules.tolerance)
    for place, (begin, seconds, states_now, legs_now, planned_now) in enumerate(stretches):
        is_handling = bool(legs_now) or bool(states_now & {"on_contact", "wrap"})
        on_queue = is_handling or "available" in states_now
        planned = next((word for word in PLANS if word in planned_now), None)
        is_paid = any(one.is_paid for one in due if one.what == planned and one.begin <= begin < one.end)
        sums = found[_team(agent, begin - begin % QUARTER) or fallback]
        if states_now:
            sums["handling"] += seconds * is_handling
            sums["staffed"] += seconds * on_queue
            pause = next((word for word in PAUSES if word in states_now), None)
            sums["productive"] += seconds * (on_queue or pause in ("training", "coaching"))
            sums["handled"] += sum(one.what == "talk" and one.begin == begin for one in legs)
        sums["conforming"] += seconds * on_queue
        sums["scheduled"] += seconds * (planned not in (None, "absence"))
        sums["adherent"] += seconds * (planned not in (None, "absence") and place not in missed)
        sums["scheduled_on_queue"] += seconds * (planned == "on_queue")
        sums["paid"] += seconds * is_paid
        sums["planned_away"] += seconds * (is_paid and planned != "on_queue")
        sums["unplanned_away"] += seconds * (is_paid and planned == "on_queue" and not on_queue)
    for team, sums in found.items():
        sums["away"] = sums["planned_away"] + sums["unplanned_away"]
        if not sums["scheduled_on_queue"]:  # nobody knows what the agent was to do
            sums["conforming"] = 0
        yield {**sums, "date": day, "source": source, "team": team, "agent": name}


def _as_far_as_known(one: Spell, known: int | None, rules: Rules) -> Spell | None:
    end = one.end
    if one.end + rules.longest > rules.as_of:  # half a day later nothing more is awaited
        end = min(one.end, known if known is not None else one.begin)
    return Spell(one.what, one.begin, end, one.source, one.team, one.is_paid) if end > one.begin else None


def _team(agent: Agent, at: int) -> str | None:
    place = bisect_right([since for since, _ in agent.teams], at)
    return agent.teams[place - 1][1] if place else None


def _at(spells: list[Spell], second: int) -> set[str]:
    return {one.what for one in spells if one.begin <= second < one.end}


def _missed(stretches: list[Stretch], tolerance: int) -> set[int]:
    """The stretches not spent as planned, those of a deviation in a row that is short enough left out."""
    missed: set[int] = set()
    row: list[int] = []
    for place, stretch in enumerate([*stretches, None]):
        if stretch is not None and _deviates(*stretch[2:]):
            row.append(place)
            continue
        if sum(stretches[one][1] for one in row) > tolerance:
            missed |= set(row)
        row = []
    return missed


def _deviates(states: set[str], legs: set[str], plan: set[str]) -> bool:
    planned = next((word for word in PLANS if word in plan), None)
    on_queue = bool(legs) or bool(states & {"available", "on_contact", "wrap"})
    pause = next((word for word in PAUSES if word in states), None)
    if planned in (None, "absence"):
        return False
    if planned == "on_queue":
        return not on_queue
    if planned in ("lunch", "break"):  # may be taken signed out
        return on_queue or pause not in (None, "lunch", "break")
    if planned == "other":
        return on_queue or not states
    return on_queue or pause != planned


# --- reviews ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Review:
    """An evaluation in plain words. Items are rows of weight, points, most, passed, applies, critical_for."""

    id: str
    evaluated_at: datetime
    source: str
    channel: str
    team: str
    kind: str
    selection: str
    contact: str | None
    is_calibration: bool
    replaces: str | None
    items: tuple[Row, ...]


def evaluations(reviews: Iterable[Review], day: Callable[[datetime], date]) -> Iterator[Row]:
    """Those that count: not replaced, not to compare reviewers, with an item that applied."""
    made = list(reviews)
    replaced = {one.replaces for one in made if one.replaces and not one.is_calibration}
    for one in made:
        counted = [item for item in one.items if _counts(item)]
        if one.is_calibration or one.id in replaced or not counted:
            continue
        failed = {item["critical_for"] or "nobody" for item in counted if item["is_critical"] and _failed(item)}
        yield {
            "date": day(one.evaluated_at),
            "at": one.evaluated_at,
            "source": one.source,
            "channel": one.channel,
            "team": one.team,
            "kind": one.kind,
            "selection": one.selection,
            "earned": sum((_decimal(item["weight"]) * _part(item) for item in counted), Decimal(0)),
            "weight": sum((_decimal(item["weight"]) for item in counted), Decimal(0)),
            "critical": bool(failed),
            **{area: area in failed for area in ("customer", "business", "compliance")},
        }


def looked_at(reviews: Iterable[Review]) -> dict[str, set[bool]]:
    """Contacts that people reviewed, a replaced review being one too: whether for a reason, or not."""
    found: dict[str, set[bool]] = defaultdict(set)
    for one in reviews:
        if one.kind == "human" and not one.is_calibration and one.contact:
            found[one.contact].add(one.selection == "targeted")
    return found


def _decimal(value: Any) -> Decimal:
    return Decimal(str(1 if value is None else value))


def _counts(item: Row) -> bool:
    return (
        item["applies"] is not False
        and _decimal(item["most"]) > 0
        and (item["points"] is not None or item["passed"] is not None)
    )


def _part(item: Row) -> Decimal:
    """The share of the item's weight that was earned, to six digits; pass or fail is all or nothing."""
    if item["points"] is None:
        return Decimal(int(item["passed"]))
    return (_decimal(item["points"]) / _decimal(item["most"])).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def _failed(item: Row) -> bool:
    return not (item["passed"] if item["passed"] is not None else _decimal(item["points"]) > 0)


def second(text: str) -> int:
    """An instant as seconds since 1970."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())

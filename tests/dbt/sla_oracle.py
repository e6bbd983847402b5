"""SLA clocks another way: each ticket is lived through minute by minute. Shares no code with Kefu.

Everything happens on whole minutes, so a minute either counts or it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MINUTE = 60
METRICS = (
    "first_reply", "next_reply", "requester_wait", "agent_work", "resolution", "periodic_update", "pausable_update"
)  # fmt: skip
RUNS = {
    "requester_wait": {"new", "open", "hold"},
    "agent_work": {"new", "open"},
    "resolution": {"new", "open", "hold", "pending"},
}
Promise = tuple[int, bool]  # seconds, whether business time


@dataclass(frozen=True)
class Update:
    """What one person or rule did to a ticket at one moment."""

    at: int
    actor: str  # customer, agent or bot
    message: bool | None = None  # public or not; None: nothing was written
    changes: Mapping[str, Any] = field(default_factory=dict)  # in the vendor's words


@dataclass(frozen=True)
class Ticket:
    """A ticket with its updates, the first of which creates it."""

    id: int
    updates: tuple[Update, ...]
    schedule: int = 1  # the schedule it has at first


@dataclass(frozen=True)
class State:
    """What a policy said from a moment on, as the vendor's API has it; ``said`` is None once it is gone."""

    since: int
    said: Mapping[str, Any] | None


@dataclass
class Clock:
    """One clock as it stands at the as-of time."""

    metric: str
    number: int
    started: int
    outcome: str = ""
    elapsed: int = 0
    calendar: int = 0
    business: int = 0
    target: int | None = None
    breached_at: int | None = None
    finished_at: int | None = None
    due_at: int | None = None
    over: int | None = None


@dataclass
class _Episode:
    metric: str
    number: int
    # (at, what it does): run, pause, reply, solve, cancel
    doings: list[tuple[int, str]] = field(default_factory=list)

    def does(self, at: int, what: str) -> None:
        if not self.doings or self.doings[-1][1] != what:
            self.doings.append((at, what))

    @property
    def is_over(self) -> bool:
        return bool(self.doings) and self.doings[-1][1] not in ("run", "pause")


def matches(said: Mapping[str, Any], fields: Mapping[str, Any]) -> bool | None:
    """Whether a ticket meets a policy's filter; None if that cannot be said."""

    def meets(condition: Mapping[str, Any]) -> bool:
        wanted = str(condition["value"])
        if condition["field"] == "current_tags":
            hit = bool(set(wanted.split()) & set(fields["tags"]))
        else:
            hit = str(fields.get(condition["field"]) or "") == wanted
        return hit == (condition["operator"] in ("is", "includes"))

    conditions = said["filter"]["all"], said["filter"]["any"]
    if any(one["field"] == "ticket_form_id" for clause in conditions for one in clause):
        return None
    return all(map(meets, conditions[0])) and (not conditions[1] or any(map(meets, conditions[1])))


def promises(policies: Mapping[int, list[State]], fields: Mapping[str, Any], at: int) -> dict[str, Promise]:
    """What the first policy that fits promises to a ticket updated at a moment, by metric."""
    there = []
    for number, states in policies.items():
        past = [state for state in states if state.since <= at]
        if past and past[-1].said is not None:
            there.append((past[-1].said["position"], number, past[-1].said))
    for _, _, said in sorted(there, key=lambda one: one[:2]):
        if matches(said, fields):
            return {
                one["metric"].removeprefix("total_").removesuffix("_time"): (one["target"] * 60, one["business_hours"])
                for one in said["policy_metrics"]
                if one["priority"] == fields.get("priority")
            }
    return {}


def _episodes(updates: list[Update]) -> list[_Episode]:
    """What each clock does when, by walking through the updates."""
    made: list[_Episode] = []
    turn: _Episode | None = None
    word: dict[str, _Episode] = {}
    turns = words = 0
    status = "new"
    for place, update in enumerate(updates):
        status = update.changes.get("status", status)
        over = {"solved": "solve", "closed": "solve", "deleted": "cancel"}.get(status)
        speaks = update.actor == "agent" and update.message is True
        replies = speaks and place > 0
        if turn and (replies or over):
            turn.does(update.at, "reply" if replies and over != "cancel" else over or "reply")
            turn = None
        asks = update.actor == "customer" and (place == 0 or update.message is True)
        if asks and not over and turn is None:
            turns += 1
            turn = _Episode("first_reply" if place == 0 else "next_reply", turns)
            made.append(turn)
            turn.does(update.at, "run")
        words += speaks
        for metric in ("periodic_update", "pausable_update"):
            if speaks:
                if metric in word:
                    word.pop(metric).does(update.at, "reply")
                if not over:
                    word[metric] = _Episode(metric, words)
                    made.append(word[metric])
            elif over and metric in word:
                word.pop(metric).does(update.at, over)
            if metric in word:
                word[metric].does(update.at, "pause" if metric == "pausable_update" and status == "pending" else "run")
        for metric, runs in RUNS.items():
            if place == 0:
                made.append(_Episode(metric, 1))
            [episode] = [one for one in made if one.metric == metric]
            episode.does(update.at, over or ("run" if status in runs else "pause"))
    return made


def clocks(
    ticket: Ticket,
    policies: Mapping[int, list[State]],
    is_open: Callable[[int, int], bool],  # schedule, minute
    as_of: int,
    *,
    follows: bool,
) -> list[Clock]:
    """Every clock of a ticket as of a moment; ``follows``: judged by the promise in force at each moment."""
    updates = [update for update in ticket.updates if update.at <= as_of]
    if not updates:
        return []
    fields: dict[str, Any] = {"tags": []}
    promised: list[tuple[int, dict[str, Promise], Any]] = []
    schedules = [(0, ticket.schedule)]
    for update in updates:
        fields |= update.changes
        key = (fields.get("priority"), _chosen(policies, fields, update.at))
        promised.append((update.at, promises(policies, fields, update.at), key))
        if "schedule_id" in update.changes:
            schedules.append((update.at, update.changes["schedule_id"]))

    def opened(minute: int) -> bool:
        return is_open([schedule for since, schedule in schedules if since <= minute][-1], minute)

    found = []
    for episode in _episodes(updates):
        clock = _live(episode, promised, [since for since, _ in schedules], opened, as_of, follows=follows)
        if clock is not None:
            found.append(clock)
    return found


def _chosen(policies: Mapping[int, list[State]], fields: Mapping[str, Any], at: int) -> Any:
    """What tells one promise from the next: the policy and its state."""
    there = []
    for number, states in policies.items():
        past = [state for state in states if state.since <= at]
        if past and past[-1].said is not None and matches(past[-1].said, fields):
            there.append((past[-1].said["position"], number, past[-1].since))
    return min(there) if there else None


def _live(
    episode: _Episode,
    promised: list[tuple[int, dict[str, Promise], Any]],
    switches: list[int],
    opened: Callable[[int], bool],
    as_of: int,
    *,
    follows: bool,
) -> Clock | None:
    doings, metric = dict(episode.doings), episode.metric
    start = episode.doings[0][0]
    clock = Clock(metric, episode.number, start)
    said = {at: (promise.get(metric), key) for at, promise, key in promised}
    doing, now, key = "", None, None
    first: Promise | None = None
    judged: Promise | None = None
    cancelled = False
    spell = start
    counted = (0, 0)  # when the clock was last alive
    ended: int | None = None
    before = [promise for at, promise in said.items() if at <= start]
    if before:
        now, key = before[-1]
    for minute in range(start, as_of + 1, MINUTE):
        if minute in said and said[minute][1] != key:
            spell = minute
        now, key = said.get(minute, (now, key))
        if minute in doings:
            doing, spell = doings[minute], minute
        if minute in switches:
            spell = max(spell, minute)
        if doing in ("run", "pause"):
            first = first or now
            promise = now if follows else first
            cancelled = first is not None and promise is None
            if promise is not None:
                judged = promise
        elif doing == "cancel":
            cancelled, promise = True, None
        else:
            promise = None
        ended = ended if promise is None else None
        if promise is None and first is not None and ended is None:
            ended = minute
        if promise is not None:  # one made to a clock at rest may have been used up before it was made
            spent = clock.business if promise[1] else clock.calendar
            if spent > promise[0]:
                clock.breached_at = clock.breached_at or minute
                clock.over = max(spent - promise[0], clock.over or 0)
        if minute == as_of:
            break
        counts = doing == "run" and opened(minute)
        if doing == "run" and promise is not None and (counts or not promise[1]) and clock.breached_at is None:
            spent = clock.business if promise[1] else clock.calendar
            if spent + MINUTE > promise[0]:
                clock.breached_at = minute + promise[0] - spent + 1
        clock.calendar += MINUTE if doing == "run" else 0
        clock.business += MINUTE if counts else 0
        if promise is not None:
            counted = clock.calendar, clock.business
        if doing == "run" and promise is not None:
            clock.over = max((clock.business if promise[1] else clock.calendar) - promise[0], clock.over or 0)
    if first is None:
        return None
    assert judged is not None
    clock.target = judged[0]
    clock.calendar, clock.business = counted
    clock.elapsed = clock.business if judged[1] else clock.calendar
    is_over = doing not in ("run", "pause")
    clock.finished_at = ended
    if clock.breached_at is not None:
        clock.outcome = "breached" if is_over or cancelled else "running_breached"
    else:
        clock.over = None
        clock.outcome = "cancelled" if cancelled else "met" if is_over else "running"
    if clock.outcome == "running" and doing == "run":
        clock.due_at = _due(episode, clock, judged, spell, opened, as_of)
    return clock


def _due(
    episode: _Episode, clock: Clock, judged: Promise, spell: int, opened: Callable[[int], bool], as_of: int
) -> int:
    """The first moment of the present spell at which the target is used up if nothing else happens."""
    spent, minute = 0, clock.started
    doing = ""
    doings = dict(episode.doings)
    while spent < judged[0]:
        doing = doings.get(minute, doing)
        if doing == "run" and (opened(minute) or not judged[1]):
            spent += MINUTE
        minute += MINUTE
        assert minute < as_of + 60 * 86_400
    return max(minute, spell)

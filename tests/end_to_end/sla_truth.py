"""The SLA clocks of the invented centre, from the simulator's truth, event by event and to the second.

By the target in force when a clock started, or at each moment (``follows``). Business time is what the emulator's own
account of the schedules says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from kefu.emulators.metric_sets import OpenTime
from kefu.simulator.files import read_lines
from kefu.simulator.world import DAY
from kefu.simulator.zendesk import PUBLIC_POLICY

Row = dict[str, Any]
OVER = ("solved", "closed")
PUBLIC = f"zendesk-{PUBLIC_POLICY}"  # what the centre has told its customers
RUNS = {
    "requester_wait": ("new", "open", "on_hold"),
    "agent_work": ("new", "open"),
    "resolution": ("new", "open", "on_hold", "pending"),
}


@dataclass
class Moment:
    """A ticket after one update."""

    at: int
    status: str
    team: str | None
    priority: str | None
    schedule: int
    type: str | None
    by: str | None  # who wrote to everybody, if anybody did


@dataclass
class Clock:
    """From when to when a clock ran; ``ended_by`` is None while it has not ended."""

    metric: str
    runs: list[list[int]] = field(default_factory=list)  # from, to; as-of time where it still runs
    began: int = 0
    ended: int | None = None
    ended_by: str | None = None

    def does(self, at: int, running: bool) -> None:
        open_end = bool(self.runs) and self.runs[-1][1] < 0
        self.ended = self.ended_by = None
        if running and not open_end:
            self.runs.append([at, -1])
        elif not running and open_end:
            self.runs[-1][1] = at

    def ends(self, at: int, by: str) -> None:
        if self.ended is None:
            self.does(at, False)
            self.ended, self.ended_by = at, by


class Account:
    """The policies and schedules of the account, as its state files have them."""

    def __init__(self, folder: Path, end: int) -> None:
        """``end``: epoch seconds up to which business time is asked for."""
        holidays = list(read_lines(folder / "schedule_holidays.jsonl"))
        self.open = {
            row["id"]: OpenTime(row, end - 400 * DAY, end, [day for day in holidays if day["schedule_id"] == row["id"]])
            for row in read_lines(folder / "schedules.jsonl")
        }
        self.policies = sorted(read_lines(folder / "sla_policies.jsonl"), key=lambda policy: policy["position"])
        self.groups = {row["name"]: row["id"] for row in read_lines(folder / "groups.jsonl")}

        self.types: dict[int, list[tuple[int, str | None]]] = {}
        for event in read_lines(folder / "ticket_events.jsonl"):
            for child in event["children"]:
                if child.get("field") == "type":
                    self.types.setdefault(event["ticket_id"], []).append((event["timestamp"], child["value"]))

    def promise(self, group: int | None, moment: Moment) -> tuple[str, dict[str, tuple[int, bool]]]:
        """The policy of a ticket in a group, and its targets for its priority."""
        for policy in self.policies:
            [condition] = policy["filter"]["all"]
            fits = moment.type != "task" if condition["field"] == "type" else condition["value"] == str(group)
            if fits:
                return f"zendesk-{policy['id']}", {
                    row["metric"].removeprefix("total_").removesuffix("_time"): (
                        60 * row["target"],
                        row["business_hours"],
                    )
                    for row in policy["policy_metrics"]
                    if row["priority"] == moment.priority
                }
        return "none", {}


def clocks(truth: dict[str, list[Row]], folder: Path, as_of: datetime, day: Callable[[str], date]) -> Iterator[Row]:
    """Every clock that was decided: the day, by whom, under which promise, and how."""
    now = int(as_of.timestamp())
    account = Account(folder, now)
    names = {team["team"]: account.groups[team["group"]] for team in truth["teams"]}
    for ticket in truth["tickets"]:
        if ticket["excluded"]:
            continue
        moments = _moments(ticket, next(iter(account.open)), account.types.get(ticket["ticket_id"], []))
        for clock in _clocks(ticket, moments):
            row = _decided(clock, moments, account, names, now)
            if row is not None:
                decided = datetime.fromtimestamp(row.pop("decided"), UTC).isoformat()
                yield {
                    **row,
                    "date": day(decided),
                    "source": "zendesk",
                    "channel": ticket["channel"],
                    "is_public": row["policy"] == PUBLIC,
                }


def _moments(ticket: Row, schedule: int, types: list[tuple[int, str | None]]) -> list[Moment]:
    updates: dict[int, Row] = {}
    for name in ("statuses", "teams", "priorities", "schedules", "comments"):
        for entry in ticket[name]:
            updates.setdefault(entry["n"], {"at": entry["at"]})[name] = entry
    found: list[Moment] = []
    status, team, priority = "new", None, None
    for n in sorted(updates):
        update = updates[n]
        status = update["statuses"]["value"] if "statuses" in update else status
        team = update["teams"]["value"] if "teams" in update else team
        priority = update["priorities"]["value"] if "priorities" in update else priority
        schedule = int(update["schedules"]["value"]) if "schedules" in update else schedule
        comment = update.get("comments")
        by = comment["by"]["kind"] if comment and comment["public"] else None
        at = int(datetime.fromisoformat(update["at"]).timestamp())
        kind = [value for since, value in types if since <= at]
        found.append(Moment(at, status, team, priority, schedule, kind[-1] if kind else None, by))
    return found


def _clocks(ticket: Row, moments: list[Moment]) -> list[Clock]:
    created, made = moments[0].at, []
    turn: Clock | None = None
    words: dict[str, Clock] = {}
    lives = {metric: Clock(metric, began=created) for metric in RUNS}
    for place, moment in enumerate(moments):
        over = moment.status in OVER
        if turn and moment.by == "agent" and place:
            turn.ends(moment.at, "reply")
            turn = None
        elif turn and over:
            turn.ends(moment.at, "solve")
            turn = None
        asks = (place == 0 and ticket["created_by"] != "agent") or (place > 0 and moment.by == "customer")
        if asks and not over and turn is None:
            turn = Clock("first_reply" if place == 0 else "next_reply", began=moment.at)
            turn.does(moment.at, True)
            made.append(turn)
        for metric in ("periodic_update", "pausable_update"):
            if moment.by == "agent":
                if metric in words:
                    words.pop(metric).ends(moment.at, "reply")
                if not over:
                    words[metric] = Clock(metric, began=moment.at)
                    made.append(words[metric])
            elif over and metric in words:
                words.pop(metric).ends(moment.at, "solve")
            if metric in words:
                words[metric].does(moment.at, metric == "periodic_update" or moment.status != "pending")
        for metric, statuses in RUNS.items():
            if over:
                lives[metric].ends(moment.at, "solve")
            else:
                lives[metric].does(moment.at, moment.status in statuses)
    return [*made, *lives.values()]


def _decided(
    clock: Clock, moments: list[Moment], account: Account, names: dict[str, int], now: int, *, follows: bool = False
) -> Row | None:
    """What became of a clock; None if nothing has yet, or no promise is left. ``follows``: the target in force at each
    moment is the one to keep, not the one in force when the clock first had any."""
    spells = _promised(clock, moments, account, names, now, follows=follows)
    if not any(spell.target is not None for spell in spells):
        return None
    runs = [(begin, end if end >= 0 else now) for begin, end in clock.runs]

    def elapsed(until: int, is_business: bool) -> int:
        """Seconds used up by an instant."""
        total = 0
        for begin, end in runs:
            for place, moment in enumerate(moments):
                following = moments[place + 1].at if place + 1 < len(moments) else now
                a, b = max(begin, moment.at), min(end, following, until)
                if a < b:
                    total += account.open[moment.schedule].between(a, b) if is_business else b - a
        return total

    breached, over = None, 0
    for spell in spells:
        if spell.target is None:
            continue
        used = elapsed(spell.ends, spell.is_business)
        over = max(over, used - spell.target)
        if used > spell.target and breached is None:
            low, high = spell.begins, spell.ends  # the first second beyond the target, and not before it was promised
            while low < high:
                middle = (low + high) // 2
                beyond = elapsed(middle, spell.is_business) > spell.target
                low, high = (low, middle) if beyond else (middle + 1, high)
            breached = low
    is_met = breached is None
    if is_met and (clock.ended is None or spells[-1].target is None):
        return None
    decided = clock.ended if breached is None else breached
    assert decided is not None
    last = next(spell for spell in reversed(spells) if spell.target is not None)
    team = [moment.team for moment in moments if moment.at <= decided][-1]
    is_update = clock.metric in ("periodic_update", "pausable_update")
    return {
        "decided": decided,
        "team": team or "none",
        "priority": last.priority,
        "policy": last.policy,
        "sla_metric": clock.metric,
        "is_met": is_met,
        "over": None if is_met else over,
        "is_due": is_update and (not is_met or clock.ended_by == "reply"),
        "is_on_time": is_update and is_met and clock.ended_by == "reply",
    }


@dataclass(frozen=True)
class Spell:
    """A clock between two updates of its ticket, and what is promised then (target None: nothing)."""

    begins: int
    ends: int
    policy: str
    priority: str | None
    target: int | None
    is_business: bool


def _promised(
    clock: Clock, moments: list[Moment], account: Account, names: dict[str, int], now: int, *, follows: bool
) -> list[Spell]:
    """The spells of a clock's life, each with the promise it is judged by."""
    spells: list[Spell] = []
    first: Spell | None = None
    for place, moment in enumerate(moments):
        is_alive = moment.at >= clock.began and (clock.ended is None or moment.at < clock.ended)
        if not is_alive or moment.status in OVER:
            continue
        following = moments[place + 1].at if place + 1 < len(moments) else now
        ends = min(following, now if clock.ended is None else clock.ended)
        policy, targets = account.promise(names.get(moment.team or ""), moment)
        target, is_business = targets.get(clock.metric, (None, False))
        spell = Spell(moment.at, ends, policy, moment.priority, target, is_business)
        if first is None and target is not None:
            first = spell
        if first is not None and not follows:
            spell = replace(first, begins=moment.at, ends=ends)
        spells.append(spell)
    return spells

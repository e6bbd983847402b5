"""What the workforce-management system exports: the plan, and what agents did at the desktop between calls.

Agents on the telephone work on cases while nobody calls, and put them aside when it rings. The telephone system knows
nothing of it; the desktop does, and the workforce-management system collects it. One file of each kind a week, times in
UTC, and the mappings that read them: paths in these are relative to the folder ``world`` lies in.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from kefu.simulator.chance import Stream
from kefu.simulator.people import Agent
from kefu.simulator.rota import Planned
from kefu.simulator.world import World, iso

NAMES = {
    "on_queue": "Phones",
    "lunch": "Lunch",
    "break": "Break",
    "meeting": "Team meeting",
    "training": "Training",
    "coaching": "Coaching",
    "leave": "Annual leave",
    "sick": "Sick leave",
}

PLAN_MAPPING = """\
description: Plan of a week as the workforce-management system exports it, one row a spell and version
path: world/workforce/plan_*.csv
time: {zone: UTC, format: YYYY-MM-DD HH:mm}
entities:
  shifts:
    fields:
      shift_id: Shift
      published_at: Published
      agent: Agent
      system: {constant: asterisk}
      team: Team
      activity:
        column: Activity
        map:
          Phones: on_queue
          Lunch: lunch
          Break: break
          Team meeting: meeting
          Training: training
          Coaching: coaching
          Annual leave: absence
          Sick leave: absence
      started_at: Start
      ended_at: End
      is_paid: = Paid == 'yes'
      is_cancelled: = Status == 'cancelled'
"""

ACTIVITY_MAPPING = """\
description: Case work between calls, as the agents' desktop tells the workforce-management system
path: world/workforce/activity_*.csv
time: {zone: UTC, format: YYYY-MM-DD HH:mm:ss}
entities:
  agent_states:
    fields:
      state_id: Entry
      agent: Agent
      system: {constant: asterisk}
      team: Team
      state: {column: Activity, map: {Case work: on_contact}}
      started_at: Start
      ended_at: End
"""


@dataclass(frozen=True)
class CaseWork:
    """One spell of work on cases, between calls."""

    agent: Agent
    begin: int
    end: int


def case_work(world: World, idle: Iterable[tuple[Agent, int, int]]) -> list[CaseWork]:
    """What agents did while they were free for calls: stretches of ``idle`` are (agent, from, to)."""
    spells = []
    for agent, begin, end in idle:
        stream = Stream(world.seed, "cases", agent.number, begin)
        at = begin + stream.exponential(150, low=5, high=1200)
        while at < end:
            done = min(at + stream.lognormal(1500, 0.6, low=120, high=7200), end)
            spells.append(CaseWork(agent, at, done))
            at = done + stream.exponential(330, low=20, high=2400)
    return sorted(spells, key=lambda one: (one.begin, one.agent.number))


def write(world: World, plan: list[Planned], cases: list[CaseWork], directory: Path) -> dict[str, int]:
    """Write the exports and the mappings that read them; returns rows by kind."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "plan.yml").write_text(PLAN_MAPPING, encoding="utf-8")
    (directory / "activity.yml").write_text(ACTIVITY_MAPPING, encoding="utf-8")
    header: tuple[str, ...]
    header = ("Shift", "Published", "Agent", "Team", "Activity", "Start", "End", "Paid", "Status")
    for week, spells in _weeks(world, plan, lambda one: one.begin):
        write_csv(directory / f"plan_{week}.csv", header, (_planned(one) for one in spells))
    header = ("Entry", "Agent", "Team", "Activity", "Start", "End")
    for week, work in _weeks(world, list(enumerate(cases, start=1)), lambda one: one[1].begin):
        write_csv(
            directory / f"activity_{week}.csv",
            header,
            (
                (
                    f"A{number:07d}", one.agent.name, one.agent.team.group, "Case work", stamp(one.begin),
                    stamp(one.end),
                )
                for number, one in work
            ),
        )  # fmt: skip
    return {"shifts": len(plan), "case_work": len(cases)}


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A comma-separated file as spreadsheets write it, the same bytes everywhere."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())


def stamp(at: int) -> str:
    """An epoch second as the exports write it, UTC: ``2026-03-01 15:57:42``."""
    return iso(at)[:-1].replace("T", " ")


def _planned(one: Planned) -> tuple[str, ...]:
    return (
        one.shift_id,
        stamp(one.published_at)[:16],
        one.agent.name,
        one.agent.team.group,
        NAMES[one.activity],
        stamp(one.begin)[:16],
        stamp(one.end)[:16],
        "yes" if one.is_paid else "no",
        "cancelled" if one.is_cancelled else "planned",
    )


T = TypeVar("T")


def _weeks(world: World, things: list[T], begin: Callable[[T], int]) -> list[tuple[str, list[T]]]:
    """Things by the Monday of the week they begin in, where the centre is."""
    found: dict[str, list[T]] = defaultdict(list)
    for thing in things:
        day = world.local(begin(thing)).date()
        found[(day - timedelta(days=day.weekday())).isoformat()].append(thing)
    return sorted(found.items())

"""What is planned for the agents on the telephone, as the planners publish it: shifts, breaks, meetings, leave.

A shift is one spell on the phones with others laid over it (the more particular one holds), each with an id that an
edit keeps. A week is published on the Thursday before it; later come swapped lunches, meetings called off, and people
who reported sick. Some sick people are never entered: then the plan says "phones" and nobody is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from kefu.simulator.chance import Stream
from kefu.simulator.people import NIGHT, Agent, at_work, on_leave, shift_of
from kefu.simulator.world import DAY, HOUR, TEAMS, World

QUARTER = HOUR // 4
AHEAD = 7  # days after the world's end that are planned already
GATHERINGS = {"meeting": 2700, "training": 3600, "coaching": 1800}


@dataclass(frozen=True)
class Planned:
    """One spell of the plan in one version. Instants are epoch seconds."""

    agent: Agent
    shift_id: str
    activity: str  # on_queue, lunch, break, meeting, training, coaching, leave, sick
    begin: int
    end: int
    is_paid: bool
    published_at: int
    is_cancelled: bool = False


def published(world: World, agents: list[Agent]) -> Iterator[Planned]:
    """Every version of the plan that has been published by now, by agent and day."""
    for agent in agents:
        if not agent.on_phone:
            continue
        day = world.start
        while day < world.end + timedelta(days=AHEAD):
            first = _first(world, agent, day)
            yield from (
                version for version in (*first, *_edits(world, agent, day, first)) if version.published_at <= world.now
            )
            day += timedelta(days=1)


def duties(world: World, agent: Agent, day: date) -> list[Planned]:
    """What takes the agent off the phones on this day, in order, by the plan in force."""
    first = _first(world, agent, day)
    in_force = {one.shift_id: one for one in (*first, *_edits(world, agent, day, first))}
    off = [one for one in in_force.values() if one.activity != "on_queue" and not one.is_cancelled]
    return sorted(off, key=lambda one: one.begin)


def _first(world: World, agent: Agent, day: date) -> list[Planned]:
    """The plan of a day as it is first published."""
    if day.weekday() in agent.free_days or (agent.leaves and day >= agent.leaves):
        return []
    begin, end = shift_of(world, agent, day)
    monday = day - timedelta(days=day.weekday())
    stream = Stream(world.seed, "plan", agent.number, day)
    since = world.epoch(monday - timedelta(days=4), 12)
    if on_leave(world, agent, day):
        return [_spell(agent, day, 0, "leave", begin, end - begin, since)]
    quarters = (end - begin) // QUARTER
    lunch = begin + (quarters // 2 + stream.whole(-2, 2)) * QUARTER
    spells = [
        _spell(agent, day, 0, "on_queue", begin, end - begin, since),
        _spell(agent, day, 1, "break", begin + (quarters // 4 + stream.whole(-1, 1)) * QUARTER, QUARTER, since),
        # Nights are paid without their meal.
        replace(_spell(agent, day, 2, "lunch", lunch, 2 * QUARTER, since), is_paid=agent.shift != NIGHT),
        _spell(agent, day, 3, "break", begin + (3 * quarters // 4 + stream.whole(-1, 1)) * QUARTER, QUARTER, since),
    ]
    gathering = _gathering(agent, day)
    if gathering is not None:
        spells.append(_spell(agent, day, 4, gathering, begin + 10 * QUARTER, GATHERINGS[gathering], since))
    return spells


def _gathering(agent: Agent, day: date) -> str | None:
    """Every week a meeting, a training, coaching; not at night."""
    if agent.shift == NIGHT:
        return None
    turn = (day.weekday() - TEAMS.index(agent.team) - agent.number) % 7
    return {0: "meeting", 2: "coaching", 3: "training", 5: "coaching"}.get(turn)


def _edits(world: World, agent: Agent, day: date, first: list[Planned]) -> list[Planned]:
    """What planners changed of a day, each spell once at most."""
    if not first or first[0].activity == "leave":
        return []
    begin, stream = first[0].begin, Stream(world.seed, "edit", agent.number, day)
    if day < world.end and not at_work(world, agent, day):
        if not stream.chance(0.6):
            return []
        told = begin + stream.whole(20, 90) * 60
        sick = replace(first[0], activity="sick", published_at=told)
        return [sick, *(replace(one, is_cancelled=True, published_at=told) for one in first[1:])]
    if stream.chance(0.06):
        lunch, later = first[2], 2 * QUARTER
        return [replace(lunch, begin=lunch.begin + later, end=lunch.end + later, published_at=begin - 2 * HOUR)]
    if len(first) > 4 and stream.chance(0.1):
        return [replace(first[4], is_cancelled=True, published_at=begin - DAY // 2)]
    return []


def _spell(agent: Agent, day: date, place: int, activity: str, begin: int, seconds: int, since: int) -> Planned:
    return Planned(agent, f"{agent.number:03d}-{day:%Y%m%d}-{place}", activity, begin, begin + seconds, True, since)

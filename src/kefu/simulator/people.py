"""The people of the invented centre: agents with their rota, and customers.

All names, addresses and numbers are invented; telephone numbers carry a country code that is not assigned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from kefu.simulator.chance import Stream
from kefu.simulator.world import CLOSING_HOUR, TEAMS, Team, World

SURNAMES = (
    "Li", "Wang", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu",
    "Xu", "Sun", "Hu", "Zhu", "Gao", "Lin", "He", "Guo", "Ma", "Luo",
    "Liang", "Song", "Zheng", "Xie", "Han", "Tang", "Feng", "Yu", "Dong", "Xiao",
)  # fmt: skip
GIVEN = (
    "Na", "Wei", "Min", "Jing", "Lei", "Yan", "Tao", "Fang", "Jun", "Xia",
    "Hao", "Mei", "Bo", "Qiang", "Ying", "Chao", "Hui", "Ning", "Rui", "Shan",
    "Yue", "Kai", "Lan", "Xin", "Alice", "Victor", "Grace", "Leo", "Ivy", "Oscar",
)  # fmt: skip

NIGHT = "night"
SHIFTS = {"early": (8, 16), "middle": (11, 19), "late": (14, CLOSING_HOUR), NIGHT: (22, 32), "desk": (9, 18)}


@dataclass(frozen=True)
class Agent:
    """One agent: the name is what the telephone system calls the member. ``number`` is unique in the centre."""

    number: int
    name: str
    team: Team
    shift: str
    free_days: tuple[int, int]  # weekdays, Monday 0
    leaves: date | None = None  # first day on which the agent has left the company

    @property
    def on_phone(self) -> bool:
        """Whether the agent answers calls; the others write."""
        return self.shift != "desk"


@dataclass(frozen=True)
class Customer:
    """One customer, known to every system by this number."""

    number: int
    name: str
    phone: str
    email: str
    known_since: int

    @property
    def reference(self) -> str:
        """How the centre's own systems name the customer."""
        return f"C{self.number:06d}"


def staff(world: World) -> list[Agent]:
    """Everyone who works there, enough for the planned demand (the story is not planned) with breaks and leave."""
    agents: list[Agent] = []
    for team in TEAMS:
        per_hour = team.calls_a_day * world.scale * max(world.hourly(team).values()) * 1.15
        load = per_hour * (team.talk + team.wrap) / 3600
        # Of ten who are paid three are not at the telephones, and not all at the same time.
        peak = (load + 1.15 * math.sqrt(load) + 0.35) * 1.6
        roster = [("early", peak * 0.56), ("middle", peak * 0.40), ("late", peak * 0.52)]
        if team.open_at_night:
            roster.append((NIGHT, max(1.0, load * 0.2)))
        writing = team.tickets_a_day * world.scale * 2.6 * 600 / (7.2 * 3600)
        roster.append(("desk", writing / 0.80))
        for shift, needed in roster:
            wanted = max(2, math.ceil(needed * 7 / 5))
            for place in range(wanted):
                number = len(agents) + 1
                free = (2 * place + len(shift)) % 7
                gone = shift == "early" and team.id == "returns" and place == 0
                agents.append(
                    Agent(
                        number,
                        _name(number),
                        team,
                        shift,
                        (free, (free + 1) % 7),
                        world.end - timedelta(days=12) if gone else None,
                    )
                )
    return agents


def at_work(world: World, agent: Agent, day: date) -> bool:
    """Whether the agent's shift of this day happens: rota, leave, sickness, leaving."""
    if day.weekday() in agent.free_days or (agent.leaves and day >= agent.leaves) or on_leave(world, agent, day):
        return False
    sick = 0.12 if world.in_story(agent.team, day) else 0.03
    return not Stream(world.seed, "sick", agent.number, day).chance(sick)


def on_leave(world: World, agent: Agent, day: date) -> bool:
    """Whether the day is one of annual leave, of which those on the telephone take single days."""
    return agent.on_phone and Stream(world.seed, "leave", agent.number, day).chance(0.06)


def shift_of(world: World, agent: Agent, day: date) -> tuple[int, int]:
    """Begin and end of the agent's shift that starts on this day, epoch seconds."""
    begin, end = SHIFTS[agent.shift]
    return world.epoch(day, begin), world.epoch(day, end)


class Customers:
    """Everyone who ever gets in touch: some are known from before, the rest are made as they turn up."""

    def __init__(self, world: World) -> None:
        """Start with those known from before."""
        self._world = world
        self.all: list[Customer] = []
        for _ in range(max(20, round(400 * world.scale))):
            self._new(world.begins)

    def someone(self, stream: Stream, at: int) -> Customer:
        """A customer who gets in touch now: often one who did before."""
        if stream.chance(0.38):
            return stream.pick(self.all)
        return self._new(at)

    def _new(self, at: int) -> Customer:
        number = len(self.all) + 1
        # Not from the caller's stream: who a customer is does not depend on how they got in touch.
        own = Stream(self._world.seed, "customer", number)
        name = f"{own.pick(SURNAMES)} {own.pick(GIVEN)}"
        mailbox = name.lower().replace(" ", ".")
        customer = Customer(number, name, f"+999{10000000 + number}", f"{mailbox}.{number}@customer.example", at)
        self.all.append(customer)
        return customer


def _name(number: int) -> str:
    """A name no two agents share."""
    surname = SURNAMES[(number * 7) % len(SURNAMES)]
    given = GIVEN[(number * 11 + number // len(SURNAMES)) % len(GIVEN)]
    turn = number // (len(SURNAMES) * len(GIVEN))
    return f"{surname} {given}" + (f" {turn + 1}" if turn else "")

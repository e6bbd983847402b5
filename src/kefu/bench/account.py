"""An invented Zendesk account of any size: the same seed gives the same bytes, in memory that does not grow with time.

Made for load, not for truth (that is the simulator's job): per ticket about 13 rows of field history and 4 comments,
some tickets reopened, thanked for, handed over, put on hold, merged, deleted or never answered, as large help desks
have them. Tickets are made in blocks, each from its own stream of chance; events come in the order in which they
happened, as the vendor exports them, tickets in the state they were in at the end of the period asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kefu.bench import rows
from kefu.bench.clock import BEGIN, DAY, HORIZON, YEAR, ZONES, Integers, Reals, arrivals, in_office, zone_of
from kefu.bench.rows import CHANGE, COMMENT, CREATE, EVENT, NOTHING, WORDS, Block
from kefu.sources import Page

BLOCK = 4096  # tickets made at once
GROUPS_PER_ZONE, AGENTS_PER_GROUP = 4, 12
GROUP, AGENT, CUSTOMER = 5 * 10**12, 6 * 10**12, 7 * 10**12  # ids are large, and not dense
ID_STEP = 128
RULE = -1  # who the vendor says did it when a rule did

# The courses tickets take, a letter a step, and how many in a thousand take each.
COURSES = {
    "CTSX": 265,  # written, taken, solved with one reply, closed by itself
    "CTPUSX": 235,
    "CTNPUPUSX": 140,
    "CRTNHPUSX": 80,  # routed by a rule, then handed to another team
    "CTQNPUSX": 70,  # waiting for somebody else
    "CTSOPUSX": 60,  # reopened
    "CTSKsX": 50,  # reopened by a thank-you
    "CTPUSOHNPUSX": 30,
    "CTP": 20,  # the customer never answers
    "CTG": 15,  # merged
    "C": 15,  # nobody ever touches it
    "ATPUSX": 10,  # opened by an agent
    "CD": 10,  # deleted
}
STEPS = max(map(len, COURSES))


@dataclass(frozen=True)
class Step:
    """What a letter means. ``waits``: seconds since the step before, at evenly spaced shares of all cases."""

    by: str  # customer, agent or rule
    waits: tuple[int, ...]
    status: str | None = None
    comment: str | None = None  # public or internal
    group: bool = False  # goes to the ticket's second group
    agent: bool = False  # goes to the agent of the group it is in


_TAKE = (20, 240, 1200, 5400, 18000, 90000)
_REPLY = (60, 600, 1800, 7200, 28800, 172800)
_ANSWER = (120, 1800, 10800, 43200, 129600, 518400)
_MEANTIME = (10, 60, 180, 600, 1800, 7200)
_CLOSE = (345600, 345700, 346800, 347900, 348900, 349200)  # a rule, four days after and on the hour
_SOON = (30, 120, 300, 700, 1500, 3000)

LETTERS = {
    "C": Step("customer", (0,) * 6, "new", "public"),
    "A": Step("agent", (0,) * 6, "new", "public"),
    "R": Step("rule", (1, 1, 2, 2, 3, 5), group=True),
    "T": Step("agent", _TAKE, "open", agent=True),
    "N": Step("agent", _MEANTIME, None, "internal"),
    "H": Step("agent", _REPLY, None, None, group=True, agent=True),
    "Q": Step("agent", _REPLY, "hold"),
    "P": Step("agent", _REPLY, "pending", "public"),
    "U": Step("customer", _ANSWER, "open", "public"),
    "S": Step("agent", _REPLY, "solved", "public"),
    "s": Step("agent", _SOON, "solved"),
    "O": Step("customer", (600, 14400, 86400, 345600, 864000, 1728000), "open", "public"),
    "K": Step("customer", (60, 600, 3600, 14400, 43200, 86400), "open", "public"),
    "X": Step("rule", _CLOSE, "closed"),
    "D": Step("agent", _TAKE, "deleted"),
    "G": Step("agent", _REPLY, "closed", "public"),
}
_CODE = {letter: number for number, letter in enumerate(LETTERS)}
_COURSE = np.full((len(COURSES), STEPS), -1, np.int64)
for _place, _course in enumerate(COURSES):
    _COURSE[_place, : len(_course)] = [_CODE[letter] for letter in _course]
_OFTEN = np.cumsum(list(COURSES.values())) / sum(COURSES.values())
_WAITS = np.array([step.waits for step in LETTERS.values()], np.float64)
_STATUS = np.array([WORDS.index(step.status) if step.status else NOTHING for step in LETTERS.values()], np.int64)
_IS_AGENTS = np.array([step.by == "agent" for step in LETTERS.values()])

_OVERTIME = 0.15  # of what agents do is done outside office hours
_PRIORITIES = np.array([WORDS.index(word) for word in ("normal", "low", "high", "urgent")])
_TYPES = np.array([WORDS.index(word) for word in ("question", "incident", "problem", "task")])
_CHANNELS = np.array([WORDS.index(word) for word in ("email", "web", "chat", "voice")])


@dataclass(frozen=True)
class Account:
    """``tickets`` in the first YEAR, and as many a day after it."""

    tickets: int
    seed: int = 1

    def year(self) -> Iterator[Page]:
        """Everything of the first YEAR, as it stood at its end."""
        return self.pages(BEGIN, end_of_day(YEAR))

    def day(self, number: int) -> Iterator[Page]:
        """What is new or changed on the ``number``-th day after the year."""
        return self.pages(end_of_day(YEAR + number - 1), end_of_day(YEAR + number))

    def pages(self, since: int, until: int) -> Iterator[Page]:
        """The rows that changed in a period, as they stood at its end; pages as `kefu.sources.zendesk` has them."""
        if since <= BEGIN:
            yield from rows.standing(_groups(), _agents())
        waiting = np.empty(0, EVENT)
        number = 0
        while True:
            block, events = self._block(number, until)
            yield from block.pages(since)
            # No later block has an event before this instant.
            safe = until if block.is_last else int(block.next_at)
            events = events[(events["at"] >= since) & (events["at"] < until)]
            waiting = np.concatenate([waiting, events])
            is_due = waiting["at"] < safe
            yield from rows.events(waiting[is_due])
            waiting = waiting[~is_due]
            number += 1
            if block.is_last:
                return

    def _block(self, number: int, until: int) -> tuple[Block, Any]:
        """The tickets of one block that exist at ``until``, and all their events, of later too."""
        chance = _chances(self.seed, number)
        index = np.arange(number * BLOCK, (number + 1) * BLOCK + 1)
        at = arrivals(index, self.tickets)
        next_at, index, at = at[-1], index[:-1], at[:-1]
        here = at < until
        index, at, chance = index[here], at[here], chance[here]
        block, events = _lives(index, at, chance, until)
        block.next_at, block.is_last = next_at, bool(next_at >= until)
        return block, events


def end_of_day(number: int) -> int:
    """The instant at which the ``number``-th day of the account ends."""
    if number >= HORIZON:
        raise ValueError(f"the account ends {HORIZON} days after its begin")
    return BEGIN + number * DAY


def _chances(seed: int, block: int) -> Reals:
    """A row of numbers from 0 to 1 for each ticket of a block."""
    stream = np.random.Generator(np.random.Philox(key=np.array([seed, block], np.uint64)))
    return stream.random((BLOCK, 14 + 3 * STEPS))


def _lives(index: Integers, at: Integers, chance: Reals, until: int) -> tuple[Block, Any]:
    """Lead tickets through their courses, all of them a step at a time."""
    draw = iter(chance.T)
    codes = _COURSE[np.searchsorted(_OFTEN, next(draw), side="right")]
    zone = zone_of(at, next(draw))
    first_group = zone * GROUPS_PER_ZONE + _whole(next(draw), GROUPS_PER_ZONE)
    second_group = (first_group + 1 + _whole(next(draw), GROUPS_PER_ZONE - 1)) % (len(ZONES) * GROUPS_PER_ZONE)
    colleagues = [_whole(next(draw), AGENTS_PER_GROUP), _whole(next(draw), AGENTS_PER_GROUP)]
    customer, is_new = _customers(index, next(draw))
    by_agent = codes[:, 0] == _CODE["A"]
    in_second = np.zeros(len(index), bool)

    group = _group_id(first_group)
    opened_by = np.where(by_agent, _agent_id(first_group, colleagues[0]), customer)
    block = Block(
        index=index,
        created_at=at,
        customer=customer,
        is_new_customer=is_new,
        zone=zone,
        submitter=opened_by,
        priority=_PRIORITIES[_pick(next(draw), (0.6, 0.15, 0.18))],
        kind=_TYPES[_pick(next(draw), (0.55, 0.3, 0.05))],
        channel=_CHANNELS[_pick(next(draw), (0.5, 0.25, 0.15))],
        is_merged=(codes == _CODE["G"]).any(axis=1),
        until=until,
        chances=[next(draw) for _ in range(4)],
    )
    block.start(group)
    journal = rows.Journal(index)
    status = np.full(len(index), NOTHING, np.int64)
    agent = np.full(len(index), NOTHING, np.int64)
    time = at
    for place in range(STEPS):
        code = codes[:, place]
        wait, is_late, late = next(draw), next(draw), next(draw)
        is_on = code >= 0
        if place:
            then = time + _waited(code, wait)
            office = _IS_AGENTS[code] & (is_late >= _OVERTIME)
            then = np.where(office, in_office(then, zone, late), then)
            time = np.where(is_on, np.maximum(then, time + 1), time)
        for letter, step in LETTERS.items():
            mine = np.flatnonzero(code == _CODE[letter])
            if not len(mine):
                continue
            before = (status[mine], group[mine], agent[mine])
            if step.status:
                status[mine] = _STATUS[_CODE[letter]]
            if step.group:
                in_second[mine] = True
                group[mine] = _group_id(second_group[mine])
            if step.agent:
                where = np.where(in_second[mine], second_group[mine], first_group[mine])
                who = np.where(in_second[mine], colleagues[1][mine], colleagues[0][mine])
                agent[mine] = _agent_id(where, who)
            actor = {"customer": customer[mine], "rule": np.full(len(mine), RULE)}.get(step.by)
            if actor is None:
                actor = np.where(agent[mine] == NOTHING, _agent_id(first_group[mine], colleagues[0][mine]), agent[mine])
            now = (status[mine], group[mine], agent[mine])
            _write(journal, mine, time[mine], step, actor, before, now, block)
        block.saw(is_on, time, status, group, agent, _SEEN[code])
    return block, journal.events()


def _write(
    journal: rows.Journal,
    mine: Integers,
    at: Integers,
    step: Step,
    actor: Integers,
    before: tuple[Integers, Integers, Integers],
    now: tuple[Integers, Integers, Integers],
    block: Block,
) -> None:
    """The rows of one step: the comment it brought, then what it set or changed."""
    via = WORDS.index({"rule": "Rule", "agent": "Web form"}.get(step.by, "Mail"))
    entry = journal.entry(mine, at, actor, via)
    child = 0
    if step.comment:
        entry(child, "comment", COMMENT, public=int(step.comment == "public"))
        child += 1
    if step.status == "new":
        entry(child, "created", CREATE)
        entry(child, "status", CREATE, now[0])
        entry(child, "priority", CREATE, block.priority[mine])
        entry(child, "type", CREATE, block.kind[mine])
        entry(child, "group_id", CREATE, now[1])
        entry(child, "assignee_id", CREATE, now[2])
        entry(child, "requester_id", CREATE, block.customer[mine])
        return
    for field, is_changed, value, previous in (
        ("status", step.status is not None, now[0], before[0]),
        ("group_id", step.group, now[1], before[1]),
        ("assignee_id", step.agent, now[2], before[2]),
    ):
        if is_changed:
            entry(child, field, CHANGE, value, previous)
            child += 1


# What a step is to the ticket's own figures, by code: (agent's reply, solve, reopen).
_SEEN = np.array(
    [
        (
            step.by == "agent" and step.comment == "public" and step.status != "new",
            step.status == "solved",
            letter in "OK",
        )
        for letter, step in LETTERS.items()
    ]
)


def _waited(code: Integers, share: Reals) -> Integers:
    place = share * (_WAITS.shape[1] - 1)
    left: Integers = place.astype(np.int64)
    low, high = _WAITS[code, left], _WAITS[code, left + 1]
    return low.astype(np.int64) + _whole(place - left, high - low)


def _customers(index: Integers, chance: Reals) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Who writes each ticket: two of five are new, the others somebody who wrote before. Ids, and who is new."""
    known = index * 2 // 5 + 1
    is_new = (index == 0) | (known != (index - 1) * 2 // 5 + 1)
    number = np.where(is_new, known - 1, _whole(chance, known))
    return CUSTOMER + number * ID_STEP, is_new


def _whole(chance: Reals, below: Any) -> Integers:
    """Whole numbers from 0 to one less than ``below``."""
    numbers: Integers = np.floor(chance * below).astype(np.int64)
    return numbers


def _pick(chance: Reals, shares: tuple[float, ...]) -> Integers:
    """A place in a list: the first with its share of the chances and so on, the last with what is left."""
    places: Integers = np.searchsorted(np.cumsum(shares), chance, side="right").astype(np.int64)
    return places


def _group_id(number: Any) -> Any:
    return GROUP + (number + 1) * ID_STEP


def _agent_id(group: Any, colleague: Any) -> Any:
    return AGENT + (group * AGENTS_PER_GROUP + colleague + 1) * ID_STEP


def _groups() -> list[tuple[int, str]]:
    cities = (zone.partition("/")[2].replace("_", " ") for zone in ZONES)
    names = [f"{city} {place + 1}" for city in cities for place in range(GROUPS_PER_ZONE)]
    return [(_group_id(number), name) for number, name in enumerate(names)]


def _agents() -> list[tuple[int, int, int]]:
    """Id, group's id and zone of every agent."""
    return [
        (_agent_id(group, colleague), _group_id(group), group // GROUPS_PER_ZONE)
        for group in range(len(ZONES) * GROUPS_PER_ZONE)
        for colleague in range(AGENTS_PER_GROUP)
    ]

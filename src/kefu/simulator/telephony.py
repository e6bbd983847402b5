"""The telephone side: callers, queues, agents, and the queue_log that Asterisk would have written about them.

A call waits for the agent idle longest, rings, is answered or not, is abandoned when patience ends, leaves for another
queue after a time-out, is transferred, and may come back another day. Simulated in whole seconds, because queue_log has
no finer stamps: so the log and the truth agree exactly.

queue_log knows no after-call work. As many centres do, the agent is paused with the reason ``wrapup`` right after the
call (the line after COMPLETEAGENT, COMPLETECALLER or the transfer, same second) and unpaused when done. Pauses for
other reasons (``lunch``, ``break``, ``meeting``, ``training``, ``coaching``: what the plan says, as well as people keep
to it) look alike but are not after-call work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from kefu.simulator.chance import Stream
from kefu.simulator.people import Agent, Customer, Customers, at_work, shift_of
from kefu.simulator.rota import GATHERINGS, duties
from kefu.simulator.world import DAY, QUIET_BEFORE_END, TEAM_OF_QUEUE, TEAMS, Team, World

RING_LIMIT = 15
MAXIMUM_TALK = 2400
Process = Generator[simpy.Event, Any, None]


@dataclass
class Visit:
    """One stay of a call in one queue. Instants are epoch seconds, durations seconds."""

    team: Team
    entered_at: int
    original_position: int
    left_at: int | None = None
    outcome: str | None = None  # answered, abandoned, timed_out
    agent: Agent | None = None
    ring_seconds: int | None = None
    talk_seconds: int | None = None
    wrap_seconds: int = 0
    ended_by: str | None = None  # agent, caller, blind_transfer, attended_transfer
    transferred_to: str | None = None
    rings_unanswered: int = 0

    @property
    def wait_seconds(self) -> int:
        """How long the caller waited here."""
        assert self.left_at is not None
        return self.left_at - self.entered_at


@dataclass
class Call:
    """One contact by telephone, from the first queue to the end."""

    number: int
    call_id: str
    customer: Customer
    team: Team
    entered_at: int
    attempt: int
    repeat_of: str | None
    visits: list[Visit] = field(default_factory=list)
    outcome: str | None = None  # answered, abandoned, voicemail
    ended_at: int | None = None
    solved: bool = False
    mood: float = 0.0  # how content the customer is with the contact, 0 to 1

    @property
    def answered(self) -> list[Visit]:
        """The visits in which an agent took the call."""
        return [visit for visit in self.visits if visit.outcome == "answered"]


@dataclass
class _Line:
    """An agent's telephone."""

    agent: Agent
    queue: _Queue
    present: bool = False
    busy: bool = False
    due: list[tuple[str, int]] = field(default_factory=list)  # pauses to be taken as soon as the agent is free
    free_since: int = 0
    state: State | None = None


@dataclass
class State:
    """What an agent was, by the telephone, from when to when (None: it lasts)."""

    agent: Agent
    state: str  # available, wrap, lunch, break, meeting, training, coaching
    since: int
    until: int | None = None


@dataclass
class _Ringing:
    """A telephone that rings for a caller."""

    line: _Line
    since: int
    cancelled: simpy.Event


@dataclass
class _Waiting:
    """A call in a queue, while it is there."""

    visit: Visit
    call: Call
    stream: Stream
    woken: simpy.Event
    ringing: _Ringing | None = None
    line: _Line | None = None  # who took the call
    gone: str | None = None


@dataclass
class _Queue:
    team: Team
    waiting: list[_Waiting] = field(default_factory=list)
    free: deque[_Line] = field(default_factory=deque)
    present: int = 0


class Telephony:
    """Runs the telephone system over the whole period; afterwards its lists hold what happened.

    ``calls``, the lines of ``log``, the ``states`` of agents, and when they were free for calls (``idle``: agent, from,
    to).
    """

    def __init__(self, world: World, agents: list[Agent], customers: Customers) -> None:
        """Prepare queues and telephones."""
        self.world = world
        self.customers = customers
        self.calls: list[Call] = []
        self.log: list[tuple[int, str]] = []
        self.states: list[State] = []
        self.idle: list[tuple[Agent, int, int]] = []
        self._env = simpy.Environment(initial_time=world.begins)
        self._channels = 0
        self._queues = {team.queue: _Queue(team) for team in TEAMS}
        self._lines = [_Line(agent, self._queues[agent.team.queue]) for agent in agents if agent.on_phone]
        self._last_arrival = world.ends - QUIET_BEFORE_END

    def run(self) -> None:
        """Let the whole period happen."""
        self._write(self.world.begins, "NONE", "NONE", "NONE", "QUEUESTART", "")
        for line in self._lines:
            self._env.process(self._work(line))
        self._env.process(self._arrivals())
        self._env.run(until=self.world.ends)

    # Demand

    def _arrivals(self) -> Process:
        """Start every call of the period at its time; a day's calls are drawn when the day begins."""
        for day in self.world.days():
            due: list[tuple[int, int, Team]] = []
            for order, team in enumerate(TEAMS):
                stream = Stream(self.world.seed, "arrivals", team.id, day)
                mean = team.calls_a_day * self.world.scale * self.world.demand(team, day)
                mean *= min(max(stream.normal(1, 0.09), 0.7), 1.3)  # a day has its own weather
                for hour, share in self.world.hourly(team).items():
                    begin, end = self.world.epoch(day, hour), self.world.epoch(day, hour + 1)
                    if end <= begin:
                        continue  # an hour the clocks skip
                    due += [(stream.whole(begin, end - 1), order, team) for _ in range(stream.poisson(mean * share))]
            for at, _, team in sorted(due, key=lambda call: call[:2]):
                if at >= self._last_arrival:
                    continue
                yield self._env.timeout(at - self._env.now)
                self._start(team, None, 1, None)

    def _start(self, team: Team, customer: Customer | None, attempt: int, repeat_of: str | None) -> None:
        number = len(self.calls) + 1
        stream = Stream(self.world.seed, "call", number)
        at = self._now
        customer = customer or self.customers.someone(stream, at)
        call = Call(number, f"{at}.{self._channel()}", customer, team, at, attempt, repeat_of)
        self.calls.append(call)
        self._env.process(self._live(call, stream))

    def _call_again(self, call: Call, delay: int) -> Process:
        yield self._env.timeout(delay)
        if self._now < self._last_arrival and self.world.is_open(call.team, self._now):
            self._start(call.team, call.customer, call.attempt + 1, call.call_id)

    # One call

    def _live(self, call: Call, stream: Stream) -> Process:
        """The life of one call."""
        world, team = self.world, call.team
        patience = stream.exponential(210, low=2, high=1500)
        if stream.chance(0.02):
            patience = stream.whole(1, 4)  # dialled wrong
        while True:
            waiting = self._enter(call, team, stream)
            visit = waiting.visit
            # The first queue hands over to another one; the second one's time-out leads to voicemail.
            limit = team.overflow_after if len(call.visits) == 1 else 300
            allowed = min(patience, limit)
            yield waiting.woken | self._env.timeout(allowed)
            if waiting.line is None:
                outcome = "abandoned" if patience <= limit else "timed_out"
                self._leave(waiting, outcome)
                patience -= visit.wait_seconds
                if (
                    outcome == "timed_out"
                    and len(call.visits) == 1
                    and world.is_open(TEAM_OF_QUEUE[team.overflow], self._now)
                ):
                    team = TEAM_OF_QUEUE[team.overflow]
                    continue
                if not call.answered:
                    call.outcome = "abandoned" if outcome == "abandoned" else "voicemail"
                break
            call.outcome = "answered"
            next_team = yield from self._talk(call, waiting, stream)
            if next_team is None:
                break
            team, patience = next_team, stream.exponential(240, low=5, high=900)
        call.ended_at = self._now
        self._afterwards(call, stream)

    def _enter(self, call: Call, team: Team, stream: Stream) -> _Waiting:
        queue = self._queues[team.queue]
        position = len(queue.waiting) + 1
        visit = Visit(team, self._now, position)
        call.visits.append(visit)
        waiting = _Waiting(visit, call, stream, self._env.event())
        queue.waiting.append(waiting)
        self._about(waiting, "NONE", "ENTERQUEUE", "", call.customer.phone, position)
        self._dispatch(queue)
        return waiting

    def _leave(self, waiting: _Waiting, outcome: str) -> None:
        """The caller leaves the queue unanswered."""
        visit, queue = waiting.visit, self._queues[waiting.visit.team.queue]
        position = queue.waiting.index(waiting) + 1
        queue.waiting.remove(waiting)
        visit.left_at, visit.outcome, waiting.gone = self._now, outcome, outcome
        if waiting.ringing is not None:
            self._cancel(waiting, waiting.ringing)
        event = "ABANDON" if outcome == "abandoned" else "EXITWITHTIMEOUT"
        self._about(waiting, "NONE", event, position, visit.original_position, visit.wait_seconds)

    def _talk(self, call: Call, waiting: _Waiting, stream: Stream) -> Generator[simpy.Event, Any, Team | None]:
        """The conversation; returns the team to which the caller is handed over, if any."""
        visit, team = waiting.visit, waiting.visit.team
        line = waiting.line
        assert line is not None
        strain = 1.18 if self.world.in_story(team, self.world.local(self._now).date()) else 1.0
        talk = stream.lognormal(team.talk * 0.86 * strain, 0.55, low=5, high=MAXIMUM_TALK)
        handed_over = len(call.answered) == 1 and stream.chance(0.075 * strain)
        target: Team | None = None
        if handed_over:
            talk = max(5, round(talk * 0.45))
        yield self._env.timeout(talk)
        visit.talk_seconds = talk
        call.solved = stream.chance(0.80 - (0.14 if strain > 1 else 0))
        details: list[object] = [visit.wait_seconds, talk, visit.original_position]
        if not handed_over:
            visit.ended_by = "caller" if stream.chance(0.68) else "agent"
            event = "COMPLETECALLER" if visit.ended_by == "caller" else "COMPLETEAGENT"
        elif stream.chance(0.35):
            # A colleague takes over after a word in private. That conversation is outside the queue and not logged.
            visit.ended_by, visit.transferred_to, event = "attended_transfer", "colleague", "ATTENDEDTRANSFER"
            details = ["BRIDGE", stream.letters(8).lower(), *details]
        else:
            visit.ended_by, event = "blind_transfer", "BLINDTRANSFER"
            others = [other for other in TEAMS if other is not team and self.world.is_open(other, self._now)]
            if others and stream.chance(0.85):
                target = stream.pick(others)
                visit.transferred_to = target.queue
                details = [target.extension, "queues", *details]
            else:
                visit.transferred_to = "8001"  # the warehouse, no queue
                details = ["8001", "internal", *details]
        self._about(waiting, line.agent.name, event, *details)
        self._wrap_up(line, visit, stream, strain)
        return target

    def _afterwards(self, call: Call, stream: Stream) -> None:
        """What the contact leaves behind: a mood, and sometimes another call."""
        waited = sum(visit.wait_seconds for visit in call.visits)
        story = self.world.in_story(call.team, self.world.local(call.entered_at).date())
        mood = call.team.satisfied - min(waited, 600) / 600 * 0.35 - (0.0 if call.solved else 0.22)
        mood -= 0.10 if story else 0.0
        mood -= 0.06 if any(visit.transferred_to for visit in call.visits) else 0.0
        call.mood = min(max(mood + stream.normal(0, 0.06), 0.02), 0.98)
        if call.attempt >= 4:
            return
        if call.outcome != "answered" and stream.chance(0.5):
            self._env.process(self._call_again(call, stream.lognormal(420, 0.9, low=30, high=6 * 3600)))
        elif call.outcome == "answered" and not call.solved and stream.chance(0.45):
            self._env.process(self._call_again(call, stream.whole(DAY // 2, 5 * DAY)))

    # Agents and their telephones

    def _work(self, line: _Line) -> Process:
        """All shifts of one agent."""
        for day in self.world.days():
            if not at_work(self.world, line.agent, day):
                continue
            begin, end = shift_of(self.world, line.agent, day)
            stream = Stream(self.world.seed, "shift", line.agent.number, day)
            begin += stream.whole(0, 240) + (stream.whole(300, 2400) if stream.chance(0.08) else 0)
            if begin <= self._now:
                continue
            yield self._env.timeout(begin - self._now)
            line.present = True
            line.queue.present += 1
            self._member(line, "ADDMEMBER", callid="MANAGER")
            self._available(line)
            for duty in duties(self.world, line.agent, day):
                at = duty.begin + stream.whole(0, 300)
                seconds = duty.end - duty.begin + stream.whole(-180, 540)
                if at <= self._now:
                    continue
                yield self._env.timeout(at - self._now)
                if duty.activity in GATHERINGS and self._is_alone(line):
                    continue  # somebody has to take the calls
                line.due.append((duty.activity, seconds))
                if not line.busy:
                    self._take(line)
                    self._env.process(self._rest(line))
            yield self._env.timeout(max(end - self._now, 0))
            line.due.clear()
            # Who is on the telephone finishes first; who is idle stays while callers wait, ten minutes at most.
            late = 0
            while line.present and (line.busy or (line.queue.waiting and line.queue.present == 1 and late < 600)):
                yield self._env.timeout(10)
                late += 0 if line.busy else 10
            if line.present:
                line.present = False
                line.queue.present -= 1
                self._take(line)
                line.busy = False
                self._member(line, "REMOVEMEMBER", callid="MANAGER")

    def _is_alone(self, line: _Line) -> bool:
        """Whether nobody else of the queue is at the telephones."""
        others = [one for one in self._lines if one.queue is line.queue and one is not line and one.present]
        return all(one.state is None or one.state.state not in ("available", "wrap") for one in others)

    def _available(self, line: _Line) -> None:
        if line.due:
            self._env.process(self._rest(line))
            return
        line.busy, line.free_since = False, self._now
        line.queue.free.append(line)
        self._dispatch(line.queue)

    def _take(self, line: _Line) -> None:
        """The agent is no longer free for calls."""
        line.queue.free.remove(line)
        line.busy = True
        if self._now > line.free_since:
            self.idle.append((line.agent, line.free_since, self._now))

    def _rest(self, line: _Line) -> Process:
        """The pauses that are due, none of them after-call work."""
        while line.due:
            reason, seconds = line.due.pop(0)
            self._member(line, "PAUSE", reason)
            yield self._env.timeout(seconds)
            self._member(line, "UNPAUSE", reason)
        self._available(line)

    def _wrap_up(self, line: _Line, visit: Visit, stream: Stream, strain: float) -> None:
        seconds = 0
        if not stream.chance(0.12):
            seconds = stream.lognormal(visit.team.wrap * 0.85 * strain, 0.6, low=3, high=600)
        visit.wrap_seconds = seconds
        if seconds:
            self._member(line, "PAUSE", "wrapup")
        self._env.process(self._finish(line, seconds, stream.chance(0.015), stream.whole(240, 600)))

    def _finish(self, line: _Line, wrap: int, wants_break: bool, break_seconds: int) -> Process:
        if wrap:
            yield self._env.timeout(wrap)
            self._member(line, "UNPAUSE", "wrapup")
        if wants_break and not line.due:
            line.due.append(("break", break_seconds))
        self._available(line)

    def _dispatch(self, queue: _Queue) -> None:
        """Ring the agents idle longest for the callers who came first."""
        for waiting in queue.waiting:
            if not queue.free:
                return
            if waiting.ringing is None and waiting.line is None:
                line = queue.free[0]
                self._take(line)
                waiting.ringing = _Ringing(line, self._now, self._env.event())
                self._env.process(self._ring(queue, waiting, waiting.ringing))

    def _ring(self, queue: _Queue, waiting: _Waiting, ringing: _Ringing) -> Process:
        visit, line, stream = waiting.visit, ringing.line, waiting.stream
        channel = f"{ringing.since}.{self._channel()}"
        answers = not stream.chance(0.045)
        seconds = stream.lognormal(4.5, 0.5, low=1, high=RING_LIMIT - 1) if answers else RING_LIMIT
        yield ringing.cancelled | self._env.timeout(seconds)
        if waiting.gone:
            self._available(line)
        elif answers:
            queue.waiting.remove(waiting)
            waiting.line, waiting.ringing = line, None
            visit.left_at, visit.outcome, visit.agent = self._now, "answered", line.agent
            visit.ring_seconds = self._now - ringing.since
            self._about(waiting, line.agent.name, "CONNECT", visit.wait_seconds, channel, visit.ring_seconds)
            waiting.woken.succeed()
        else:
            waiting.ringing = None
            visit.rings_unanswered += 1
            self._about(waiting, line.agent.name, "RINGNOANSWER", seconds * 1000)
            self._dispatch(queue)
            yield self._env.timeout(stream.whole(10, 40))  # away from the desk
            self._available(line)

    def _cancel(self, waiting: _Waiting, ringing: _Ringing) -> None:
        """The caller has gone while an agent's telephone rang: its line in the log comes before the caller's."""
        ringing.cancelled.succeed()
        rang = self._now - ringing.since
        if waiting.gone == "abandoned":
            self._about(waiting, ringing.line.agent.name, "RINGCANCELED", rang * 1000)
        else:
            waiting.visit.rings_unanswered += 1
            self._about(waiting, ringing.line.agent.name, "RINGNOANSWER", rang * 1000)

    # The log

    @property
    def _now(self) -> int:
        return int(self._env.now)

    def _channel(self) -> int:
        self._channels += 1
        return self._channels

    def _member(self, line: _Line, event: str, detail: str = "", callid: str = "NONE") -> None:
        self._write(self._now, callid, line.queue.team.queue, line.agent.name, event, detail)
        if line.state is not None:
            line.state.until = self._now
            line.state = None
        if event != "REMOVEMEMBER":
            state = "available" if event != "PAUSE" else "wrap" if detail == "wrapup" else detail
            line.state = State(line.agent, state, self._now)
            self.states.append(line.state)

    def _about(self, waiting: _Waiting, agent: str, event: str, *details: object) -> None:
        self._write(self._now, waiting.call.call_id, waiting.visit.team.queue, agent, event, *details)

    def _write(self, at: int, callid: str, queue: str, agent: str, event: str, *details: object) -> None:
        self.log.append((at, "|".join(map(str, (at, callid, queue, agent, event, *details)))))

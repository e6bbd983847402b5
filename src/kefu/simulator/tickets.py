"""The writing side: tickets from e-mail, web form and chat, and the agents who work on them.

Each ticket lives through updates (`Audit`): who did what at which second, with every field that changed. Work waits in
the team's queue until an agent on shift takes it, so that more demand makes every reply later. Fields and statuses are
in plain words (``on_hold``, team ids, agents); `kefu.simulator.zendesk` says how the ticketing system words them.

The kinds of trouble a report has to survive are all here: bot replies, internal notes, wrong teams, reminders and
solving by rule, reopening by a complaint or by mere thanks, agents who open a ticket for a caller, merged, deleted and
spam tickets, follow-ups, ratings that change.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import simpy

from kefu.simulator import texts
from kefu.simulator.chance import Stream
from kefu.simulator.people import Agent, Customer, Customers, at_work, shift_of
from kefu.simulator.telephony import Call
from kefu.simulator.world import DAY, HOUR, TEAM, TEAMS, Team, World

ActorKind = Literal["customer", "agent", "bot", "system"]
Process = Generator[simpy.Event, Any, None]

CLOSED_AFTER = 20 * DAY
ASKED_AFTER = DAY
GIVEN_UP_AFTER = 5 * DAY
LOOKED_AT = 40  # how far down the pile an agent looks for work
URGENCY = {"urgent": 0, "high": 1, "normal": 2, "low": 3, None: 2}
WRITING_WEIGHTS = {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2, 7: 4, 8: 8, 9: 11, 10: 12, 11: 10, 12: 8, 13: 8,
                   14: 10, 15: 10, 16: 9, 17: 8, 18: 6, 19: 7, 20: 8, 21: 7, 22: 5, 23: 3}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """Who did something: a customer, an agent, a bot (automatic message) or the system itself."""

    kind: ActorKind
    person: Customer | Agent | None = None


SYSTEM = Actor("system")
BOT = Actor("bot")


@dataclass(frozen=True)
class Change:
    """A field that got another value. ``by_rule``: not by the actor but by a trigger that ran along."""

    field: str  # status, team, agent, priority, type, tags, satisfaction, customer, subject
    old: Any
    new: Any
    by_rule: bool = False


@dataclass(frozen=True)
class Comment:
    """A message on the ticket; internal notes are not public."""

    author: Actor
    public: bool
    text: str


@dataclass(frozen=True)
class Audit:
    """One update of a ticket: everything in it happened together."""

    at: int
    actor: Actor
    how: str  # email, web, chat, agent, rule, merge, api
    changes: tuple[Change, ...]
    comment: Comment | None
    number: int  # position among all updates of all tickets
    created: bool = False


@dataclass
class Ticket:
    """A ticket with its present state and its whole past."""

    number: int
    created_at: int
    customer: Customer
    channel: str
    subject: str
    creator: Actor
    follow_up_of: int | None
    call_id: str | None
    status: str = "new"
    team: Team | None = None
    agent: Agent | None = None
    priority: str | None = None
    type: str | None = None
    tags: tuple[str, ...] = ()
    satisfaction: str = "unoffered"
    audits: list[Audit] = field(default_factory=list)
    rating: Rating | None = None
    excluded: str | None = None  # deleted, spam, merged
    excluded_at: int | None = None
    merged_into: int | None = None
    effort: int = 0  # human replies so far
    troubled: bool = False

    @property
    def id(self) -> int:
        """The ticket's number in the ticketing system."""
        return 1000 + self.number


@dataclass
class Rating:
    """The customer's verdict on a ticket: offered once, given perhaps, changed sometimes."""

    ticket: int
    offered_at: int
    team: Team | None
    agent: Agent | None
    scores: list[Score] = field(default_factory=list)


@dataclass(frozen=True)
class Score:
    """The verdict as it stood from one instant on, and who was in charge of the ticket then."""

    at: int
    score: str  # good, bad
    comment: str | None
    reason: str | None
    team: Team | None
    agent: Agent | None


@dataclass(order=True)
class _Work:
    urgency: int
    ready_at: int
    order: int
    seconds: int = field(compare=False)
    owner: Agent | None = field(compare=False)
    taken: simpy.Event = field(compare=False)


class _Desk:
    """What waits for a team's writing agents."""

    def __init__(self, env: simpy.Environment) -> None:
        """Start with nothing to do."""
        self._env = env
        self._work: list[_Work] = []
        self._order = 0
        self.idle: list[simpy.Event] = []

    def put(self, urgency: int, seconds: int, owner: Agent | None) -> simpy.Event:
        """Queue work; the event fires with the agent who has done it."""
        self._order += 1
        taken = self._env.event()
        heapq.heappush(self._work, _Work(urgency, int(self._env.now), self._order, seconds, owner, taken))
        idle, self.idle = self.idle, []
        for event in idle:
            event.succeed()
        return taken

    def take(self, agent: Agent) -> _Work | None:
        """The most urgent work that is the agent's own, nobody's, or has waited too long for its owner."""
        now = int(self._env.now)
        for work in heapq.nsmallest(LOOKED_AT, self._work):
            if work.owner in (None, agent) or now - work.ready_at > 10 * HOUR:
                self._work.remove(work)
                heapq.heapify(self._work)
                return work
        return None


class TicketDesk:
    """Runs the ticket side over the whole period; afterwards ``tickets`` holds everything that happened."""

    def __init__(self, world: World, agents: list[Agent], customers: Customers, calls: list[Call]) -> None:
        """Prepare the desks; the calls are those that may leave a ticket behind."""
        self.world = world
        self.customers = customers
        self.tickets: list[Ticket] = []
        self._agents = [agent for agent in agents if not agent.on_phone]
        self._calls = calls
        self._env = simpy.Environment(initial_time=world.begins)
        self._desks = {team.id: _Desk(self._env) for team in TEAMS}
        self._audits = 0
        self._hourly: dict[int, simpy.Event] = {}

    def run(self) -> None:
        """Let the whole period happen."""
        for agent in self._agents:
            self._env.process(self._work(agent))
        self._env.process(self._arrivals())
        self._env.process(self._after_calls())
        self._env.run(until=self.world.ends)

    # Demand

    def _arrivals(self) -> Process:
        weight = sum(WRITING_WEIGHTS.values())
        for day in self.world.days():
            due: list[tuple[int, int, Team]] = []
            for order, team in enumerate(TEAMS):
                stream = Stream(self.world.seed, "letters", team.id, day)
                mean = team.tickets_a_day * self.world.scale * (0.5 + 0.5 * self.world.demand(team, day))
                if self.world.in_story(team, day):
                    mean *= 1.25
                for hour, share in WRITING_WEIGHTS.items():
                    begin, end = self.world.epoch(day, hour), self.world.epoch(day, hour + 1)
                    if end > begin:
                        count = stream.poisson(mean * share / weight)
                        due += [(stream.whole(begin, end - 1), order, team) for _ in range(count)]
            for at, _, team in sorted(due, key=lambda letter: letter[:2]):
                yield self._env.timeout(at - self._now)
                self._letter(team)

    def _letter(self, team: Team) -> None:
        stream = Stream(self.world.seed, "ticket", len(self.tickets) + 1)
        customer = self.customers.someone(stream, self._now)
        channel = stream.weighted((("email", 0.52), ("web", 0.27), ("chat", 0.21)))
        self._open(customer, channel, team, stream)

    def _after_calls(self) -> Process:
        """Some calls leave a ticket behind, opened by the agent who answered."""
        for call in sorted(self._calls, key=lambda call: (call.ended_at or 0, call.number)):
            if call.outcome != "answered" or call.ended_at is None or call.ended_at >= self.world.ends - 60:
                continue
            stream = Stream(self.world.seed, "from call", call.number)
            if not stream.chance(0.035):
                continue
            last = call.answered[-1]
            assert last.agent is not None
            yield self._env.timeout(max(call.ended_at - self._now, 0))
            self._open_for_caller(call, last.team, last.agent, stream)

    # A ticket's beginning

    def _new(
        self,
        customer: Customer,
        channel: str,
        creator: Actor,
        subject: str,
        follow_up_of: int | None = None,
        call_id: str | None = None,
    ) -> Ticket:
        ticket = Ticket(len(self.tickets) + 1, self._now, customer, channel, subject, creator, follow_up_of, call_id)
        self.tickets.append(ticket)
        return ticket

    def _open(self, customer: Customer, channel: str, team: Team, stream: Stream, after: Ticket | None = None) -> None:
        """A customer writes."""
        me = Actor("customer", customer)
        ticket = self._new(customer, channel, me, texts.subject(team.id, stream), after.id if after else None)
        routed = stream.pick([other for other in TEAMS if other is not team]) if stream.chance(0.12) else team
        priority = stream.weighted(((None, 0.3), ("low", 0.1), ("normal", 0.42), ("high", 0.14), ("urgent", 0.04)))
        kind = stream.weighted(
            ((None, 0.35), ("question", 0.35), ("problem", 0.18), ("incident", 0.08), ("task", 0.04))
        )
        self._audit(
            ticket,
            me,
            channel,
            Change("status", None, "new"),
            Change("customer", None, customer),
            Change("subject", None, ticket.subject),
            Change("priority", None, priority),
            Change("type", None, kind),
            Change("team", None, None),
            Change("agent", None, None),
            Change("team", None, routed, by_rule=True),
            comment=Comment(me, public=True, text=texts.question(team.id, stream)),
            created=True,
        )
        self._env.process(self._live(ticket, team, stream))

    def _open_for_caller(self, call: Call, team: Team, agent: Agent, stream: Stream) -> None:
        """An agent opens a ticket for somebody on the telephone; sometimes only to note what has been solved."""
        me = Actor("agent", agent)
        ticket = self._new(call.customer, "web", me, texts.subject(team.id, stream), call_id=call.call_id)
        noted = stream.chance(0.22)
        public = stream.chance(0.55)
        self._audit(
            ticket,
            me,
            "web",
            Change("status", None, "solved" if noted else "open"),
            Change("customer", None, call.customer),
            Change("subject", None, ticket.subject),
            Change("priority", None, stream.pick(("normal", "high"))),
            Change("type", None, stream.pick(("question", "problem"))),
            Change("team", None, team),
            Change("agent", None, agent),
            comment=Comment(me, public=public, text=texts.reply(team.id, stream) if public else texts.note(stream)),
            created=True,
        )
        if public:
            ticket.effort += 1
        self._env.process(self._live(ticket, team, stream, noted=noted))

    # Its life

    def _live(self, ticket: Ticket, team: Team, stream: Stream, noted: bool = False) -> Process:
        """From the first message to the end."""
        if ticket.creator.kind == "customer":
            if ticket.channel != "chat" and stream.chance(0.5):
                yield self._env.timeout(stream.whole(1, 4))
                self._audit(ticket, BOT, "rule", comment=Comment(BOT, public=True, text=texts.RECEIVED))
            if stream.chance(0.012):
                yield from self._spam(ticket, stream)
                return
            if stream.chance(0.03) and (other := self._elsewhere_open(ticket)) is not None:
                merged = yield from self._merge(ticket, other, stream)
                if merged:
                    return
        rounds = 0
        solved = noted
        while True:
            if not solved:
                yield from self._handle(ticket, team, stream)
            rounds += 1
            fate = yield from self._rest(ticket, team, stream, rounds)
            if fate != "reopened":
                break
            solved = False
        if fate == "closed" and stream.chance(0.02):
            yield self._env.timeout(stream.whole(HOUR, 6 * DAY))
            self._open(ticket.customer, "email", team, stream, after=ticket)

    def _handle(self, ticket: Ticket, team: Team, stream: Stream) -> Process:
        """Until the ticket is solved."""
        while ticket.status != "solved":
            agent = yield from self._next_agent(ticket, stream)
            changes = self._take(ticket, agent, stream)
            if ticket.team is not team:
                yield from self._hand_to_team(ticket, agent, team, changes, stream)
                continue
            if ticket.agent is not None and stream.chance(0.05):
                yield from self._hand_to_colleague(ticket, agent, changes, stream)
                continue
            if stream.chance(0.16):
                # First a note to oneself or to the others, then the reply.
                note = Comment(Actor("agent", agent), public=False, text=texts.note(stream))
                self._audit(ticket, Actor("agent", agent), "agent", *changes, comment=note)
                changes = []
                yield self._env.timeout(stream.lognormal(900, 0.8, low=30, high=6 * HOUR))
            yield from self._reply(ticket, team, agent, changes, stream)

    def _next_agent(self, ticket: Ticket, stream: Stream) -> Generator[simpy.Event, Any, Agent]:
        desk = self._desks[ticket.team.id] if ticket.team else self._desks["orders"]
        urgency = URGENCY[ticket.priority] - (2 if ticket.channel == "chat" else 0)
        seconds = stream.lognormal(150 if ticket.channel == "chat" else 480, 0.6, low=40, high=2 * HOUR)
        agent: Agent = yield desk.put(urgency, seconds, ticket.agent)
        return agent

    def _take(self, ticket: Ticket, agent: Agent, stream: Stream) -> list[Change]:
        """What changes because this agent now works on the ticket."""
        changes = []
        if ticket.agent is None:
            changes.append(Change("agent", None, agent))
        elif ticket.agent is not agent and stream.chance(0.6):
            changes.append(Change("agent", ticket.agent, agent))
        if ticket.status in ("new", "on_hold"):
            changes.append(Change("status", ticket.status, "open"))
        if ticket.priority is None and stream.chance(0.7):
            changes.append(Change("priority", None, stream.pick(("low", "normal", "normal", "high"))))
        elif stream.chance(0.04) and ticket.priority != "urgent":
            changes.append(Change("priority", ticket.priority, "urgent"))
        if ticket.type is None and stream.chance(0.5):
            changes.append(Change("type", None, stream.pick(("question", "problem"))))
        return changes

    def _hand_to_team(self, ticket: Ticket, agent: Agent, team: Team, changes: list[Change], stream: Stream) -> Process:
        """The ticket came to the wrong team; it goes on without an agent."""
        me = Actor("agent", agent)
        kept = [change for change in changes if change.field not in ("agent",)]
        if ticket.agent is not None:
            kept.append(Change("agent", ticket.agent, None))
        note = Comment(me, public=False, text=texts.note(stream)) if stream.chance(0.5) else None
        self._audit(ticket, me, "agent", *kept, Change("team", ticket.team, team), comment=note)
        yield self._env.timeout(0)

    def _hand_to_colleague(self, ticket: Ticket, agent: Agent, changes: list[Change], stream: Stream) -> Process:
        colleagues = [
            other for other in self._agents if other.team is ticket.team and other is not agent and not other.leaves
        ]
        kept = [change for change in changes if change.field != "agent"]
        if colleagues:
            kept.append(Change("agent", ticket.agent, stream.pick(colleagues)))
        kept = [change for change in kept if change.old is not change.new]
        self._audit(ticket, Actor("agent", agent), "agent", *kept)
        yield self._env.timeout(0)

    def _reply(self, ticket: Ticket, team: Team, agent: Agent, changes: list[Change], stream: Stream) -> Process:
        """One step of the work: an answer, a question back, waiting for somebody else."""
        me = Actor("agent", agent)
        story = self.world.in_story(team, self.world.local(self._now).date())
        hard = 0.10 if story else 0.0
        step = stream.weighted(
            (("solve", 0.50 - hard), ("ask", 0.28), ("hold", 0.10 + hard), ("go on", 0.09), ("solve quietly", 0.03))
        )
        message = Comment(me, public=True, text=texts.reply(team.id, stream))
        now = next((change.new for change in changes if change.field == "status"), ticket.status)
        changes = [change for change in changes if change.field != "status"]

        def to(status: str) -> list[Change]:
            return [*changes, Change("status", ticket.status, status)] if status != ticket.status else changes

        if step == "solve":
            self._audit(ticket, me, "agent", *to("solved"), comment=message)
        elif step == "solve quietly":
            self._audit(ticket, me, "agent", *to("solved"))
        elif step == "go on":
            self._audit(ticket, me, "agent", *to(now if now != "new" else "open"), comment=message)
            yield self._env.timeout(stream.lognormal(5 * HOUR, 0.8, low=HOUR // 2, high=2 * DAY))
        elif step == "hold":
            comment = message if stream.chance(0.6) else Comment(me, public=False, text=texts.note(stream))
            self._audit(ticket, me, "agent", *to("on_hold"), comment=comment)
            yield self._env.timeout(stream.lognormal(DAY * (1.8 if story else 1.2), 0.7, low=2 * HOUR, high=6 * DAY))
        else:
            self._audit(ticket, me, "agent", *to("pending"), comment=message)
            yield from self._wait_for_customer(ticket, team, stream)

    def _wait_for_customer(self, ticket: Ticket, team: Team, stream: Stream) -> Process:
        delay = 600 if ticket.channel == "chat" else 9 * HOUR
        if stream.chance(0.74):
            answer = stream.lognormal(delay, 1.0, low=60, high=GIVEN_UP_AFTER - DAY)
            reminded = 2 * DAY
            if answer > reminded:
                yield self._env.timeout(reminded)
                self._audit(ticket, BOT, "rule", comment=Comment(BOT, public=True, text=texts.REMINDER))
                answer -= reminded
            yield self._env.timeout(answer)
            me = Actor("customer", ticket.customer)
            comment = Comment(me, public=True, text=texts.answer(stream))
            self._audit(ticket, me, ticket.channel, Change("status", ticket.status, "open"), comment=comment)
            return
        yield self._env.timeout(2 * DAY)
        self._audit(ticket, BOT, "rule", comment=Comment(BOT, public=True, text=texts.REMINDER))
        yield self._env.timeout(GIVEN_UP_AFTER - 2 * DAY)
        yield self._at_the_hour()
        self._audit(ticket, SYSTEM, "rule", Change("status", ticket.status, "solved"))

    # After the solution

    def _rest(
        self, ticket: Ticket, team: Team, stream: Stream, rounds: int
    ) -> Generator[simpy.Event, Any, Literal["reopened", "closed", "deleted"]]:
        """From a solution to the next thing: the customer comes back, or the ticket is closed."""
        solved_at = self._now
        story = self.world.in_story(team, self.world.local(ticket.created_at).date())
        ticket.troubled = ticket.troubled or story
        complaint = stream.chance((0.075 + (0.13 if story else 0.0)) / rounds)
        thanks = not complaint and stream.chance(0.06)
        deleted = stream.chance(0.006)
        back_after = self.world.ends
        if complaint:
            back_after = stream.lognormal(1.1 * DAY, 1.1, low=300, high=CLOSED_AFTER - DAY)
        elif thanks:
            back_after = stream.lognormal(6 * HOUR, 0.9, low=120, high=6 * DAY)
        asks = ticket.rating is None and ticket.creator.kind == "customer" and stream.chance(0.9)
        if asks and back_after > ASKED_AFTER + HOUR:
            yield self._env.timeout(ASKED_AFTER)
            yield self._at_the_hour()
            self._offer_rating(ticket, stream)
        if complaint or thanks:
            yield self._env.timeout(max(solved_at + back_after - self._now, 60))
            me = Actor("customer", ticket.customer)
            text = texts.THANKS if thanks else texts.complaint(stream)
            self._audit(
                ticket,
                me,
                "email" if ticket.channel == "chat" else ticket.channel,
                Change("status", ticket.status, "open"),
                comment=Comment(me, public=True, text=text),
            )
            if complaint:
                return "reopened"
            # Mere thanks: somebody closes the ticket again without a word, mostly at once.
            quick = stream.chance(0.65)
            pause = stream.lognormal(700, 0.8, low=45, high=3300) if quick else stream.whole(4000, 11 * HOUR)
            yield self._env.timeout(pause)
            who = Actor("agent", ticket.agent) if ticket.agent else SYSTEM
            self._audit(ticket, who, "agent" if ticket.agent else "rule", Change("status", "open", "solved"))
            solved_at = self._now
        if deleted:
            yield self._env.timeout(stream.whole(HOUR, 5 * DAY))
            self._delete(ticket, "deleted", Actor("agent", ticket.agent) if ticket.agent else SYSTEM)
            return "deleted"
        yield self._env.timeout(max(solved_at + CLOSED_AFTER - self._now, 0))
        yield self._at_the_hour()
        self._audit(ticket, SYSTEM, "rule", Change("status", ticket.status, "closed"))
        return "closed"

    def _offer_rating(self, ticket: Ticket, stream: Stream) -> None:
        rating = Rating(ticket.id, self._now, ticket.team, ticket.agent)
        ticket.rating = rating
        self._audit(ticket, SYSTEM, "rule", Change("satisfaction", ticket.satisfaction, "offered"))
        if stream.chance(0.27):
            self._env.process(self._rate(ticket, rating, stream))

    def _rate(self, ticket: Ticket, rating: Rating, stream: Stream) -> Process:
        own = Stream(self.world.seed, "rating", ticket.number)
        yield self._env.timeout(own.lognormal(9 * HOUR, 1.3, low=60, high=15 * DAY))
        waited = self._hours_to_first_reply(ticket)
        content = (ticket.team or TEAM["orders"]).satisfied + 0.04 - min(waited, 72) / 72 * 0.25
        content -= 0.14 if ticket.troubled else 0.0
        content -= 0.05 * max(ticket.effort - 2, 0)
        score = "good" if own.chance(min(max(content, 0.05), 0.97)) else "bad"
        self._score(ticket, rating, score, own)
        if own.chance(0.05):
            yield self._env.timeout(own.lognormal(DAY, 0.8, low=300, high=6 * DAY))
            self._score(ticket, rating, "good" if score == "bad" else "bad", own)

    def _score(self, ticket: Ticket, rating: Rating, score: str, stream: Stream) -> None:
        if ticket.status in ("closed", "deleted"):
            return
        comment = texts.verdict(score, stream) if stream.chance(0.25) else None
        reason = stream.pick(texts.REASONS) if score == "bad" and stream.chance(0.6) else None
        rating.scores.append(Score(self._now, score, comment, reason, ticket.team, ticket.agent))
        me = Actor("customer", ticket.customer)
        self._audit(ticket, me, "web", Change("satisfaction", ticket.satisfaction, score))

    # Ends of another kind

    def _spam(self, ticket: Ticket, stream: Stream) -> Process:
        yield self._env.timeout(stream.lognormal(5 * HOUR, 1.0, low=60, high=3 * DAY))
        agents = [agent for agent in self._agents if agent.team is ticket.team]
        self._delete(ticket, "spam", Actor("agent", stream.pick(agents)))

    def _delete(self, ticket: Ticket, reason: str, actor: Actor) -> None:
        ticket.excluded, ticket.excluded_at = reason, self._now
        self._audit(ticket, actor, "agent" if actor.person else "rule", Change("status", ticket.status, "deleted"))

    def _elsewhere_open(self, ticket: Ticket) -> Ticket | None:
        """Another ticket about the same thing: the latest one of the team that is still open."""
        for other in reversed(self.tickets[-200:]):
            if other is not ticket and self._takes_merges(other) and other.team is ticket.team:
                return other
        return None

    def _takes_merges(self, ticket: Ticket) -> bool:
        return ticket.status in ("new", "open", "pending") and not ticket.excluded

    def _merge(self, ticket: Ticket, other: Ticket, stream: Stream) -> Generator[simpy.Event, Any, bool]:
        """An agent merges the ticket into the other one, if that is still open by then."""
        agent: Agent = yield from self._next_agent(ticket, stream)
        me = Actor("agent", agent)
        if not self._takes_merges(other):
            self._audit(ticket, me, "agent", *self._take(ticket, agent, stream))
            return False
        ticket.excluded, ticket.excluded_at, ticket.merged_into = "merged", self._now, other.id
        self._audit(
            ticket,
            me,
            "merge",
            *([Change("agent", ticket.agent, agent)] if ticket.agent is None else []),
            Change("status", ticket.status, "closed"),
            Change("tags", ticket.tags, (*ticket.tags, "closed_by_merge")),
            comment=Comment(me, public=False, text=texts.merged_into(other.id)),
        )
        self._audit(other, me, "merge", comment=Comment(me, public=False, text=texts.merged_from(ticket.id)))
        return True

    # Agents

    def _work(self, agent: Agent) -> Process:
        """All shifts of one writing agent."""
        desk = self._desks[agent.team.id]
        for day in self.world.days():
            if not at_work(self.world, agent, day):
                continue
            begin, end = shift_of(self.world, agent, day)
            stream = Stream(self.world.seed, "desk", agent.number, day)
            begin += stream.whole(0, 600)
            lunch = begin + stream.whole(3, 4) * HOUR
            if begin > self._now:
                yield self._env.timeout(begin - self._now)
            while self._now < end:
                if lunch and self._now >= lunch:
                    lunch = 0
                    yield self._env.timeout(2700)
                    continue
                work = desk.take(agent)
                if work is None:
                    more = self._env.event()
                    desk.idle.append(more)
                    yield more | self._env.timeout(min(end - self._now, HOUR))
                    continue
                yield self._env.timeout(work.seconds)
                work.taken.succeed(agent)
                yield self._env.timeout(stream.whole(5, 90))

    # Book-keeping

    @property
    def _now(self) -> int:
        return int(self._env.now)

    def _at_the_hour(self) -> simpy.Event:
        """The next run of the automations, one a hour: many tickets change in that same second."""
        tick = self._now // HOUR * HOUR + HOUR + 7
        if tick not in self._hourly:
            self._hourly = {tick: self._env.timeout(tick - self._now)}
        return self._hourly[tick]

    def _hours_to_first_reply(self, ticket: Ticket) -> float:
        for audit in ticket.audits[1:]:
            if audit.comment and audit.comment.public and audit.comment.author.kind == "agent":
                return (audit.at - ticket.created_at) / HOUR
        return 0.0

    def _audit(
        self,
        ticket: Ticket,
        actor: Actor,
        how: str,
        *changes: Change,
        comment: Comment | None = None,
        created: bool = False,
    ) -> None:
        """Write one update and bring the ticket's state up to date."""
        if not changes and comment is None:
            return
        for change in changes:
            if change.field != "subject":
                setattr(ticket, change.field, change.new)
        if comment and comment.public and comment.author.kind == "agent" and not created:
            ticket.effort += 1
        self._audits += 1
        ticket.audits.append(Audit(self._now, actor, how, tuple(changes), comment, self._audits, created))

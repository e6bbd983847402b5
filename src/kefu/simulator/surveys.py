"""The survey after a call: one mailing a team and day, the morning after, and what customers answer.

Who was asked less than a week ago is blocked. Some addresses bounce, some customers answer too late, some stop
half-way, some answer twice; staff preview and test the survey, robots fill it in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from kefu.simulator import texts
from kefu.simulator.chance import Stream
from kefu.simulator.people import Agent, Customer
from kefu.simulator.telephony import Call
from kefu.simulator.world import DAY, HOUR, TEAMS, Team, World

ANSWER_WINDOW = 7 * DAY
ASKED_AGAIN_AFTER = 7 * DAY
INCOMPLETE_RECORDED_AFTER = 7 * DAY

NPS_BY_SATISFACTION = {
    5: ((10, 0.45), (9, 0.30), (8, 0.17), (7, 0.08)),
    4: ((9, 0.22), (8, 0.40), (7, 0.25), (6, 0.13)),
    3: ((7, 0.25), (6, 0.35), (5, 0.40)),
    2: ((5, 0.30), (4, 0.30), (3, 0.25), (2, 0.15)),
    1: ((3, 0.20), (2, 0.20), (1, 0.20), (0, 0.40)),
}
# Who says that the matter was solved the first time: customers forget, guess and misread the question.
SAYS_SOLVED = {"solved": 0.93, "solved at last": 0.18, "not solved": 0.12}
YES, NO = 1, 2


@dataclass
class Invitation:
    """One customer asked about one call. ``states`` are the mailing system's words for it as time goes by."""

    mailing: Mailing
    contact_id: str
    customer: Customer
    call: Call
    agent: Agent
    sent_at: int
    outcome: str  # delivered, bounced, failed, suppressed
    states: list[tuple[int, str]] = field(default_factory=list)
    opened_at: int | None = None
    responses: list[Response] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The invitation's key: mailing and contact."""
        return f"{self.mailing.id}:{self.contact_id}"


@dataclass
class Mailing:
    """All invitations of one team and day."""

    id: str
    team: Team
    sent_at: int
    invitations: list[Invitation] = field(default_factory=list)


@dataclass
class Response:
    """One answer sheet. ``kind`` is normal, preview, test or spam; only normal ones can count."""

    id: str
    kind: str
    invitation: Invitation | None
    started_at: int
    ended_at: int
    recorded_at: int
    finished: bool
    progress: int
    csat: int | None
    nps: int | None
    comment: str | None
    language: str
    solved: int | None = None  # the first time, as the customer sees it: YES or NO
    verdict: str = ""  # counted, superseded, too_late, incomplete, preview, test, spam


class Survey:
    """Runs the survey over the whole period; afterwards ``mailings`` and ``responses`` hold everything."""

    def __init__(self, world: World, calls: list[Call]) -> None:
        """Prepare the survey about these calls."""
        self.world = world
        self.id = "SV_" + Stream(world.seed, "survey").letters(15)
        self.mailings: list[Mailing] = []
        self.responses: list[Response] = []
        self._calls = calls
        self._by_id = {call.call_id: call for call in calls}
        self._asked: dict[int, int] = {}

    def run(self) -> None:
        """Let the whole period happen."""
        for mailing in self._plan():
            for invitation in mailing.invitations:
                self._deliver(invitation)
        self._try_out()
        # What would happen after the end of the world has not happened.
        self.responses = [response for response in self.responses if response.recorded_at < self.world.ends]
        for mailing in self.mailings:
            for invitation in mailing.invitations:
                invitation.states = [state for state in invitation.states if state[0] < self.world.ends]
                invitation.responses = [
                    response for response in invitation.responses if response.recorded_at < self.world.ends
                ]
                if invitation.opened_at is not None and invitation.opened_at >= self.world.ends:
                    invitation.opened_at = None
                _judge(invitation)
        self.responses.sort(key=lambda response: (response.recorded_at, response.id))

    def _plan(self) -> list[Mailing]:
        """Who is asked about what: a mailing a team and day, in the order in which they go out."""
        due: dict[tuple[int, int], list[Call]] = {}
        for call in self._calls:
            if call.outcome != "answered" or call.ended_at is None:
                continue
            last = call.answered[-1]
            if (last.talk_seconds or 0) < 30 or not Stream(self.world.seed, "asked", call.number).chance(0.45):
                continue
            day = self.world.local(call.ended_at).date() + timedelta(days=1)
            order = TEAMS.index(last.team)
            due.setdefault((self.world.epoch(day, 10, order), order), []).append(call)
        for (sent_at, order), calls in sorted(due.items()):
            if sent_at >= self.world.ends:
                continue
            team = TEAMS[order]
            stream = Stream(self.world.seed, "mailing", team.id, sent_at)
            mailing = Mailing("EMD_" + stream.letters(15), team, sent_at)
            asked: set[int] = set()
            for call in calls:
                if call.customer.number in asked:
                    continue
                asked.add(call.customer.number)
                agent = call.answered[-1].agent
                assert agent is not None
                mailing.invitations.append(
                    Invitation(
                        mailing,
                        "CID_" + Stream(self.world.seed, "contact", call.customer.number).letters(15),
                        call.customer,
                        call,
                        agent,
                        sent_at + len(mailing.invitations) % 40,
                        "delivered",
                    )
                )
            self.mailings.append(mailing)
        return self.mailings

    def _deliver(self, invitation: Invitation) -> None:
        stream = Stream(self.world.seed, "invitation", invitation.id)
        sent, number = invitation.sent_at, invitation.customer.number
        if sent - self._asked.get(number, 0) < ASKED_AGAIN_AFTER:
            invitation.outcome = "suppressed"
            invitation.states.append((sent, "Blocked"))
            return
        self._asked[number] = sent
        fate = stream.weighted((("delivered", 0.955), ("HardBounce", 0.025), ("SoftBounce", 0.012), ("Failure", 0.008)))
        if fate != "delivered":
            invitation.outcome = "failed" if fate == "Failure" else "bounced"
            invitation.states.append((sent, fate))
            return
        invitation.states.append((sent, "Success"))
        mood = invitation.call.mood
        answers = stream.chance(0.22 + 0.16 * abs(mood - 0.5) * 2)
        if not answers and not stream.chance(0.35):
            return
        delay = stream.lognormal(6 * HOUR, 1.3, low=60, high=6 * DAY + 20 * HOUR)
        if stream.chance(0.06):
            delay = stream.whole(7 * DAY + 2 * HOUR, 12 * DAY)
        invitation.opened_at = sent + delay
        invitation.states.append((invitation.opened_at, "Opened"))
        if answers:
            self._answer(invitation, invitation.opened_at + stream.whole(3, 40), stream)

    def _answer(self, invitation: Invitation, started: int, stream: Stream) -> None:
        mood = invitation.call.mood
        seconds = stream.lognormal(70, 0.6, low=12, high=1800)
        invitation.states.append((started, "SurveyStarted"))
        if stream.chance(0.05):
            recorded = started + INCOMPLETE_RECORDED_AFTER
            self._record(invitation, "normal", started, started + seconds, recorded, stream, mood, finished=False)
            invitation.states.append((recorded, "SurveyPartiallyFinished"))
            return
        ended = started + seconds
        self._record(invitation, "normal", started, ended, ended + stream.whole(0, 2), stream, mood)
        invitation.states.append((ended, "SurveyFinished"))
        if stream.chance(0.025):
            again = ended + stream.whole(HOUR, 4 * DAY)
            if abs(again - invitation.sent_at - ANSWER_WINDOW) < 2 * HOUR:
                again += 4 * HOUR
            self._record(invitation, "normal", again, again + seconds, again + seconds + 1, stream, mood * 0.8)

    def _try_out(self) -> None:
        """Staff preview and test the survey on Mondays; a robot finds it now and then."""
        for day in self.world.days():
            stream = Stream(self.world.seed, "try-out", day)
            kinds = [*(("preview", "test") if day.weekday() == 0 else ())]
            kinds += ["spam"] if stream.chance(0.1) else []
            for kind in kinds:
                started = self.world.epoch(day, 9) + stream.whole(0, 8 * HOUR)
                ended = started + stream.whole(4, 90)
                self._record(None, kind, started, ended, ended + 1, stream, stream.uniform())

    def _record(
        self,
        invitation: Invitation | None,
        kind: str,
        started: int,
        ended: int,
        recorded: int,
        stream: Stream,
        mood: float,
        *,
        finished: bool = True,
    ) -> None:
        draw = stream.uniform()
        if draw < mood * 0.62:
            csat = 5
        elif draw < mood:
            csat = 4
        else:
            csat = stream.weighted(((3, 0.36), (2, 0.24), (1, 0.40)))
        nps = None if stream.chance(0.05) else stream.weighted(NPS_BY_SATISFACTION[csat])
        comment = texts.impression(csat, stream) if stream.chance(0.3) else None
        response = Response(
            "R_" + stream.letters(15),
            kind,
            invitation,
            started,
            ended,
            recorded,
            finished,
            100 if finished else 33,
            csat,
            nps if finished else None,
            comment if finished else None,
            stream.pick(("EN", "ZH-S", "ZH-S")),
            verdict="" if kind == "normal" else kind,
        )
        response.solved = self._says_solved(response)
        self.responses.append(response)
        if invitation is not None:
            invitation.responses.append(response)

    def _says_solved(self, response: Response) -> int | None:
        """Whether it was solved the first time; the last question, which some leave out."""
        stream = Stream(self.world.seed, "solved", response.id)
        if not response.finished or stream.chance(0.04):
            return None
        if response.invitation is None:
            return stream.pick((YES, NO))
        call = response.invitation.call
        truth = "not solved" if not call.solved else "solved at last" if self._talked_before(call) else "solved"
        return YES if stream.chance(SAYS_SOLVED[truth]) else NO

    def _talked_before(self, call: Call) -> bool:
        """Whether somebody had answered an earlier call about the matter."""
        while call.repeat_of is not None:
            call = self._by_id[call.repeat_of]
            if call.answered:
                return True
        return False


def _judge(invitation: Invitation) -> None:
    """The last complete answer within the window counts; the others do not, and this says why."""
    counted: Response | None = None
    for response in sorted(invitation.responses, key=lambda response: response.ended_at):
        if not response.finished:
            response.verdict = "incomplete"
        elif response.ended_at - invitation.sent_at > ANSWER_WINDOW:
            response.verdict = "too_late"
        else:
            if counted is not None:
                counted.verdict = "superseded"
            response.verdict, counted = "counted", response

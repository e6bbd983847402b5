"""The KPIs computed a second time, with pandas on plain rows, sharing no code and no SQL with the models.

``Facts`` are what any source tells, one row a thing; `answers` forms a KPI from them at a grain and by dimensions.
Definitions are those of docs/kpis.md, written down again on purpose.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd

from tests.end_to_end import ranks
from tests.end_to_end.ranks import Z

CLOCKS = (
    "date", "source", "channel", "team", "priority", "policy", "sla_metric", "is_met", "over", "is_due", "is_on_time",
    "is_public",
)  # fmt: skip


# What a rating is compared by, and by how many expected good ones a team is drawn to the overall.
MIX = ("channel", "survey", "segment", "opening")
PRIOR = Decimal(10)


@dataclass(frozen=True)
class Facts:
    """Frames, each with `date` (reporting day of the booking) and dimension columns.

    contacts: source channel queue team answered abandoned called_back wait short target [s] human transferred touches
        (None: not recorded); offered ones only
    arrivals: all inbound ones, in_menu left_menu closed (None: no schedule)
    legs: source channel queue team talk [s] hold [s] wrap [s] (None: not measured) handle [s, its share of what the
        agent had at once] held left_on_hold ended_by
    visits: source channel queue team answered abandoned otherwise (ended in another known way) wait short target;
        alerts: … answered
    callbacks: source channel queue team decided kept wait [s] business [s]
    handling: source team agent begins ends [epoch], one row a leg and day on which the agent was busy with it
    arrivals, the frames of tickets, answers and evaluations also say when (at)
    reconciled: source channel team measure verdict, one row a figure that the source reports, too
    ages: source age [s], one row a source and day: how old its newest was at the end
    created, replied, solved, resolved, turns: source channel team priority (None: not recorded or unknown);
        created also unreplied; the others seconds, business [s]; solved also reopened, one_touch, reassignments,
        reopens, group_hops, repliers; resolved outside [s, None if nobody knows], requester_wait, agent_wait [s], both
        also _business; turns first. Of what profiles ask: solved also replies, undone, solves, messages, wrote_again,
        writers, is_solved, pending [s], _business; turns also seconds_last, business_last (since the last question)
    first_replies: as replied, those to what an agent opened (by_agent) too, and seconds_last, business_last
    levelled: source channel team (the first) priority first_level escalated; solved ones
    piles: source channel team priority open ages (of each in days) recent (solved of late) days (of that); one row a
        day and combination (end of day)
    answers: source channel team survey segment metric (csat, nps, ces, fcr) box score group; one row a team that has a
        share of the answer, with its weight; opening: the priority its ticket came with
    ratings: source channel team survey segment recovered weight; bad ones only, those that do not count too
    invitations: source channel team survey segment sent delivered answered
    clocks: source channel team priority policy sla_metric is_met over [s, None if met] is_due is_on_time is_public
        (customers were told); decided ones
    issues: source channel team queue contacts channels due resolved final fcr fcr_in_seven_days transferred confirmed
        (None: nobody answered)
    linkable: source channel team queue linked voiced (anything was said of it), one row a contact of a customer
    evaluations: source channel team kind selection earned weight critical customer business compliance; counted ones
    reviewed: source channel team evaluated for_a_reason, one row an answered contact
    agent_days: source team agent handling staffed adherent scheduled conforming scheduled_on_queue away planned_away
        unplanned_away paid [s], one row an agent, day and team
    """

    contacts: pd.DataFrame
    legs: pd.DataFrame
    created: pd.DataFrame
    replied: pd.DataFrame
    solved: pd.DataFrame
    resolved: pd.DataFrame
    turns: pd.DataFrame
    piles: pd.DataFrame
    answers: pd.DataFrame
    ratings: pd.DataFrame
    invitations: pd.DataFrame
    clocks: pd.DataFrame = field(default_factory=lambda: frame((), CLOCKS))
    issues: pd.DataFrame = field(default_factory=pd.DataFrame)
    linkable: pd.DataFrame = field(default_factory=pd.DataFrame)
    arrivals: pd.DataFrame = field(default_factory=pd.DataFrame)
    visits: pd.DataFrame = field(default_factory=pd.DataFrame)
    alerts: pd.DataFrame = field(default_factory=pd.DataFrame)
    callbacks: pd.DataFrame = field(default_factory=pd.DataFrame)
    handling: pd.DataFrame = field(default_factory=pd.DataFrame)
    evaluations: pd.DataFrame = field(default_factory=pd.DataFrame)
    reviewed: pd.DataFrame = field(default_factory=pd.DataFrame)
    agent_days: pd.DataFrame = field(default_factory=pd.DataFrame)
    ages: pd.DataFrame = field(default_factory=pd.DataFrame)
    reconciled: pd.DataFrame = field(default_factory=pd.DataFrame)
    levelled: pd.DataFrame = field(default_factory=pd.DataFrame)
    first_replies: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def asked(self) -> pd.DataFrame:
        """Answers about satisfaction and invitations in one frame; what is no invitation is not delivered."""
        frames = (self.answers[self.answers.metric == "csat"], self.invitations)
        both = pd.concat([one.astype(object) for one in frames], ignore_index=True)
        return both.assign(**{name: both[name].eq(True) for name in ("delivered", "answered")})

    @property
    def compared(self) -> pd.DataFrame:
        """Answers about satisfaction with the good ones expected of each and at the overall share, by its month."""
        given = self.answers[self.answers.metric == "csat"]
        mix = [name for name in MIX if name in given]
        kinds = [(str(row.date)[:7], *(getattr(row, name) for name in mix)) for row in given.itertuples()]
        good, every = defaultdict[Any, Decimal](Decimal), defaultdict[Any, Decimal](Decimal)
        for kind, row in zip(kinds, given.itertuples(), strict=True):
            for among in (kind, kind[0]):
                every[among] += row.weight
                good[among] += row.weight if row.box == "top" else 0

        def expected(weight: Decimal, among: Any) -> Decimal:
            return (weight * good[among] / every[among]).quantize(Decimal("1e-12"), ROUND_HALF_UP)

        rated = list(zip(given.weight, kinds, strict=True))
        return given.assign(
            expected=pd.Series([expected(weight, kind) for weight, kind in rated], given.index, dtype=object),
            overall=pd.Series([expected(weight, kind[0]) for weight, kind in rated], given.index, dtype=object),
        )


@dataclass(frozen=True)
class Answer:
    """One row of an answer, with the interval's ends."""

    value: float | None
    numerator: float | None
    n: float
    low: float | None
    high: float | None


Group = pd.DataFrame
Formula = Callable[[Group], Answer]


def count(frame: Group) -> Answer:
    """A full count."""
    return Answer(float(len(frame)), len(frame), len(frame), None, None)


def share(numerator: pd.Series, denominator: pd.Series) -> Answer:
    """A share with its Wilson interval; both are boolean series, or counts."""
    x, n = int(numerator.sum()), int(denominator.sum())
    if n == 0:
        return Answer(None, x, 0, None, None)
    return Answer(x / n, x, n, *interval_of_share(x, n))


def mean(values: pd.Series) -> Answer:
    """A mean with its normal interval; missing values are left out."""
    known = values.dropna()
    n, total = len(known), sum(known)
    total = int(total) if float(total).is_integer() else float(total)
    if n == 0:
        return Answer(None, total, 0, None, None)
    if n < 2:
        return Answer(total / n, total, n, None, None)
    half = Z * float(known.astype(float).std(ddof=1)) / math.sqrt(n)
    return Answer(total / n, total, n, total / n - half, total / n + half)


def credited(weights: Iterable[Decimal]) -> int | float:
    """A sum of shares of answers: exact, and whole wherever it is."""
    total = sum(weights, Decimal(0))
    return int(total) if total == total.to_integral_value() else float(total)


def credited_share(part: pd.Series, frame: Group) -> Answer:
    """Of answers that count for teams by their weights, those that are ``part``; Wilson's interval."""
    x, n = credited(frame.weight[part]), credited(frame.weight)
    if n == 0:
        return Answer(None, x, 0, None, None)
    return Answer(x / n, x, n, *interval_of_share(x, n))


def credited_mean(frame: Group) -> Answer:
    """The mean of answers that count by their weights; its normal interval needs two answers."""
    scores = frame.score.map(lambda score: Decimal(str(score)))
    n, total = credited(frame.weight), credited(frame.weight * scores)
    if n < 2:
        return Answer(total / n if n else None, total, n, None, None)
    squares = float(sum(frame.weight * scores * scores, Decimal(0)))
    half = Z * math.sqrt(max(0.0, (squares - total * (total / n)) / (n - 1)) / n)
    return Answer(total / n, total, n, total / n - half, total / n + half)


def nps(frame: Group) -> Answer:
    """Net promoter score with the adjusted-Wald interval: 3/4 of an answer more for each end, 3 more in all."""
    shares = [frame.weight[frame.group == group] for group in ("promoter", "detractor")]
    n, (up, down) = credited(frame.weight), map(credited, shares)
    if n == 0:
        return Answer(None, 0, 0, None, None)
    net = credited(pd.concat([shares[0], -shares[1]]))
    m, p, d = n + 3, up + 0.75, down + 0.75
    score = (p - d) / m
    half = Z * math.sqrt(((p + d) / m - score * score) / m)
    low, high = max(-100.0, 100 * (score - half)), min(100.0, 100 * (score + half))
    return Answer(100 * net / n, net, n, low, high)


def ratio(part: pd.Series, whole: pd.Series, most: float = 1.0) -> Answer:
    """A sum over a sum; what was drawn are the rows with a base (Cochran's interval of a ratio)."""
    drawn = whole > 0
    x, y, n = credited(part), credited(whole), int(drawn.sum())
    if n == 0:
        return Answer(None, x, 0, None, None)
    value = float(x) / float(y)
    if n < 2:
        return Answer(value, x, n, None, None)
    off = part[drawn].astype(float) - value * whole[drawn].astype(float)
    half = Z * math.sqrt(n / (n - 1) * float((off * off).sum())) / float(y)
    return Answer(value, x, n, max(0.0, value - half), min(most, value + half))


def _judged_by(frame: Group, kind: str) -> Group:
    """Evaluations by people, or by machines, of contacts that were not picked for a reason."""
    return frame[(frame.kind == kind) & (frame.selection != "targeted")]


def _failures(area: str) -> Formula:
    def formula(frame: Group) -> Answer:
        judged = _judged_by(frame, "human")
        return share(judged[area], judged[area].notna())

    return formula


def _score(kind: str) -> Formula:
    def formula(frame: Group) -> Answer:
        judged = _judged_by(frame, kind)
        return ratio(judged.earned, judged.weight)

    return formula


def _time(part: str, whole: str, most: float = 1.0) -> Formula:
    return lambda frame: ratio(frame[part], frame[whole], most)


def _an_hour(part: pd.Series, seconds: pd.Series) -> Answer:
    """A ratio to seconds, told for an hour of them."""
    one = ratio(part, seconds, math.inf)
    value = None if one.value is None else 3600 * int(part.sum()) / int(seconds.sum())
    low, high = (None if end is None else 3600 * end for end in (one.low, one.high))
    return Answer(value, one.numerator, one.n, low, high)


def _short(frame: Group) -> pd.Series:
    return frame.abandoned & (frame.wait < frame.short)


def _served_in_time(frame: Group) -> Answer:
    return share(frame.answered & (frame.wait <= frame.target), frame.answered | (frame.abandoned & ~_short(frame)))


def highest(values: pd.Series) -> Answer:
    """The highest of them."""
    known = values.dropna()
    most = int(known.max()) if len(known) else None
    return Answer(None if most is None else float(most), most, len(known), None, None)


def percentile(values: pd.Series, percent: int) -> Answer:
    """An order statistic; missing values, and those of two clocks that disagree, are left out."""
    known = [int(value) for value in values.dropna() if value >= 0]
    value, low, high = ranks.percentile(known, percent)
    return Answer(value, None, len(known), low, high)


def _patience(frame: Group) -> Answer:
    known = frame[frame.wait.notna() & (frame.wait >= 0)]
    waits = [(int(wait), bool(left)) for wait, left in zip(known.wait, known.abandoned, strict=True)]
    value, low, high = ranks.patience(waits)
    return Answer(value, None, len(waits), low, high)


def _residual(frame: Group) -> Answer:
    """Visits that ended in none of the known ways, or in several, added up without their sign by day and queue."""
    off = frame.answered.astype(int) + frame.abandoned.astype(int) + frame.otherwise.astype(int) - 1
    places = frame.assign(off=off).groupby(["date", "source", "channel", "queue", "team"])
    total = int(places.off.sum().abs().sum())
    return Answer(float(total), total, len(frame), None, None)


def _concurrency(frame: Group) -> Answer:
    """Seconds of all that agents had in hand over those in which they had anything: of what overlaps, the union.

    Who works for two teams at a time is busy in each.
    """
    slots, busy = int((frame.ends - frame.begins).sum()), 0
    for _, own in frame.groupby(["agent", "team"]):
        until = 0
        for begins, ends in sorted(zip(own.begins, own.ends, strict=True)):
            busy += max(0, int(ends) - max(int(begins), until))
            until = max(until, int(ends))
    return Answer(slots / busy if busy else None, slots, busy, None, None)


# KPI: which frame, and the formula over its rows.
KPIS: dict[str, tuple[str, Formula]] = {
    "offered": ("contacts", count),
    "answered": ("contacts", lambda f: count(f[f.answered])),
    "answer_rate": ("contacts", lambda f: share(f.answered, ~_short(f))),
    "abandon_rate": ("contacts", lambda f: share(f.abandoned & ~_short(f), ~_short(f))),
    "short_abandon_rate": ("contacts", lambda f: share(_short(f), f.offered)),
    "service_level": ("contacts", _served_in_time),
    "average_speed_of_answer": ("contacts", lambda f: mean(f.wait[f.answered])),
    "average_abandon_wait": ("contacts", lambda f: mean(f.wait[f.abandoned & ~_short(f)])),
    "average_handle_time": ("legs", lambda f: mean(f.handle)),
    "average_talk_time": ("legs", lambda f: mean(f.talk)),
    "average_wrap_time": ("legs", lambda f: mean(f.wrap)),
    "transfer_rate": (
        "contacts",
        lambda f: share(
            f.answered & f.transferred.notna() & (f.transferred == True),  # noqa: E712 (None is a third value)
            f.answered & f.transferred.notna(),
        ),
    ),
    "human_answer_rate": ("contacts", lambda f: share(f.human, f.offered)),
    "longest_wait": ("contacts", lambda f: highest(f.wait)),
    "touches_per_contact": ("contacts", lambda f: mean(f.touches)),
    "customer_patience": ("contacts", _patience),
    "menu_abandon_rate": ("arrivals", lambda f: share(f.left_menu, f.in_menu)),
    "after_hours_rate": ("arrivals", lambda f: share(f.closed == True, f.closed.notna())),  # noqa: E712
    "average_hold_time": ("legs", lambda f: mean(f.hold[f.held])),
    "hold_abandon_rate": ("legs", lambda f: share(f.left_on_hold, f.held)),
    "agent_first_disconnect_rate": ("legs", lambda f: share(f.ended_by == "agent", f.ended_by.notna())),
    "ring_no_answer_rate": ("alerts", lambda f: share(~f.answered, f.answered | True)),
    "queue_visits": ("visits", count),
    "queue_service_level": ("visits", _served_in_time),
    "queue_abandon_rate": ("visits", lambda f: share(f.abandoned & ~_short(f), ~_short(f))),
    "queue_wait": ("visits", lambda f: mean(f.wait[f.answered])),
    "conservation_residual": ("visits", _residual),
    "callback_success_rate": ("callbacks", lambda f: share(f.kept, f.decided)),
    "callback_wait": ("callbacks", lambda f: mean(f.wait)),
    "callback_wait_business": ("callbacks", lambda f: mean(f.business)),
    "concurrency": ("handling", _concurrency),
    "tickets_created": ("created", count),
    "tickets_solved": ("solved", count),
    "first_reply_time": ("replied", lambda f: mean(f.seconds)),
    "first_resolution_time": ("solved", lambda f: mean(f.seconds)),
    "full_resolution_time": ("resolved", lambda f: mean(f.seconds)),
    "reopen_rate": ("solved", lambda f: share(f.reopened == True, f.reopened.notna())),  # noqa: E712
    "one_touch_rate": ("solved", lambda f: share(f.one_touch == True, f.one_touch.notna())),  # noqa: E712
    "reassignments": ("solved", lambda f: mean(f.reassignments)),
    "first_level_resolution": ("levelled", lambda f: share(f.first_level, f.first_level | True)),
    "escalation_rate": ("levelled", lambda f: share(f.escalated, f.escalated | True)),
    "cross_department_wait": ("resolved", lambda f: _outside(f[f.outside.notna()])),
    "unreplied_tickets": ("created", lambda f: count(f[f.unreplied == True])),  # noqa: E712
    "first_reply_time_business": ("replied", lambda f: mean(f.business)),
    "next_reply_time": ("turns", lambda f: mean(f.seconds[f["first"] == False])),  # noqa: E712
    "next_reply_time_business": ("turns", lambda f: mean(f.business[f["first"] == False])),  # noqa: E712
    "reply_time": ("turns", lambda f: mean(f.seconds)),
    "chat_first_response_time": ("turns", lambda f: mean(_first_in_chat(f).seconds)),
    "chat_first_response_time_business": ("turns", lambda f: mean(_first_in_chat(f).business)),
    "requester_wait_time": ("resolved", lambda f: mean(f.requester_wait)),
    "requester_wait_time_business": ("resolved", lambda f: mean(f.requester_wait_business)),
    "agent_wait_time": ("resolved", lambda f: mean(f.agent_wait)),
    "agent_wait_time_business": ("resolved", lambda f: mean(f.agent_wait_business)),
    "first_resolution_time_business": ("solved", lambda f: mean(f.business)),
    "full_resolution_time_business": ("resolved", lambda f: mean(f.business)),
    "reopens_per_ticket": ("solved", lambda f: mean(f.reopens)),
    "group_hops_per_ticket": ("solved", lambda f: mean(f.group_hops)),
    "agents_per_ticket": ("solved", lambda f: mean(f.repliers)),
    "backlog": ("piles", lambda f: _last_day(f)),
    "backlog_days_of_work": ("piles", lambda f: _days_of_work(f)),
    "backlog_age_p50": ("piles", lambda f: _age(f, 50)),
    "backlog_age_p90": ("piles", lambda f: _age(f, 90)),
    "first_contact_resolution": ("issues", lambda f: share(f.fcr & f.final, f.resolved & f.final)),
    "first_contact_resolution_agreement": ("issues", lambda f: _kappa(f)),
    "repeat_contact_rate": ("issues", lambda f: share(f.contacts - 1, f.contacts)),
    "contacts_per_issue": ("issues", lambda f: mean(f.contacts)),
    "resolution_rate": ("issues", lambda f: share(f.resolved & f.due, f.due)),
    "channel_switch_rate": ("issues", lambda f: share(f.channels > 1, f.channels > 0)),
    "customer_link_rate": ("linkable", lambda f: share(f.linked, f.linked | True)),
    "feedback_coverage": ("linkable", lambda f: share(f.voiced, f.voiced | True)),
    "sla_attainment": ("clocks", lambda f: share(f.is_met, f.is_met.notna())),
    "sla_time_over": ("clocks", lambda f: mean(f.over)),
    "update_punctuality": ("clocks", lambda f: share(f.is_on_time, f.is_due)),
    "promise_kept_rate": ("clocks", lambda f: share(f.is_met & f.is_public, f.is_public)),
    "csat": ("answers", lambda f: credited_share(f.box == "top", f[f.metric == "csat"])),
    "csat_mean": ("answers", lambda f: credited_mean(f[f.metric == "csat"])),
    "dissatisfied_rate": ("answers", lambda f: credited_share(f.box == "bottom", f[f.metric == "csat"])),
    "nps": ("answers", lambda f: nps(f[f.metric == "nps"])),
    "first_contact_resolution_confirmed": (
        "answers",
        lambda f: credited_share(f.box == "top", f[f.metric == "fcr"]),
    ),
    "customer_effort": ("answers", lambda f: credited_share(f.group == "easy", f[f.metric == "ces"])),
    "adjusted_csat": ("compared", lambda f: _adjusted(f)),
    "weighted_csat": ("asked", lambda f: _weighted(f)),
    "response_rate": ("invitations", lambda f: share(f.answered, f.delivered)),
    "invite_rate": ("invitations", lambda f: share(f.sent, f.sent.notna())),
    "qa_score": ("evaluations", _score("human")),
    "auto_qa_score": ("evaluations", _score("automatic")),
    "critical_error_rate": ("evaluations", _failures("critical")),
    "critical_error_rate_customer": ("evaluations", _failures("customer")),
    "critical_error_rate_business": ("evaluations", _failures("business")),
    "critical_error_rate_compliance": ("evaluations", _failures("compliance")),
    "qa_coverage": ("reviewed", lambda f: share(f.evaluated, f.evaluated.notna())),
    "qa_coverage_targeted": ("reviewed", lambda f: share(f.for_a_reason, f.for_a_reason.notna())),
    "occupancy": ("agent_days", _time("handling", "staffed")),
    "adherence": ("agent_days", _time("adherent", "scheduled")),
    "conformance": ("agent_days", _time("conforming", "scheduled_on_queue", math.inf)),
    "shrinkage": ("agent_days", _time("away", "paid")),
    "planned_shrinkage": ("agent_days", _time("planned_away", "paid")),
    "unplanned_shrinkage": ("agent_days", _time("unplanned_away", "paid")),
    "contacts_per_productive_hour": ("agent_days", lambda f: _an_hour(f.handled, f.productive)),
    "recovery_rate": ("ratings", lambda f: credited_share(f.recovered, f)),
    "reconciliation_difference": ("reconciled", lambda f: share(f.verdict == "unexplained", f.verdict.notna())),
    "reconciliation_explained": (
        "reconciled",
        lambda f: share(~f.verdict.isin(("equal", "unexplained")), f.verdict.notna()),
    ),
    "freshness": ("ages", lambda f: _oldest(f)),
}


def _kappa(frame: Group) -> Answer:
    """Cohen's kappa of what repeats say of issues and what customers say, from shares as in the textbook."""
    both = frame[frame.final & frame.resolved & frame.confirmed.notna()]
    first, second = both.fcr.astype(bool).tolist(), both.confirmed.astype(bool).tolist()
    n, table = len(both), Counter(zip(first, second, strict=True))
    numerator = 2 * (table[True, True] * table[False, False] - table[True, False] * table[False, True])
    rows, columns = Counter(first), Counter(second)
    denominator = rows[True] * columns[False] + rows[False] * columns[True]
    if not denominator:
        return Answer(None, numerator, n, None, None)
    share = {cell: count / n for cell, count in table.items()}
    says = [{word: count[word] / n for word in (True, False)} for count in (rows, columns)]
    expected = sum(says[0][word] * says[1][word] for word in (True, False))
    kappa = (share.get((True, True), 0) + share.get((False, False), 0) - expected) / (1 - expected)
    spread = -((kappa - expected * (1 - kappa)) ** 2)
    for (one, other), part in share.items():
        if one == other:
            spread += part * (1 - (says[0][one] + says[1][one]) * (1 - kappa)) ** 2
        else:
            spread += (1 - kappa) ** 2 * part * (says[1][one] + says[0][other]) ** 2
    half = Z * math.sqrt(0.0 if spread < 1e-14 else spread / n) / (1 - expected)
    return Answer(numerator / denominator, numerator, n, max(-1.0, kappa - half), min(1.0, kappa + half))


def _outside(frame: Group) -> Answer:
    return ratio(frame.outside, frame.seconds)


def _first_in_chat(frame: Group) -> Group:
    return frame[frame["first"].astype(bool) & frame.channel.isin(("chat", "messaging"))]


# Durations of which percentiles are formed: which frame, and its durations.
DURATIONS: dict[str, tuple[str, Callable[[Group], pd.Series]]] = {
    "wait": ("contacts", lambda f: f.wait),
    "average_speed_of_answer": ("contacts", lambda f: f.wait[f.answered]),
    "average_abandon_wait": ("contacts", lambda f: f.wait[f.abandoned & ~_short(f)]),
    "average_handle_time": ("legs", lambda f: f.handle),
    "average_talk_time": ("legs", lambda f: f.talk),
    "average_hold_time": ("legs", lambda f: f.hold[f.held]),
    "average_wrap_time": ("legs", lambda f: f.wrap),
    "first_reply_time": ("replied", lambda f: f.seconds),
    "chat_first_response_time": ("turns", lambda f: _first_in_chat(f).seconds),
    "first_resolution_time": ("solved", lambda f: f.seconds),
    "full_resolution_time": ("resolved", lambda f: f.seconds),
}


def _percentile_of(durations: Callable[[Group], pd.Series], percent: int) -> Formula:
    return lambda frame: percentile(durations(frame), percent)


KPIS |= {
    f"{name}_p{percent}": (rows, _percentile_of(durations, percent))
    for name, (rows, durations) in DURATIONS.items()
    for percent in (50, 90)
}


def _last_day(frame: Group) -> Answer:
    last = frame[frame.date == frame.date.max()]
    return Answer(float(last.open.sum()), int(last.open.sum()), int(last.open.sum()), None, None)


def _oldest(frame: Group) -> Answer:
    """Of the sources at the end of the last day, how old the one is whose newest is oldest."""
    last = frame[frame.date == frame.date.max()]
    return Answer(float(last.age.max()), int(last.age.max()), len(last), None, None)


def _days_of_work(frame: Group) -> Answer:
    """How long the pile of the last day would last at the rate of the solves up to it."""
    last = frame[frame.date == frame.date.max()]
    work, solved = int((last.open * last.days).sum()), int(last.recent.sum())
    return Answer(work / solved if solved else None, work, solved, None, None)


def _age(frame: Group, percent: int) -> Answer:
    """Of all tickets open on the last day, in order of age, the one that so large a share does not exceed."""
    ages = sorted(age for ages in frame[frame.date == frame.date.max()].ages for age in ages)
    place = -(-len(ages) * percent // 100)  # rounded up
    age = _tens(ages[place - 1]) if ages else None
    return Answer(age, age, len(ages), None, None)


def _tens(days: int) -> int:
    """Days as they are told: exact to 99, then the middle of ten, a hundred, a thousand."""
    width = 10 ** max(0, len(str(days)) - 2)
    return days // width * width + width // 2


def _weighted(frame: Group) -> Answer:
    """Satisfaction in which a channel's team counts by how seldom it is answered, at most five times."""
    strata = [group for _, group in frame.groupby(["channel", "team"])]
    asked = [(int(one.delivered.sum()), int(one.answered.sum())) for one in strata]
    all_asked, all_answered = (sum(pair[place] for pair in asked if pair[1]) for place in (0, 1))
    up = whole = spread = total = Decimal(0)
    for one, (delivered, answered) in zip(strata, asked, strict=True):
        given = one[one.metric == "csat"]
        responses = sum(given.weight, Decimal(0))
        if not responses:
            continue
        total += responses
        weight = Decimal(1)
        if answered:
            exact = Decimal(delivered * all_answered) / Decimal(answered * all_asked)
            weight = min(Decimal(5), exact.quantize(Decimal("0.000001"), ROUND_HALF_UP))
        up += weight * sum(given.weight[given.box == "top"], Decimal(0))
        whole += weight * responses
        spread += weight * weight * responses
    n = int(total) if total == total.to_integral_value() else float(total)
    if not whole:
        return Answer(None, None, n, None, None)
    effective = float(whole * whole / spread)
    one_sided = interval_of_share(float(up / whole) * effective, effective)
    numerator = int(up) if up == up.to_integral_value() else float(up)
    return Answer(float(up / whole), numerator, n, *one_sided)


def _adjusted(frame: Group) -> Answer:
    """Good ratings against those expected, times the overall share, both sides with the prior's."""
    zero = Decimal(0)
    n, good = sum(frame.weight, zero), sum(frame.weight[frame.box == "top"], zero) + PRIOR
    expected, overall = sum(frame.expected, zero), sum(frame.overall, zero)
    if not n:
        return Answer(None, None, 0, None, None)
    adjusted = (good * overall / (expected + PRIOR)).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    numerator, rated = (credited([one]) for one in (min(adjusted, n), n))
    if not expected:
        return Answer(float(numerator) / float(rated), numerator, rated, None, None)
    trials, scale = float(n * (expected + PRIOR) / expected), float(overall / expected)
    low, high = (min(1.0, scale * end) for end in interval_of_share(min(float(good), trials), trials))
    return Answer(float(numerator) / float(rated), numerator, rated, low, high)


def interval_of_share(x: float, n: float) -> tuple[float, float]:
    """Wilson's interval of x of n."""
    p = x / n
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def answers(
    facts: Facts, kpi: str, grain: str = "total", by: Iterable[str] = (), counted: tuple[str, Formula] | None = None
) -> dict[tuple[Any, ...], Answer]:
    """The answer rows of a KPI: (start of the period, *dimension values) to its numbers; by another definition if it
    is ``counted`` otherwise."""
    name, formula = counted or KPIS[kpi]
    frame: pd.DataFrame = getattr(facts, name)
    dimensions = list(by)
    if frame.empty:
        return {}
    dates = pd.to_datetime(frame.date)
    period = {
        "total": lambda: pd.Series([None] * len(frame), index=frame.index),
        "day": lambda: dates,
        "week": lambda: dates - pd.to_timedelta(dates.dt.day_of_week, unit="D"),
        "month": lambda: dates.dt.to_period("M").dt.start_time,
    }[grain]()
    keyed = frame.assign(period=period.map(lambda day: None if pd.isna(day) else pd.Timestamp(day).date()))
    found: dict[tuple[Any, ...], Answer] = {}
    for key, group in keyed.groupby(["period", *dimensions], dropna=False, sort=True):
        first, *rest = key
        found[(None if pd.isna(first) else first, *rest)] = formula(group)
    return found


def frame(rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """Rows as a frame that has its columns even when there are none."""
    return pd.DataFrame(list(rows), columns=list(columns))

"""The simulator's own truth, in plain words, for those who check numbers against it.

Written from the objects of the simulation, never from what the vendors' systems show of them. One row is

- ``calls``: one contact by telephone. ``visits`` are its stays in queues, in order. ``wait_seconds`` is the whole
  time in queues until the first answer (of an unanswered call: until it left); ``talk_seconds`` and ``wrap_seconds``
  sum over all agents; ``team`` is the team of the first queue. Outcome: answered, abandoned, voicemail.
- ``tickets``: one ticket, with every status, team, agent, priority and schedule (its id) it had from when on, every
  comment, and what can be counted. ``n`` numbers the updates of the ticket from 1: entries of one update share it.
- ``ratings``: one request to rate a ticket, with every score it ever had.
- ``invitations`` and ``responses``: the survey after calls. ``verdict`` says whether an answer counts (the last
  complete one within seven days) or why not: superseded, too_late, incomplete, preview, test, spam. ``solved`` is
  whether it was solved the first time, as the customer sees it (None: not said); ``solved`` of a call, whether it was.
- ``shifts``: every version of every planned spell; ``activity`` absence: leave, or sickness that was entered.
- ``agent_states``: what an agent on the telephone was, from when to when (None: it lasts): available, wrap and the
  pauses at the telephone; on_contact is work on cases at the desktop, beside being available. Who is in none is not
  there.
- ``evaluations``: one review of quality with its items; ``call_id`` or ``ticket_id`` say of what, where that is known.
- ``teams``: what each system calls a team.

Calls and tickets say whose they are (``customer``) and what they are about (``matter``): a call made again, a ticket
opened for a call, following up another or merged into one, is about the same matter as that.

Instants are UTC (``2026-03-01T15:57:42Z``), durations whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kefu.simulator.files import read_lines, write_lines
from kefu.simulator.people import Agent
from kefu.simulator.quality import Evaluation
from kefu.simulator.rota import Planned
from kefu.simulator.surveys import YES, Survey
from kefu.simulator.telephony import Call, State, Visit
from kefu.simulator.tickets import Actor, Ticket
from kefu.simulator.workforce import CaseWork
from kefu.simulator.world import TEAMS, Team, iso
from kefu.simulator.zendesk import group_id, schedule_id, user_id

NAMES = (
    "calls", "tickets", "ratings", "invitations", "responses", "shifts", "agent_states", "evaluations", "teams",
)  # fmt: skip


def read(directory: Path | str) -> dict[str, list[dict[str, Any]]]:
    """The truth of a world written to ``directory``: file name to rows."""
    return {name: list(read_lines(Path(directory) / "truth" / f"{name}.jsonl")) for name in NAMES}


@dataclass(frozen=True)
class Everything:
    """The objects of a simulation that the truth is told from."""

    calls: list[Call]
    tickets: list[Ticket]
    survey: Survey
    plan: list[Planned]
    states: list[State]
    cases: list[CaseWork]
    evaluations: list[Evaluation]


def write(known: Everything, directory: Path) -> dict[str, int]:
    """Write the truth; returns rows by file."""
    calls, tickets, survey = known.calls, known.tickets, known.survey
    matters = _matters(calls, tickets)
    rows: dict[str, Iterator[dict[str, Any]]] = {
        "calls": (_call(call) | {"matter": matters[call.call_id]} for call in calls),
        "tickets": (_ticket(ticket) | {"matter": matters[ticket.id]} for ticket in tickets),
        "ratings": _ratings(tickets),
        "invitations": _invitations(survey),
        "responses": _responses(survey),
        "shifts": map(_planned, known.plan),
        "agent_states": _states(known.states, known.cases),
        "evaluations": map(_evaluation, known.evaluations),
        "teams": (_team(team) for team in TEAMS),
    }
    return {name: write_lines(directory / f"{name}.jsonl", rows[name]) for name in NAMES}


def _matters(calls: list[Call], tickets: list[Ticket]) -> dict[str | int, str]:
    """What each call and ticket, by its id, is about: named after the one that began it."""
    before: dict[str | int, str | int | None] = {call.call_id: call.repeat_of for call in calls}
    before |= {ticket.id: ticket.merged_into or ticket.call_id or ticket.follow_up_of for ticket in tickets}

    def begun_by(contact: str | int) -> str | int:
        seen = {contact}
        while (former := before[contact]) is not None and former not in seen:
            seen.add(contact := former)
        return contact

    return {contact: str(begun_by(contact)) for contact in before}


def _team(team: Team) -> dict[str, Any]:
    return {
        "team": team.id,
        "en": team.en,
        "zh": team.zh,
        "queue": team.queue,
        "group": team.group,
        "group_id": group_id(team),
        "survey_team": team.group,
    }


def _call(call: Call) -> dict[str, Any]:
    assert call.ended_at is not None and call.outcome is not None
    until_answer: list[Visit] = []
    for visit in call.visits:
        until_answer.append(visit)
        if visit.outcome == "answered":
            break
    answered = call.answered
    return {
        "call_id": call.call_id,
        "direction": "inbound",
        "channel": "voice",
        "customer": call.customer.reference,
        "phone": call.customer.phone,
        "repeat_of": call.repeat_of,
        "team": call.team.id,
        "first_queue": call.team.queue,
        "entered_at": iso(call.entered_at),
        "ended_at": iso(call.ended_at),
        "outcome": call.outcome,
        "solved": call.solved,
        "wait_seconds": sum(visit.wait_seconds for visit in until_answer),
        "answered_at": iso(until_answer[-1].left_at or 0) if answered else None,
        "agent": answered[0].agent.name if answered and answered[0].agent else None,
        "agents": [visit.agent.name for visit in answered if visit.agent],
        "talk_seconds": sum(visit.talk_seconds or 0 for visit in answered),
        "wrap_seconds": sum(visit.wrap_seconds for visit in answered),
        "transferred": any(visit.transferred_to for visit in answered),
        "visits": [_visit(visit) for visit in call.visits],
    }


def _visit(visit: Visit) -> dict[str, Any]:
    assert visit.left_at is not None
    ended = visit.left_at + (visit.talk_seconds or 0)
    return {
        "queue": visit.team.queue,
        "team": visit.team.id,
        "entered_at": iso(visit.entered_at),
        "left_at": iso(visit.left_at),
        "ended_at": iso(ended),
        "outcome": visit.outcome,
        "wait_seconds": visit.wait_seconds,
        "ring_seconds": visit.ring_seconds,
        "rings_unanswered": visit.rings_unanswered,
        "agent": visit.agent.name if visit.agent else None,
        "talk_seconds": visit.talk_seconds,
        "wrap_seconds": visit.wrap_seconds if visit.agent else None,
        "ended_by": visit.ended_by,
        "transferred_to": visit.transferred_to,
    }


def _ticket(ticket: Ticket) -> dict[str, Any]:
    entries: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("statuses", "teams", "agents", "priorities", "schedules", "comments", "moves")
    }
    named = {"status": "statuses", "team": "teams", "agent": "agents", "priority": "priorities"}
    solved: list[dict[str, Any]] = []
    reopened: list[dict[str, Any]] = []
    for n, audit in enumerate(ticket.audits, start=1):
        stamp = {"n": n, "at": iso(audit.at), "by": _who(audit.actor)}
        if audit.comment is not None:
            author = _who(audit.comment.author)
            entries["comments"].append({"n": n, "at": iso(audit.at), "by": author, "public": audit.comment.public})
        last: dict[str, Any] = {}
        for change in audit.changes:
            if change.field in named:
                last[change.field] = (last.get(change.field, (change.old,))[0], change.new)
        if audit.created or "team" in last:
            schedule = schedule_id(last.get("team", (None, None))[1])
            if not entries["schedules"] or entries["schedules"][-1]["value"] != schedule:
                entries["schedules"].append({**stamp, "value": schedule})
        for field, (old, new) in last.items():
            entries[named[field]].append({**stamp, "value": _plain(new)})
            if field in ("team", "agent") and old is not None and new is not old:
                entries["moves"].append({**stamp, "kind": field, "from": _plain(old), "to": _plain(new)})
            if field == "status" and new == "solved":
                solved.append(stamp)
            if field == "status" and old == "solved" and new not in ("closed", "deleted"):
                reopened.append(stamp)
    return {
        "ticket_id": ticket.id,
        "created_at": iso(ticket.created_at),
        "channel": ticket.channel,
        "customer": ticket.customer.reference,
        "created_by": ticket.creator.kind,
        "call_id": ticket.call_id,
        "follow_up_of": ticket.follow_up_of,
        "excluded": ticket.excluded,
        "excluded_at": iso(ticket.excluded_at) if ticket.excluded_at is not None else None,
        "merged_into": ticket.merged_into,
        "team": ticket.team.id if ticket.team else None,
        "agent": ticket.agent.name if ticket.agent else None,
        "priority": ticket.priority,
        "status": ticket.status,
        "solved": solved,
        "reopened": reopened,
        **entries,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Team):
        return value.id
    return value.name if isinstance(value, Agent) else value


def _who(actor: Actor) -> dict[str, Any]:
    person = actor.person
    return {
        "kind": actor.kind,
        "name": person.name if person is not None else None,
        "user_id": user_id(person) if person is not None else None,
    }


def _ratings(tickets: list[Ticket]) -> Iterator[dict[str, Any]]:
    for ticket in tickets:
        rating = ticket.rating
        if rating is None:
            continue
        yield {
            "ticket_id": rating.ticket,
            "channel": ticket.channel,
            "offered_at": iso(rating.offered_at),
            "team_when_offered": rating.team.id if rating.team else None,
            "ticket_excluded": ticket.excluded,
            "score": rating.scores[-1].score if rating.scores else None,
            "scored_at": iso(rating.scores[-1].at) if rating.scores else None,
            "team": rating.scores[-1].team.id if rating.scores and rating.scores[-1].team else None,
            "scores": [
                {
                    "at": iso(score.at),
                    "score": score.score,
                    "comment": score.comment,
                    "team": score.team.id if score.team else None,
                    "agent": score.agent.name if score.agent else None,
                }
                for score in rating.scores
            ],
        }


def _invitations(survey: Survey) -> Iterator[dict[str, Any]]:
    for mailing in survey.mailings:
        for invitation in mailing.invitations:
            call = invitation.call
            assert call.ended_at is not None
            yield {
                "invitation_id": invitation.id,
                "distribution_id": mailing.id,
                "contact_id": invitation.contact_id,
                "survey_id": survey.id,
                "customer": invitation.customer.reference,
                "call_id": call.call_id,
                "called_at": iso(call.ended_at),
                "team": mailing.team.id,
                "agent": invitation.agent.name,
                "sent_at": iso(invitation.sent_at),
                "outcome": invitation.outcome,
                "answered": any(response.verdict == "counted" for response in invitation.responses),
                "responses": [response.id for response in invitation.responses],
            }


def _responses(survey: Survey) -> Iterator[dict[str, Any]]:
    for response in survey.responses:
        invitation = response.invitation
        yield {
            "response_id": response.id,
            "survey_id": survey.id,
            "invitation_id": invitation.id if invitation else None,
            "call_id": invitation.call.call_id if invitation else None,
            "called_at": iso(invitation.call.ended_at or 0) if invitation else None,
            "sent_at": iso(invitation.sent_at) if invitation else None,
            "team": invitation.mailing.team.id if invitation else None,
            "agent": invitation.agent.name if invitation else None,
            "started_at": iso(response.started_at),
            "ended_at": iso(response.ended_at),
            "recorded_at": iso(response.recorded_at),
            "finished": response.finished,
            "csat": response.csat,
            "nps": response.nps,
            "solved": None if response.solved is None else response.solved == YES,
            "comment": response.comment,
            "verdict": response.verdict,
        }


def _planned(one: Planned) -> dict[str, Any]:
    return {
        "shift_id": one.shift_id,
        "published_at": iso(one.published_at),
        "agent": one.agent.name,
        "team": one.agent.team.id,
        "activity": "absence" if one.activity in ("leave", "sick") else one.activity,
        "started_at": iso(one.begin),
        "ended_at": iso(one.end),
        "is_paid": one.is_paid,
        "is_cancelled": one.is_cancelled,
    }


def _states(states: list[State], cases: list[CaseWork]) -> Iterator[dict[str, Any]]:
    for state in states:
        if state.until != state.since:
            yield _spell(state.agent, state.state, state.since, state.until)
    for one in cases:
        yield _spell(one.agent, "on_contact", one.begin, one.end)


def _spell(agent: Agent, state: str, since: int, until: int | None) -> dict[str, Any]:
    return {
        "agent": agent.name,
        "team": agent.team.id,
        "state": state,
        "started_at": iso(since),
        "ended_at": iso(until) if until is not None else None,
    }


def _evaluation(one: Evaluation) -> dict[str, Any]:
    return {
        "evaluation_id": one.id,
        "call_id": one.call.call_id if one.call else None,
        "ticket_id": one.ticket.id if one.ticket else None,
        "channel": one.channel,
        "team": one.team.id,
        "agent": one.agent.name,
        "kind": one.kind,
        "selection": one.selection,
        "reviewer": one.reviewer,
        "contact_at": iso(one.contact_at),
        "evaluated_at": iso(one.evaluated_at),
        "is_calibration": one.is_calibration,
        "replaces": one.replaces,
        "items": [
            {
                "item": item.name,
                "weight": item.weight,
                "points": item.points,
                "most": item.most,
                "passed": item.passed,
                "applies": item.applies,
                "critical_for": item.critical_for,
            }
            for item in one.items
        ],
    }

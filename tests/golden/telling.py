"""A golden story as the rows its systems would have left in raw: an Asterisk queue log, Zendesk, Qualtrics, files.

What a story calls ``returns`` or ``Ann`` is there once for every story: all of them share one warehouse.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kefu.golden import (
    BOT,
    CUSTOMER,
    REPORTED,
    SYSTEM,
    ZONE,
    Call,
    Case,
    ExportedCall,
    Golden,
    Invitation,
    Promise,
    Schedule,
    Ticket,
)
from kefu.settings import Name, Parameters, Team
from kefu.sources import zendesk_policies

Rows = dict[str, list[dict[str, Any]]]

SURVEY = "SV_golden"
EXPORTS = "exports"  # the source of exported files
QUESTIONS = {"csat": ("QID1", "five_point"), "nps": ("QID2", "eleven_point"), "fcr": ("QID3", "yes_no")}
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SINCE = datetime(2020, 1, 1, tzinfo=UTC)  # what every story finds in place is that old
METRICS = {
    **{name: f"{name}_time" for name in ("first_reply", "next_reply", "requester_wait", "agent_work")},
    "resolution": "total_resolution_time",
    "periodic_update": "periodic_update_time",
    "pausable_update": "pausable_update_time",
}
AS_OF = datetime(2026, 4, 1)  # midnight where the centre is


class Centre:
    """What one story's names are in the warehouse."""

    def __init__(self, golden: Golden) -> None:
        self.golden = golden
        self.case: Case = golden.case
        self.zone = ZoneInfo(str(self.case.parameters.get("reporting_zone", ZONE)))
        self.base = golden.number * 100_000
        self._people: dict[str, int] = {}
        self._customers: dict[str, int] = {}

    def utc(self, moment: datetime) -> datetime:
        """A time of the story as UTC: its own offset, else the centre's zone."""
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    def system_name(self, word: str) -> str:
        """What the systems call a team, queue or agent of the story."""
        return f"g{self.golden.number:02d}-{word}"

    def team_id(self, team: str) -> str:
        """The team of the organisation."""
        return f"g{self.golden.number:02d}_{team.lower()}"

    def group(self, team: str) -> int:
        """The Zendesk group of a team."""
        return self.base + self.case.story.teams().index(team) + 1

    def agent(self, name: str) -> int:
        """The Zendesk user of an agent."""
        return self.base + 100 + self._people.setdefault(name, len(self._people))

    def customer(self, name: str) -> int:
        """The Zendesk user of a customer."""
        return self.base + 500 + self._customers.setdefault(name, len(self._customers))

    def phone(self, customer: str) -> str:
        """The number a customer calls from: their own, unless the story says with whom they share it."""
        own = self.customer(customer)
        shared = {one.customer: one.phone for one in self.case.story.customers}
        lines = list(dict.fromkeys(shared.values()))
        if customer in shared:
            return f"+86139{self.base + lines.index(shared[customer]):08d}"
        return f"+86138{own:08d}"

    def ticket(self, name: str) -> int:
        """The number of a ticket."""
        return self.base + 1000 + [one.ticket for one in self.case.story.tickets].index(name)

    def schedule(self, name: str) -> int:
        """The number of a schedule."""
        return self.base + 2000 + [one.schedule for one in self.case.story.schedules].index(name)

    def policy(self, name: str) -> int:
        """The number of an SLA policy."""
        return self.base + 3000 + [one.policy for one in self.case.story.promises].index(name)

    def teams(self) -> list[Team]:
        """The story's teams as kefu.toml would name them."""
        return [
            Team(
                id=self.team_id(team),
                name=Name(en=f"{self.golden.id} {team}", zh=f"{self.golden.id} {team}"),
                members={source: [self.system_name(team)] for source in ("zendesk", "asterisk", "qualtrics", EXPORTS)},
            )
            for team in self.case.story.teams()
        ]

    def named(self) -> dict[str, tuple[str, ...]]:
        """What the story names in parameters that are lists."""
        story = self.case.story
        public = [promise.policy for promise in story.promises if promise.is_public]
        return {
            "public_promises": tuple(f"zendesk-{self.policy(policy)}" for policy in public),
            "first_level_teams": tuple(map(self.team_id, story.first_level)),
            "teams_outside_service": tuple(map(self.team_id, story.outside_service)),
        }


def group_of(case: Case) -> str:
    """Stories of one group share a warehouse: the same parameters."""
    return json.dumps(case.parameters, sort_keys=True, default=str)


def as_of(case: Case) -> datetime:
    """Until when the story is told, UTC."""
    moment = case.parameters.get("as_of", AS_OF)
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time())
    zone = ZoneInfo(str(case.parameters.get("reporting_zone", ZONE)))
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def parameters(centres: Iterable[Centre]) -> Parameters:
    """The edge rules under which stories of one group are told, with what each of them names."""
    listed = list(centres)
    said = listed[0].case.parameters.items()
    told = {name: value for name, value in said if name not in ("as_of", "reporting_zone")}
    for centre in listed:
        for name, names in centre.named().items():
            told[name] = (*told.get(name, ()), *names)
    return Parameters.model_validate(told)


def rows(centres: Iterable[Centre]) -> dict[str, Rows]:
    """Every raw row of the stories, by source and table."""
    told: dict[str, Rows] = {name: defaultdict(list) for name in ("asterisk", "zendesk", "qualtrics", EXPORTS)}
    log: list[tuple[datetime, dict[str, Any]]] = []
    for centre in centres:
        story = centre.case.story
        for call in story.calls:
            log += list(_lines(centre, call))
        for ticket in story.tickets:
            _ticket(centre, ticket, told["zendesk"])
        for schedule in story.schedules:
            _schedule(centre, schedule, told["zendesk"])
        for invitation in story.surveys:
            _invitation(centre, invitation, told["qualtrics"])
        for promise in story.promises:
            _promise(centre, promise, told["zendesk"])
        for exported in story.exported_calls:
            if not exported.is_late:
                told[EXPORTS]["calls"] += _exported(centre, exported, len(told[EXPORTS]["calls"]))
        _shifts(centre, told[EXPORTS])
        _feedback(centre, told[EXPORTS])
        _people(centre, told["zendesk"])
    told["qualtrics"]["questions"] = [
        {"survey_id": SURVEY, "question_id": question, "metric": metric, "scale": scale}
        for metric, (question, scale) in QUESTIONS.items()
    ]
    log.sort(key=lambda line: line[0])
    told["asterisk"]["queue_log"] = [
        {"file_id": "queue_log", "byte_offset": 100 * number, "occurred_at": moment, **line}
        for number, (moment, line) in enumerate(log)
    ]
    return told


def late_rows(centres: Iterable[Centre]) -> dict[str, Rows]:
    """What came when numbers had been published already: late files, and files that correct earlier ones."""
    told: dict[str, Rows] = {EXPORTS: defaultdict(list)}
    for centre in centres:
        for exported in centre.case.story.exported_calls:
            if exported.is_late or exported.corrected:
                corrected = ExportedCall.model_validate({**exported.model_dump(), **exported.corrected})
                told[EXPORTS]["calls"] += _exported(centre, corrected, len(told[EXPORTS]["calls"]))
    return told if told[EXPORTS] else {}


def _exported(centre: Centre, exported: ExportedCall, lines: int) -> list[dict[str, Any]]:
    name = f"{centre.golden.id}-{exported.call}"
    names = [name] if exported.times == 1 else [f"{name}_{number}" for number in range(1, exported.times + 1)]
    more = {key: _told(centre, key, value) for key, value in (exported.model_extra or {}).items()}
    return [
        {
            "call_id": one,
            "direction": "inbound",
            "channel": "voice",
            "queue": centre.system_name(exported.queue),
            "started_at": centre.utc(exported.arrives),
            "queued_at": centre.utc(exported.arrives),
            "outcome": exported.outcome,
            **more,
            "_file": f"{centre.golden.id}.csv",
            "_line": lines + number,
        }
        for number, one in enumerate(names, start=2)
    ]


def _shifts(centre: Centre, told: Rows) -> None:
    """What agents did and were to do, as files say."""
    story = centre.case.story
    for number, spell in enumerate(story.agent_states, start=2):
        told["agent_states"].append(
            {
                "state_id": f"{centre.golden.id}-{number}",
                "agent": centre.system_name(spell.agent),
                "team": centre.system_name(spell.team),
                "state": spell.state,
                "started_at": centre.utc(spell.from_),
                "ended_at": centre.utc(spell.to),
                "_file": f"{centre.golden.id}-states.csv",
                "_line": number,
            }
        )
    for number, shift in enumerate(story.shifts, start=2):
        told["shifts"].append(
            {
                "shift_id": f"{centre.golden.id}-{number}",
                "published_at": centre.utc(shift.published),
                "agent": centre.system_name(shift.agent),
                "team": centre.system_name(shift.team),
                "activity": shift.activity,
                "started_at": centre.utc(shift.from_),
                "ended_at": centre.utc(shift.to),
                "is_paid": True,
                "is_cancelled": False,
                "_file": f"{centre.golden.id}-shifts.csv",
                "_line": number,
            }
        )


def _feedback(centre: Centre, told: Rows) -> None:
    """What customers said, as a file has it."""
    for number, one in enumerate(centre.case.story.feedback, start=2):
        told["feedback"].append(
            {
                "feedback_id": f"{centre.golden.id}-{number}",
                "occurred_at": centre.utc(one.at),
                "comment": "…",
                **_about(centre, one.about),
                "_file": f"{centre.golden.id}-feedback.csv",
                "_line": number,
            }
        )


def _told(centre: Centre, name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return centre.utc(value)
    return centre.system_name(value) if name in ("agent", "team") else value


# --- calls -----------------------------------------------------------------------------------------------------------


def _lines(centre: Centre, call: Call) -> Iterable[tuple[datetime, dict[str, Any]]]:
    """The lines the queue log gets for a call; its own figures are whole seconds, its stamps are not."""
    id_, now = f"{centre.golden.id}-{call.call}", centre.utc(call.arrives)

    def line(moment: datetime, queue: str, agent: str, event: str, *data: object) -> tuple[datetime, dict[str, Any]]:
        said = {f"data{number}": str(value) for number, value in enumerate(data, start=1)}
        return moment, {"callid": id_, "queue": queue, "agent": agent, "event": event, **said}

    for visit in call.visits:
        queue, left = centre.system_name(visit.queue), now + timedelta(seconds=visit.waits)
        waited = int(visit.waits)
        yield line(now, queue, "NONE", "ENTERQUEUE", "", centre.phone(call.caller))
        for miss in visit.misses:
            rang = now + timedelta(seconds=miss.at)
            yield line(rang, queue, centre.system_name(miss.agent), "RINGNOANSWER", int(1000 * miss.rings))
        if visit.answered_by is None:
            event, data = {
                "hangs_up": ("ABANDON", (1, 1, waited)),
                "times_out": ("EXITWITHTIMEOUT", (1, 1, waited)),
                "presses_key": ("EXITWITHKEY", (1, 1, 1, waited)),
                "nobody_there": ("EXITEMPTY", (1, 1, waited)),
            }[visit.then]
            yield line(left, queue, "NONE", event, *data)
            now = left
            continue
        agent, talked = centre.system_name(visit.answered_by), int(visit.talks or 0)
        yield line(left, queue, agent, "CONNECT", waited, "bridge", 3)
        now = left + timedelta(seconds=visit.talks or 0)
        event, data = {
            "caller_ends": ("COMPLETECALLER", (waited, talked, 1)),
            "agent_ends": ("COMPLETEAGENT", (waited, talked, 1)),
            "blind_transfer": ("BLINDTRANSFER", ("600", "internal", waited, talked, 1)),
            "warm_transfer": ("ATTENDEDTRANSFER", ("600", "internal", waited, talked, 1)),
        }[visit.then]
        yield line(now, queue, agent, event, *data)
        if visit.wraps is not None:
            unwrapped = now + timedelta(seconds=visit.wraps)
            pause = {"callid": "NONE", "queue": "NONE", "agent": agent}
            yield now, {**pause, "event": "PAUSE", "data1": "wrapup"}
            yield unwrapped, {**pause, "event": "UNPAUSE"}


# --- tickets ---------------------------------------------------------------------------------------------------------


def _ticket(centre: Centre, ticket: Ticket, told: Rows) -> None:
    number, requester = centre.ticket(ticket.ticket), centre.customer(ticket.customer)
    state: dict[str, Any] = {}
    tags = list(ticket.tags)
    for event in ticket.events:
        updater = {CUSTOMER: requester, BOT: -1, SYSTEM: -1}.get(event.by) or centre.agent(event.by)
        common = {
            "event_id": 1000 * number + len(told["ticket_events"]) + 1,
            "ticket_id": number,
            "created_at": centre.utc(event.at),
            "updater_id": updater,
            "via": "Rule" if event.by in (BOT, SYSTEM) else "Web form",
        }
        facts: list[dict[str, Any]] = []
        status: str | None = event.status
        if event.does == "creates":
            facts.append({"field": "created"})
            status = status or "new"
            state |= {"submitter_id": updater, "created_at": centre.utc(event.at)}
        if event.does == "deletes":
            status = "deleted"
        if event.merged_into:
            status = "closed"
            tags.append("closed_by_merge")
        if event.writes:
            facts.append({"field": "comment", "is_public": event.writes == "publicly", "author_id": updater})
        values = {
            "status": status,
            "group_id": centre.group(event.team) if event.team else None,
            "assignee_id": centre.agent(event.agent) if event.agent else None,
            "priority": event.priority,
            "schedule_id": centre.schedule(event.schedule) if event.schedule else None,
        }
        facts += [{"field": field, "value": str(value)} for field, value in values.items() if value is not None]
        state |= {name: value for name, value in values.items() if value is not None and name != "schedule_id"}
        told["ticket_events"] += [{**common, "child_number": child, **fact} for child, fact in enumerate(facts)]
    told["tickets"].append(
        {
            "id": number,
            "requester_id": requester,
            "via_channel": ticket.channel,
            "tags": json.dumps(tags),
            "updated_at": centre.utc(ticket.reported_at or ticket.events[-1].at),
            "metric_set": _metric_set(ticket),
            **state,
        }
    )
    for rating in ticket.ratings:
        told["satisfaction_ratings"].append(
            {
                "id": 1000 * number + len(told["satisfaction_ratings"]) + 1,
                "ticket_id": number,
                "requester_id": requester,
                "assignee_id": state.get("assignee_id"),
                "group_id": state.get("group_id"),
                "score": rating.is_,
                "created_at": centre.utc(rating.at),
                "updated_at": centre.utc(rating.at),
            }
        )


def _metric_set(ticket: Ticket) -> str | None:
    """What the vendor reports of a ticket, in its words."""
    told = ticket.reported
    if told is None:
        return None
    clocks = {"calendar": "", "business": "_business"}
    return json.dumps(
        {
            name: {clock: dict(told).get(measure + end) for clock, end in clocks.items()}
            for measure, name in REPORTED.items()
        }
    )


def _people(centre: Centre, told: Rows) -> None:
    """Users and groups of all that a story named."""
    for name, number in ((name, centre.agent(name)) for name in list(centre._people)):
        user = {"id": number, "name": centre.system_name(name), "role": "agent", "active": True}
        roles = [(centre.utc(role.from_), role.is_) for role in centre.case.story.people if role.agent == name]
        if roles:
            for moment, word in [(SINCE, "agent"), *roles]:
                user |= {"role": "end-user" if word == "customer" else word, "updated_at": moment}
                told["user_versions"].append(dict(user))
        told["users"].append(user)
    for name, number in ((name, centre.customer(name)) for name in list(centre._customers)):
        address = f"{name.lower()}.{number}@example.com"
        told["users"].append(
            {
                "id": number, "name": name, "role": "end-user", "active": True, "email": address,
                "phone": centre.phone(name),
            }
        )  # fmt: skip
    told["groups"] += [
        {"id": centre.group(team), "name": centre.system_name(team)} for team in centre.case.story.teams()
    ]


def _promise(centre: Centre, promise: Promise, told: Rows) -> None:
    """A policy as the vendor's API has it, for the tickets of one group."""
    version, targets, conditions = zendesk_policies.opened(
        {
            "id": centre.policy(promise.policy),
            "title": centre.system_name(promise.policy),
            "position": len(told["sla_policy_versions"]) + 1,
            "filter": {"all": [{"field": "group_id", "operator": "is", "value": str(centre.group(promise.team))}]},
            "policy_metrics": [
                {
                    "metric": METRICS[metric],
                    "priority": priority,
                    "target": minutes,
                    "business_hours": promise.clock == "business",
                }
                for metric, by_priority in promise.targets.items()
                for priority, minutes in by_priority.items()
            ],
            "created_at": SINCE.isoformat(),
            "updated_at": SINCE.isoformat(),
        }
    )
    told["sla_policy_versions"].append({**version, "recurrence": 0})
    told["sla_policy_targets"] += targets
    told["sla_policy_conditions"] += conditions


def _schedule(centre: Centre, schedule: Schedule, told: Rows) -> None:
    number, began = centre.schedule(schedule.schedule), SINCE
    version = {"schedule_id": number, "content": "as told"}
    told["schedule_versions"].append(
        {
            **version, "recurrence": 1, "updated_at": began, "created_at": began,
            "name": centre.system_name(schedule.schedule), "time_zone": schedule.zone,
        }
    )  # fmt: skip
    for hours in schedule.hours:
        days, times = hours.split()
        first, _, last = days.partition("-")
        start, end = (60 * int(text[:2]) + int(text[3:]) for text in times.split("-"))
        for day in range(DAYS.index(first), DAYS.index(last or first) + 1):
            told["schedule_intervals"].append(
                {**version, "start_time": 1440 * day + start, "end_time": 1440 * day + end}
            )
    for id_, holiday in enumerate(schedule.holidays, start=1):
        told["schedule_holidays"].append(
            {**version, "id": id_, "name": holiday.name, "start_date": holiday.first, "end_date": holiday.last}
        )


# --- surveys ---------------------------------------------------------------------------------------------------------


def _invitation(centre: Centre, invitation: Invitation, told: Rows) -> None:
    name = f"{centre.golden.id}-{invitation.invitation}"
    for one in [name] if invitation.times == 1 else [f"{name}_{number + 1}" for number in range(invitation.times)]:
        _sent(centre, invitation, one, told)


def _about(centre: Centre, name: str | None) -> dict[str, str | None]:
    """What a survey or a piece of feedback is about, in the words of the system that has it."""
    is_ticket = name in {one.ticket for one in centre.case.story.tickets}
    return {
        "ticket_id": str(centre.ticket(name)) if name and is_ticket else None,
        "call_id": f"{centre.golden.id}-{name}" if name and not is_ticket else None,
        "system": "zendesk" if is_ticket else EXPORTS,
    }


def _sent(centre: Centre, invitation: Invitation, name: str, told: Rows) -> None:
    about = _about(centre, invitation.about)
    statuses = {"delivered": "Success", "bounced": "HardBounce", "suppressed": "Skipped"}
    told["invitations"].append(
        {
            "distribution_id": "EMD_golden",
            "contact_id": name,
            "survey_id": SURVEY,
            "status": statuses[invitation.status],
            "sent_at": centre.utc(invitation.sent),
            "team": centre.system_name(invitation.team),
            "response_id": f"R_{name}_1" if invitation.answers else None,
        }
    )
    for number, answer in enumerate(invitation.answers, start=1):
        response = f"R_{name}_{number}"
        told["responses"].append(
            {
                "survey_id": SURVEY,
                "response_id": response,
                "recorded_at": centre.utc(answer.at),
                "status": 0,
                "finished": answer.finished,
                "team": centre.system_name(invitation.team),
                # what the survey passes along ties later answers to the invitation
                "embedded": json.dumps(
                    {"distribution_id": "EMD_golden", "contact_id": name}
                    | ({"call_id": about["call_id"]} if about["call_id"] else {})
                ),
                "ticket_id": about["ticket_id"],
            }
        )
        told["answers"] += [
            {"survey_id": SURVEY, "response_id": response, "question_id": question, "value": str(value)}
            for metric, (question, _) in QUESTIONS.items()
            if (value := getattr(answer, metric)) is not None
        ]

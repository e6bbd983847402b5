"""What the survey system holds after the period, as state for its emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kefu.simulator.files import write_lines
from kefu.simulator.surveys import NO, YES, Invitation, Mailing, Response, Survey
from kefu.simulator.world import DAY, World, iso

STATUS = {"normal": 0, "preview": 1, "test": 2, "spam": 8}
CHANNEL = {"normal": "email", "preview": "preview", "test": "test", "spam": "anonymous"}
SATISFACTION = {
    "1": "Very dissatisfied",
    "2": "Dissatisfied",
    "3": "Neither satisfied nor dissatisfied",
    "4": "Satisfied",
    "5": "Very satisfied",
}


def write(world: World, survey: Survey, directory: Path) -> dict[str, int]:
    """Write the account's state; returns rows by file."""
    return {
        "surveys": write_lines(directory / "surveys.jsonl", [_definition(world, survey)]),
        "distributions": write_lines(
            directory / "distributions.jsonl", (_distribution(survey, mailing) for mailing in survey.mailings)
        ),
        "history": write_lines(
            directory / "history.jsonl",
            (_history(invitation) for mailing in survey.mailings for invitation in mailing.invitations),
        ),
        "responses": write_lines(directory / "responses.jsonl", _responses(survey)),
    }


def _definition(world: World, survey: Survey) -> dict[str, Any]:
    founded = iso(world.begins - 60 * DAY)
    return {
        "id": survey.id,
        "name": "After your call 来电回访",
        "owner_id": "UR_" + survey.id[3:],
        "created_at": founded,
        "last_modified": founded,
        "questions": [
            {
                "id": "QID1",
                "tag": "Q1",
                "type": "MC",
                "selector": "SAVR",
                "text": "How satisfied are you with the service on this call? 您对本次服务满意吗？",
                "choices": SATISFACTION,
            },
            {
                "id": "QID2",
                "tag": "Q2",
                "type": "MC",
                "selector": "NPS",
                "text": "How likely are you to recommend us? 您有多大可能推荐我们？",
                "choices": {str(points): str(points) for points in range(11)},
            },
            {
                "id": "QID3",
                "tag": "Q3",
                "type": "TE",
                "selector": "ML",
                "text": "What is the reason for your answer? 请说明原因。",
                "choices": {},
            },
            {
                "id": "QID4",
                "tag": "Q4",
                "type": "MC",
                "selector": "SAVR",
                "text": "Was your matter solved the first time? 您的问题是否一次解决？",
                "choices": {str(YES): "Yes 是", str(NO): "No 否"},
            },
        ],
        "embedded": [
            "call_id", "queue", "agent", "team", "called_at", "contact_id", "distribution_id",
        ],
    }  # fmt: skip


def _distribution(survey: Survey, mailing: Mailing) -> dict[str, Any]:
    return {
        "id": mailing.id,
        "survey_id": survey.id,
        "sent_at": mailing.sent_at,
        "team": mailing.team.group,
        "invitations": len(mailing.invitations),
    }


def _history(invitation: Invitation) -> dict[str, Any]:
    first = min(invitation.responses, key=lambda response: response.started_at, default=None)
    return {
        "distribution_id": invitation.mailing.id,
        "contact_id": invitation.contact_id,
        "sent_at": invitation.sent_at,
        "opened_at": invitation.opened_at,
        "response_id": first.id if first else None,
        "started_at": first.started_at if first else None,
        "completed_at": first.ended_at if first and first.finished else None,
        "states": [list(state) for state in invitation.states],
    }


def _responses(survey: Survey) -> Iterator[dict[str, Any]]:
    for response in survey.responses:
        yield {
            "id": response.id,
            "survey_id": survey.id,
            "recorded_at": response.recorded_at,
            "values": _values(response),
        }


def _values(response: Response) -> dict[str, Any]:
    values: dict[str, Any] = {
        "startDate": iso(response.started_at),
        "endDate": iso(response.ended_at),
        "status": STATUS[response.kind],
        "progress": response.progress,
        "duration": response.ended_at - response.started_at,
        "finished": int(response.finished),
        "recordedDate": iso(response.recorded_at),
        "_recordId": response.id,
        "distributionChannel": CHANNEL[response.kind],
        "userLanguage": response.language,
    }
    if response.csat is not None:
        values["QID1"] = response.csat
    if response.nps is not None:
        values["QID2"] = response.nps
    if response.comment is not None:
        values["QID3_TEXT"] = response.comment
    if response.solved is not None:
        values["QID4"] = response.solved
    invitation = response.invitation
    if invitation is not None:
        call = invitation.call
        assert call.ended_at is not None
        values["externalDataReference"] = invitation.customer.reference
        values["recipientEmail"] = invitation.customer.email
        values |= {
            "call_id": call.call_id,
            "queue": call.answered[-1].team.queue,
            "agent": invitation.agent.name,
            "team": invitation.mailing.team.group,
            "called_at": iso(call.ended_at),
            "contact_id": invitation.contact_id,
            "distribution_id": invitation.mailing.id,
        }
    return values

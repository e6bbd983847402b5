"""Ratings and questionnaires from raw rows: what was answered to what, when, and the teams' shares of it.

The house's rules (docs/decisions.md): the last whole answer in time counts, for teams by the time they had it in hand.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.dbt.stitching import Identity, People
from tests.end_to_end.centre_credits import Hand, _by_team, ticket_shares
from tests.end_to_end.voice import Contact, Leg, Rules, cut, seconds

if TYPE_CHECKING:
    from tests.end_to_end.raw_facts import Centre, Raw

Row = dict[str, Any]
TICKET_RATING = "zendesk-ticket-rating"
# scale: lowest and highest answer, the highest one that is bad, the lowest one that is good
SCALES = {
    "thumbs": (0, 1, 0, 1),
    "yes_no": (0, 1, 0, 1),
    "three_point": (1, 3, 1, 3),
    "five_point": (1, 5, 2, 4),
    "seven_point": (1, 7, 3, 6),
    "ten_point": (1, 10, 6, 9),
    "eleven_point": (0, 10, 6, 9),
}
EASY_FROM = {"five_point": 4, "seven_point": 5}
GRADES = {"bottom": 1, "middle": 2, "top": 3}


@dataclass(frozen=True)
class Answer:
    """An answer to one question, on its scale."""

    metric: str
    box: str
    score: float
    group: str | None = None


@dataclass(frozen=True)
class Sheet:
    """What one customer sent at one time: all the answers of a submission."""

    key: str  # the invitation, or itself where it answers none
    id: str
    at: datetime
    place: Row
    answers: tuple[Answer, ...]
    shares: tuple[tuple[str, Decimal], ...]
    is_whole: bool = True
    is_late: bool = False
    identity: Identity | None = None
    about: tuple[str, ...] = ()  # contacts, as they are called with their source in front


def on_scale(metric: str, scale: str, text: str) -> Answer | None:
    """An answer in our terms; None if it is not on its scale."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if scale == "yes_no" and value == 2:  # the second choice is no, too
        value = Decimal(0)
    lowest, highest, bad, good = SCALES[scale]
    if value != int(value) or not lowest <= value <= highest:
        return None
    box = "bottom" if value <= bad else "top" if value >= good else "middle"
    group = None
    if metric == "nps":
        group = {"bottom": "detractor", "middle": "passive", "top": "promoter"}[box]
    elif metric == "ces":
        group = "easy" if value >= EASY_FROM[scale] else "other"
    return Answer(metric, box, round((int(value) - lowest) / (highest - lowest), 6), group)


# --- ratings of tickets ----------------------------------------------------------------------------------------------


def _verdict(score: str | None) -> str | None:
    """Good or bad, with or without a comment; None for what is no answer."""
    return next((word for word in ("good", "bad") if (score or "").startswith(word)), None)


def _scores(rating: Row, events: list[Row]) -> Iterator[tuple[datetime, str | None, int | None]]:
    """When a rating record had which verdict: it holds the last, the ticket's history those before it."""
    told = {
        event["event_id"]: (event["created_at"], _verdict(event["value"]), event["event_id"])
        for event in events
        if event["field"] in ("satisfaction_score", "satisfactionrating")
        and _verdict(event["value"])
        and rating["created_at"] <= event["created_at"] < rating["updated_at"]
    }
    last = (rating["updated_at"], _verdict(rating["score"]), None)
    scores = [*sorted(told.values(), key=lambda one: (one[0], one[2])), last]
    for score, following in pairwise([*scores, (None, None, None)]):
        if score[1] != following[1]:  # one that the next one repeats is none of its own
            yield score


def rating_sheets(raw: Raw, tickets: list[Row], centre: Centre) -> Iterator[Sheet]:
    """Every score of every rating of a ticket that counts."""
    desk = raw.get("zendesk", {})
    events: dict[int, list[Row]] = defaultdict(list)
    for event in desk.get("ticket_events", []):
        events[event["ticket_id"]].append(event)
    sent = _offered(raw)
    counted = {ticket["id"]: ticket for ticket in tickets if not ticket["excluded"]}
    for rating in desk.get("satisfaction_ratings", []):
        if rating["ticket_id"] not in counted or not _verdict(rating["score"]):
            continue
        ticket = counted[rating["ticket_id"]]
        for at, verdict, number in _scores(rating, events[rating["ticket_id"]]):
            if at <= centre.as_of:
                late = seconds(sent[rating["ticket_id"]], at) > centre.survey_days * 86_400
                yield Sheet(
                    key=f"zendesk-{rating['ticket_id']}",
                    id=f"zendesk-{rating['id']}" + (f"-{number}" if number else ""),
                    at=at,
                    place=_of_ticket(ticket),
                    answers=(Answer("csat", "top" if verdict == "good" else "bottom", float(verdict == "good")),),
                    shares=tuple(ticket_shares(ticket, at.isoformat(), {}).items()),
                    is_late=late,
                    identity=("account", f"zendesk-{rating['requester_id']}"),
                )


def _of_ticket(ticket: Row) -> Row:
    return {
        "source": "zendesk",
        "channel": ticket["channel"],
        "survey": TICKET_RATING,
        "segment": "none",
        "opening": opening(ticket),
    }


def opening(ticket: Row) -> str:
    """The priority a customer's ticket came with: what its first update set."""
    first = [entry["value"] for entry in ticket["priorities"] if entry["n"] == 1]
    return (first[-1] if first and ticket["created_by"] != "agent" else None) or "none"


def _offered(raw: Raw) -> dict[int, datetime]:
    """When a ticket's customer was first asked."""
    sent: dict[int, datetime] = {}
    for rating in raw.get("zendesk", {}).get("satisfaction_ratings", []):
        if rating["score"] != "unoffered":
            known = sent.get(rating["ticket_id"], rating["created_at"])
            sent[rating["ticket_id"]] = min(known, rating["created_at"])
    return sent


# --- questionnaires --------------------------------------------------------------------------------------------------


def _passed(response: Row) -> Row:
    """What the survey passes along."""
    embedded = response["embedded"]
    found: Row = json.loads(embedded) if isinstance(embedded, str) else embedded or {}
    return found


def _invitation_key(invitation: Row) -> str:
    return f"qualtrics-{invitation['distribution_id']}-{invitation['contact_id']}"


def _said(ticket_id: str | None, sources: list[str], known: dict[str, Row]) -> Row | None:
    """The contact another system speaks of by its own key; None where it could be several."""
    names = {str(ticket_id), *(f"{source}-{ticket_id}" for source in sources)} if ticket_id else set()
    found = [known[name] for name in names if name in known]
    return found[0] if len(found) == 1 else None


def calls(contacts: list[Contact], rules: Rules) -> dict[str, Row]:
    """Calls by the name they have with their source in front: their legs, each with what an agent spent on it."""
    return {
        f"{one.source}-{one.id}": {
            "legs": [(leg, sum(part or 0 for part in cut(leg, rules))) for leg in one.legs if leg.agent]
        }
        for one in contacts
    }


def response_sheets(raw: Raw, tickets: list[Row], known: dict[str, Row], centre: Centre) -> Iterator[Sheet]:
    """Every questionnaire that came back, whole or not; ``known`` are the calls."""
    tables = raw.get("qualtrics", {})
    questions = {(one["survey_id"], one["question_id"]): one for one in tables.get("questions", []) if one["metric"]}
    answers: dict[str, list[Row]] = defaultdict(list)
    for answer in tables.get("answers", []):
        answers[answer["response_id"]].append(answer)
    sent = {_invitation_key(one): one["sent_at"] for one in tables.get("invitations", [])}
    named = {one["response_id"]: _invitation_key(one) for one in tables.get("invitations", []) if one["response_id"]}
    of_tickets = {f"zendesk-{ticket['id']}": ticket for ticket in tickets}
    for response in tables.get("responses", []):
        if response["status"] != 0 or response["recorded_at"] > centre.as_of:
            continue
        passed, at = _passed(response), response["recorded_at"]
        key = named.get(response["response_id"])
        if passed.get("distribution_id") and passed.get("contact_id"):
            key = f"qualtrics-{passed['distribution_id']}-{passed['contact_id']}"
        ticket = _said(response["ticket_id"], [*raw], of_tickets)
        if ticket and ticket["excluded"]:
            continue
        call = _said(passed.get("call_id"), [*raw], known)
        team = centre.team("qualtrics", response["team"])
        if ticket:
            shares = ticket_shares(ticket, at.isoformat(), {})
        else:
            shares = _call_shares(call["legs"] if call else [], at) or {team: Decimal(1)}
        found = []
        for answer in answers[response["response_id"]]:
            if question := questions.get((answer["survey_id"], answer["question_id"])):
                found.append(on_scale(question["metric"], question["scale"], answer["value"]))
        yield Sheet(
            key=key or f"qualtrics-{response['response_id']}",
            id=f"qualtrics-{response['response_id']}",
            at=at,
            place={
                "source": "qualtrics",
                "channel": "voice" if passed.get("call_id") else "other",
                "survey": f"qualtrics-{response['survey_id']}",
                "segment": "none",
                "opening": opening(ticket) if ticket else "none",
            },
            answers=tuple(one for one in found if one),
            shares=tuple(shares.items()),
            is_whole=bool(response["finished"]),
            is_late=key in sent and seconds(sent[key], at) > centre.survey_days * 86_400,
            identity=("reference", response["contact_reference"]) if response["contact_reference"] else None,
            about=tuple(
                name
                for kind, said, there in (
                    ("ticket", response["ticket_id"], of_tickets),
                    ("call", passed.get("call_id"), known),
                )
                if (name := _meant(kind, said, [*raw], {f"{kind}-{one}" for one in there}))
            ),
        )


def _call_shares(legs: list[tuple[Leg, int]], at: datetime) -> dict[str, Decimal]:
    """By handle time; where there is none, those who talked alike. Nothing where nobody did."""
    hands: dict[Hand, int] = defaultdict(int)
    for leg, handled in legs:
        if leg.begins <= at:
            hands[leg.agent or "", leg.team] += handled
    parts = {hand: part for hand, part in hands.items() if part} or dict.fromkeys(hands, 1)
    return _by_team(parts, {}) if parts else {}


# --- whatever was said -----------------------------------------------------------------------------------------------


def voiced(raw: Raw, contacts: set[str], centre: Centre) -> set[str]:
    """The contacts, as raw_issues calls them, that anybody said anything of; whether a KPI counts it or not."""
    desk, tables = raw.get("zendesk", {}), raw.get("qualtrics", {})
    events: dict[int, list[Row]] = defaultdict(list)
    for event in desk.get("ticket_events", []):
        events[event["ticket_id"]].append(event)
    found = {
        f"ticket-zendesk-{rating['ticket_id']}"
        for rating in desk.get("satisfaction_ratings", [])
        if _verdict(rating["score"])
        and min(at for at, _, _ in _scores(rating, events[rating["ticket_id"]])) <= centre.as_of
    }
    asked = {(one["survey_id"], one["question_id"]) for one in tables.get("questions", []) if one["metric"]}
    given = {
        answer["response_id"]
        for answer in tables.get("answers", [])
        if (answer["survey_id"], answer["question_id"]) in asked and _is_number(answer["value"])
    }
    for response in tables.get("responses", []):
        if response["status"] == 0 and response["recorded_at"] <= centre.as_of and response["response_id"] in given:
            found |= {
                name
                for kind, said in (("ticket", response["ticket_id"]), ("call", _passed(response).get("call_id")))
                if (name := _meant(kind, said, [*raw], contacts))
            }
    for source, exported in raw.items():
        for item in exported.get("feedback", []):
            if item["occurred_at"] <= centre.as_of:
                system = item["system"] or source
                found |= {f"ticket-{system}-{item['ticket_id']}", f"call-{system}-{item['call_id']}"}
    return found


def confirmed(sheets: list[Sheet]) -> dict[str, tuple[Any, bool]]:
    """By contact, when its customer last said whether it was solved the first time, and what; of answers that count."""
    found: dict[str, tuple[Any, bool]] = {}
    for sheet in sorted(_last(sheets).values(), key=lambda one: (one.at, one.id)):
        for answer in sheet.answers:
            if answer.metric == "fcr":
                found |= dict.fromkeys(sheet.about, ((sheet.at, sheet.id), answer.box == "top"))
    return found


def _is_number(text: str | None) -> bool:
    try:
        return Decimal(text or "").is_finite()
    except InvalidOperation:
        return False


def _meant(kind: str, said: str | None, sources: list[str], contacts: set[str]) -> str | None:
    """The one contact another system speaks of, with its source in front or without."""
    names = {f"{kind}-{said}", *(f"{kind}-{source}-{said}" for source in sources)} & contacts if said else set()
    return names.pop() if len(names) == 1 else None


# --- facts -----------------------------------------------------------------------------------------------------------


def _last(sheets: list[Sheet]) -> dict[str, Sheet]:
    """Of what came back to an invitation whole and in time, the last."""
    fit = sorted((one for one in sheets if one.is_whole and not one.is_late), key=lambda one: (one.at, one.id))
    return {one.key: one for one in fit}


ANSWERS = (
    "date", "at", "source", "channel", "team", "survey", "segment", "opening", "metric", "box", "score", "group",
    "weight",
)  # fmt: skip


def answers(sheets: list[Sheet], centre: Centre) -> Iterator[Row]:
    """What counts, a row for each team that has a share of it."""
    for sheet in _last(sheets).values():
        for answer in sheet.answers:
            for team, weight in sheet.shares:
                yield {
                    **sheet.place,
                    "date": centre.day(sheet.at),
                    "at": sheet.at,
                    "team": team,
                    "weight": weight,
                    "metric": answer.metric,
                    "box": answer.box,
                    "score": answer.score,
                    "group": answer.group,
                }


def ratings(sheets: list[Sheet], people: People, centre: Centre) -> Iterator[Row]:
    """Every bad rating, also one that was taken back or came late, and whether the customer's next one was good."""
    by_customer: dict[Any, list[tuple[Sheet, str]]] = defaultdict(list)
    for sheet in sheets:
        boxes = [answer.box for answer in sheet.answers if answer.metric == "csat"]
        if sheet.is_whole and boxes:
            who = people.customer(sheet.identity, sheet.at)[0] if sheet.identity else None
            by_customer[who or sheet.key].append((sheet, min(boxes, key=GRADES.__getitem__)))
    for given in by_customer.values():
        given.sort(key=lambda one: (one[0].at, one[0].id))
        for place, (sheet, box) in enumerate(given):
            if box == "bottom":
                for team, weight in sheet.shares:
                    yield {
                        **sheet.place,
                        "date": centre.day(sheet.at),
                        "team": team,
                        "weight": weight,
                        "recovered": place + 1 < len(given) and given[place + 1][1] == "top",
                    }


def invitations(raw: Raw, tickets: list[Row], sheets: list[Sheet], centre: Centre) -> Iterator[Row]:
    """Who was to be asked, was asked, and answered whole and in time."""
    answered = {sheet.key for sheet in sheets if sheet.is_whole and not sheet.is_late and sheet.answers}
    yield from _ticket_invitations(raw, tickets, answered, centre)
    tables = raw.get("qualtrics", {})
    follows_calls = {one["survey_id"] for one in tables.get("responses", []) if _passed(one).get("call_id")}
    of_tickets = {f"zendesk-{ticket['id']}": ticket for ticket in tickets}
    for one in tables.get("invitations", []):
        ticket = _said(one["ticket_id"], [*raw], of_tickets)
        if one["sent_at"] > centre.as_of or (ticket and ticket["excluded"]):
            continue
        status = (one["status"] or "").lower()
        is_held_back = status in ("blocked", "skipped", "suppressed", "optedout")
        is_delivered = not is_held_back and "bounce" not in status and "fail" not in status
        yield {
            "date": centre.day(one["sent_at"]),
            "source": "qualtrics",
            "channel": "voice" if one["survey_id"] in follows_calls else "other",
            "team": centre.team("qualtrics", one["team"]),
            "survey": f"qualtrics-{one['survey_id']}",
            "segment": "none",
            "sent": not is_held_back,
            "delivered": is_delivered,
            "answered": is_delivered and _invitation_key(one) in answered,
        }


def _ticket_invitations(raw: Raw, tickets: list[Row], answered: set[str], centre: Centre) -> Iterator[Row]:
    desk = raw.get("zendesk", {})
    names = {group["id"]: group["name"] for group in desk.get("groups", [])}
    counted = {ticket["id"]: ticket for ticket in tickets if not ticket["excluded"]}
    for ticket_id, sent in _offered(raw).items():
        if ticket_id not in counted or sent > centre.as_of:
            continue
        groups = [
            rating["group_id"]
            for rating in desk["satisfaction_ratings"]
            if rating["ticket_id"] == ticket_id and rating["score"] != "unoffered" and rating["group_id"] is not None
        ]
        group = min(groups, default=None)
        yield {
            **_of_ticket(counted[ticket_id]),
            "date": centre.day(sent),
            "team": centre.team("zendesk", names.get(group), str(group)) if group else "none",
            "sent": True,
            "delivered": True,
            "answered": f"zendesk-{ticket_id}" in answered,
        }

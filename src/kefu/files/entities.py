"""What a file can become: the entities, their fields, the words a field may hold.

The words are ours, the same for every source; a mapping translates the file's own into them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pyarrow as pa

from kefu.sources import Table

FieldKind = Literal["text", "integer", "seconds", "number", "timestamp", "boolean"]

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "seconds": pa.int64(),
    "number": pa.decimal128(18, 6),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
}

CHANNELS = (
    "voice", "email", "chat", "messaging", "web", "social", "sms", "in_person", "letter", "api", "other",
)  # fmt: skip
PEOPLE = ("customer", "agent", "bot", "system")
STATUSES = ("new", "open", "pending", "on_hold", "solved", "closed", "deleted", "unmapped")
ROLES = ("agent", "lead", "manager", "admin", "customer", "other")
STATES = (
    "available", "on_contact", "wrap", "break", "lunch", "meeting", "training", "coaching", "offline", "other",
)  # fmt: skip
ACTIVITIES = ("on_queue", "break", "lunch", "meeting", "training", "coaching", "absence", "other")
OUTCOMES = (
    "answered", "abandoned", "ivr_abandoned", "self_served", "callback_requested", "voicemail", "overflowed",
    "closed", "failed",
)  # fmt: skip
ENDED_BY = ("customer", "agent", "system")


@dataclass(frozen=True)
class Field:
    """One column of an entity. ``assumed`` is what it holds when a mapping does not speak of it."""

    name: str
    kind: FieldKind
    description: str
    required: bool = False
    words: tuple[str, ...] = ()
    assumed: str | bool | None = None
    may_be_negative: bool = False


@dataclass(frozen=True)
class Entity:
    """One table a file can fill; ``key`` tells two rows apart."""

    name: str
    description: str
    key: tuple[str, ...]
    fields: Mapping[str, Field]
    root: tuple[str, ...] = ()  # what a row is part of; the first column of the key where nothing is said

    @property
    def numbered(self) -> str:
        """The part of the key that tells rows apart when the policy ``number`` has to."""
        return "sequence" if "sequence" in self.key else self.key[0]

    def table(self) -> Table:
        """The raw table: the fields, then where the row came from."""
        columns = {name: ARROW_TYPES[spec.kind] for name, spec in self.fields.items()}
        return Table(
            name=self.name,
            columns={**columns, "_file": pa.string(), "_line": pa.int64()},
            key=self.key,
            description=self.description,
            root=self.root or self.key[:1],
        )


def _entity(name: str, description: str, key: tuple[str, ...], *fields: Field, root: tuple[str, ...] = ()) -> Entity:
    return Entity(name, description, key, {field.name: field for field in fields}, root)


_WHO = (
    Field("agent", "text", "Who served, as the file names them."),
    Field("team", "text", "Team, as the file names it; kefu.toml says which team of ours it is."),
)
_SURVEY_LINKS = (
    Field("customer", "text", "The customer's id."),
    Field("ticket_id", "text", "The ticket it is about, as in entity tickets."),
    Field("call_id", "text", "The call it is about, as in entity calls."),
    *_WHO,
    Field("segment", "text", "Part of the journey or of the business, for example a journey stage."),
)

_SYSTEM = Field(
    "system", "text", "The source (kefu.toml) whose agents, calls and tickets are meant; the files' own where empty."
)
_SPELL = (
    Field("agent", "text", "Who, as the file (or `system`) names them.", required=True),
    _SYSTEM,
    Field("team", "text", "Team, as the file names it; the agent's team of that day where empty."),
)

ENTITIES: Mapping[str, Entity] = {
    entity.name: entity
    for entity in (
        _entity(
            "calls",
            "One row per call (or other live contact).",
            ("call_id",),
            Field("call_id", "text", "Tells calls apart, over all files of the source.", required=True),
            Field(
                "direction",
                "text",
                "Who called whom.",
                words=("inbound", "outbound", "internal"),
                assumed="inbound",
            ),
            Field("channel", "text", "How the customer reached us.", words=CHANNELS, assumed="voice"),
            Field("customer", "text", "The customer's id."),
            Field("queue", "text", "The first queue, or the line or skill called."),
            Field("team", "text", "Team, as the file names it; kefu.toml says which team of ours it is."),
            Field("agent", "text", "Who answered, as the file names them."),
            Field("started_at", "timestamp", "When the call reached us.", required=True),
            Field("queued_at", "timestamp", "When the wait for a person began; empty if it never did."),
            Field("answered_at", "timestamp", "When a person answered."),
            Field("ended_at", "timestamp", "When the call ended."),
            Field("ivr_seconds", "seconds", "Time in the voice menu."),
            Field("wait_seconds", "seconds", "Time in the queue, until answered or until the customer left."),
            Field("ring_seconds", "seconds", "Ringing at the agent, part of the wait."),
            Field("talk_seconds", "seconds", "Talking, without hold."),
            Field("hold_seconds", "seconds", "On hold."),
            Field("wrap_seconds", "seconds", "Work after the call."),
            Field("outcome", "text", "How the call ended for the customer.", required=True, words=OUTCOMES),
            Field("transfers", "integer", "Transfers after the first answer."),
            Field("ended_by", "text", "Who hung up.", words=ENDED_BY),
            Field("callback_of", "text", "call_id of the call that asked for it; the attempt is a call of its own."),
            Field("ended_on_hold", "boolean", "Whether the customer hung up while on hold."),
        ),
        _entity(
            "tickets",
            "One row per ticket, as last seen.",
            ("ticket_id",),
            Field("ticket_id", "text", "Tells tickets apart, over all files of the source.", required=True),
            Field("customer", "text", "The customer's id."),
            Field("channel", "text", "How the customer reached us.", words=CHANNELS),
            Field("priority", "text", "Priority, in the file's own words."),
            Field("type", "text", "Kind of ticket, in the file's own words."),
            Field("status", "text", "State of the ticket now.", words=STATUSES),
            Field("team", "text", "Team in charge."),
            Field("agent", "text", "Agent in charge."),
            Field("created_at", "timestamp", "When the ticket was opened.", required=True),
            Field("first_replied_at", "timestamp", "First public reply by a person."),
            Field("first_solved_at", "timestamp", "First time it was solved."),
            Field("solved_at", "timestamp", "Last time it was solved."),
            Field("closed_at", "timestamp", "When it was closed for good."),
            Field("created_by", "text", "Who opened it.", words=PEOPLE),
            Field("agent_replies", "integer", "Public replies by agents."),
            Field("reassignments", "integer", "Changes of assignee."),
            Field("reopens", "integer", "Times it was solved and opened again."),
            Field("excluded_reason", "text", "Why no KPI counts it: merged, spam, test or deleted."),
            Field("merged_into", "text", "The ticket it was merged into, or that it follows up."),
            Field("call_id", "text", "The call it was opened for, by the telephone system's own id."),
        ),
        _entity(
            "ticket_events",
            "One row per event of a ticket: the values as they stand at that event.",
            ("ticket_id", "sequence"),
            Field("ticket_id", "text", "The ticket.", required=True),
            Field(
                "sequence",
                "integer",
                "Order of the events of a ticket; two events of one ticket never share it.",
                required=True,
                may_be_negative=True,
            ),
            Field("occurred_at", "timestamp", "When it happened.", required=True),
            Field("opened_at", "timestamp", "When the ticket was opened, if the event says so."),
            Field(
                "event_type",
                "text",
                "snapshot: the ticket's values; comment: a message.",
                words=("snapshot", "comment"),
                assumed="snapshot",
            ),
            Field("status", "text", "State of the ticket at that event.", words=STATUSES),
            Field("priority", "text", "Priority, in the file's own words."),
            Field("type", "text", "Kind of ticket, in the file's own words."),
            Field("team", "text", "Team in charge at that event."),
            Field("agent", "text", "Agent in charge at that event."),
            Field("customer", "text", "The customer's id."),
            Field("channel", "text", "How the customer reached us.", words=CHANNELS),
            Field("actor", "text", "Who did it."),
            Field("actor_kind", "text", "What kind of actor that was.", words=PEOPLE),
            Field("is_public", "boolean", "Whether the customer could see the message."),
        ),
        _entity(
            "customers",
            "One row per customer and instant from which on what it says holds.",
            ("customer", "valid_from"),
            Field(
                "customer",
                "text",
                "The customer's id, as calls, tickets and surveys of the source name it.",
                required=True,
            ),
            Field("valid_from", "timestamp", "From when on the row holds; before its first row too.", required=True),
            Field("reference", "text", "The organisation's own customer number, the same in every system."),
            Field("email", "text", "E-mail address."),
            Field("phone", "text", "Telephone number."),
        ),
        _entity(
            "survey_invitations",
            "One row per invitation to a survey.",
            ("invitation_id",),
            Field("invitation_id", "text", "Tells invitations apart.", required=True),
            Field("survey", "text", "Which survey."),
            Field("sent_at", "timestamp", "When it was sent.", required=True),
            Field(
                "status",
                "text",
                "What became of the invitation.",
                words=("delivered", "bounced", "failed", "suppressed"),
                assumed="delivered",
            ),
            Field("channel", "text", "How it was sent.", words=CHANNELS),
            *_SURVEY_LINKS,
        ),
        _entity(
            "survey_responses",
            "One row per answer to one question.",
            ("response_id", "question"),
            Field("response_id", "text", "Tells respondents (submissions) apart.", required=True),
            Field("question", "text", "Which question of the survey.", required=True),
            Field("invitation_id", "text", "The invitation answered."),
            Field("survey", "text", "Which survey."),
            Field(
                "metric",
                "text",
                "What the question measures.",
                required=True,
                words=("csat", "nps", "ces", "fcr", "other"),
            ),
            Field("scale", "text", "Scale of the answer, one of the seed dim_scale."),
            Field("value", "number", "The answer on its scale.", may_be_negative=True),
            Field("comment", "text", "What the customer wrote."),
            Field("responded_at", "timestamp", "When it was answered."),
            Field("contact_at", "timestamp", "When the contact happened that it is about."),
            Field("channel", "text", "Channel of the contact.", words=CHANNELS),
            *_SURVEY_LINKS,
            Field("is_complete", "boolean", "Whether the questionnaire was finished.", assumed=True),
        ),
        _entity(
            "agents",
            "One row per agent and moment from which on it says who they are: the roster.",
            ("agent", "valid_from"),
            Field("agent", "text", "Who, as the file (or `system`) names them.", required=True),
            Field("valid_from", "timestamp", "From when on the row holds, until the next one.", required=True),
            _SYSTEM,
            Field("team", "text", "Team, as the file names it; kefu.toml says which team of ours it is."),
            Field("role", "text", "What they are there.", words=ROLES, assumed="agent"),
            Field("is_active", "boolean", "Whether they work here.", assumed=True),
            Field("valid_to", "timestamp", "Until when, if no other row follows."),
            root=("system", "agent"),
        ),
        _entity(
            "agent_states",
            "One row per spell an agent spent in one state.",
            ("state_id",),
            Field("state_id", "text", "Tells spells apart, over all files of the source.", required=True),
            *_SPELL,
            Field("state", "text", "What the agent was.", required=True, words=STATES),
            Field("started_at", "timestamp", "When the spell began.", required=True),
            Field("ended_at", "timestamp", "When it ended; empty while it lasts."),
        ),
        _entity(
            "shifts",
            "One row per planned spell and version of the plan.",
            ("shift_id", "published_at"),
            Field("shift_id", "text", "Tells planned spells apart; an edited one keeps its id.", required=True),
            Field("published_at", "timestamp", "When this version of the plan was published.", required=True),
            *_SPELL,
            Field("activity", "text", "What is planned.", required=True, words=ACTIVITIES),
            Field("started_at", "timestamp", "When it is to begin.", required=True),
            Field("ended_at", "timestamp", "When it is to end.", required=True),
            Field("is_paid", "boolean", "Whether the time is paid.", assumed=True),
            Field("is_cancelled", "boolean", "Whether this version takes the spell out of the plan.", assumed=False),
        ),
        _entity(
            "evaluations",
            "One row per quality review of a contact.",
            ("evaluation_id",),
            Field("evaluation_id", "text", "Tells evaluations apart.", required=True),
            _SYSTEM,
            Field("call_id", "text", "The call reviewed, as in entity calls or as `system` numbers it."),
            Field("ticket_id", "text", "The ticket reviewed, as in entity tickets or as `system` numbers it."),
            Field("agent", "text", "Whose work was reviewed."),
            Field("team", "text", "Team, as the file names it; the agent's team of that day where empty."),
            Field("evaluator", "text", "Who or what reviewed it."),
            Field("form", "text", "Which form."),
            Field("form_version", "text", "Which version of the form."),
            Field("channel", "text", "Channel of the contact.", words=CHANNELS),
            Field(
                "kind",
                "text",
                "Who judges: a person, a machine, a mystery shopper.",
                required=True,
                words=("human", "automatic", "mystery"),
            ),
            Field(
                "selection",
                "text",
                "How the contact was picked: at random, for a reason, or every one.",
                required=True,
                words=("random", "targeted", "all"),
            ),
            Field("is_calibration", "boolean", "Whether it only compares evaluators.", assumed=False),
            Field("rescored_of", "text", "The evaluation that this one replaces."),
            Field("model_version", "text", "Version of the machine that judged."),
            Field("contact_at", "timestamp", "When the contact took place."),
            Field("evaluated_at", "timestamp", "When it was reviewed.", required=True),
        ),
        _entity(
            "evaluation_answers",
            "One row per item of an evaluation.",
            ("evaluation_id", "question"),
            Field("evaluation_id", "text", "The evaluation, as in entity evaluations.", required=True),
            Field("question", "text", "Which item of the form.", required=True),
            Field("section", "text", "Part of the form."),
            Field("weight", "number", "Weight of the item; 1 where empty."),
            Field("score", "number", "Points given."),
            Field("max_score", "number", "Points that could be had; 1 where empty."),
            Field("passed", "boolean", "Whether it passed, of an item that is passed or failed."),
            Field("is_applicable", "boolean", "Whether the item applied to the contact.", assumed=True),
            Field("is_critical", "boolean", "Whether failing it fails the contact.", assumed=False),
            Field(
                "critical_area",
                "text",
                "Whom a critical failure harms.",
                words=("customer", "business", "compliance"),
            ),
        ),
        _entity(
            "feedback",
            "One row per piece of customer text, from any channel.",
            ("feedback_id",),
            Field("feedback_id", "text", "Tells pieces apart.", required=True),
            Field("occurred_at", "timestamp", "When the customer said it.", required=True),
            Field("comment", "text", "What the customer said; it never leaves raw."),
            Field("language", "text", "Language of the text, for example en or zh."),
            Field("channel", "text", "Where it was said.", words=CHANNELS),
            _SYSTEM,
            Field("customer", "text", "The customer's id."),
            Field("ticket_id", "text", "The ticket it is about."),
            Field("call_id", "text", "The call it is about."),
            Field("agent", "text", "Who served."),
            Field("team", "text", "Team, as the file names it; kefu.toml says which team of ours it is."),
        ),
    )
}


@cache
def scales(project: Path) -> Mapping[str, frozenset[str]]:
    """The answers each scale of the seed dim_scale knows; empty where the seed is not at hand."""
    seed = project / "dbt_project" / "seeds" / "dim_scale.csv"
    if not seed.is_file():
        return {}
    known: dict[str, set[str]] = {}
    with seed.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            known.setdefault(row["scale_id"], set()).add(row["answer"])
    return {scale: frozenset(answers) for scale, answers in known.items()}

"""What files must hold once their mapping has read them, whoever wrote them.

Files come from systems nobody here can correct, so the rules ask whether the mapping reads them rightly: a wrong
column, format or zone breaks them by the thousand, the odd dirty row does not.
"""

from kefu.expectations.rules import (
    WARNING,
    answers_on_scale,
    in_our_time,
    kept,
    key,
    known,
    nothing,
    present,
    rows,
    scale_names,
)  # fmt: skip

OUTCOMES = [
    "answered", "abandoned", "ivr_abandoned", "self_served", "callback_requested", "voicemail", "overflowed", "closed",
    "failed",
]  # fmt: skip
STATUSES = "'new', 'open', 'pending', 'on_hold', 'hold', 'on-hold', 'solved', 'closed', 'deleted'"
ACTORS = ["customer", "agent", "bot", "system"]
METRICS = ["csat", "nps", "ces", "fcr", "other"]
ROLES = ["agent", "lead", "manager", "admin", "customer", "other"]
STATES = [
    "available", "on_contact", "wrap", "break", "lunch", "meeting", "training", "coaching", "offline", "other",
]  # fmt: skip
ACTIVITIES = ["on_queue", "break", "lunch", "meeting", "training", "coaching", "absence", "other"]
KINDS = ["human", "automatic", "mystery"]
SELECTIONS = ["random", "targeted", "all"]
AREAS = ["customer", "business", "compliance"]
SECONDS = ["ivr_seconds", "wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds", "wrap_seconds"]

# A file delivered again replaces its rows and may be shorter; half of all rows gone is a delivery that failed.
DELIVERED = 0.5
# Clocks that were set, midnights read wrongly, typing mistakes: two rows in a hundred may be dirty. A mapping that
# misreads a column is wrong in far more.
MOSTLY = 0.98

SUITES = {
    "files": [
        key("Every file is accounted for once", "file", "entity", "part"),
        rows(
            "Every row of a file was loaded, filtered, put into quarantine or merged with another",
            "rows_read = rows_loaded + rows_filtered + rows_quarantined + rows_merged",
            "rows_read",
            "rows_loaded",
            "rows_filtered",
            "rows_quarantined",
            "rows_merged",
        ),
        # One row in twenty is more than dirt; the quarantine tells which column is misread.
        rows(
            "At most one row in twenty of a file could not be read",
            "rows_quarantined <= 0.05 * rows_read",
            "rows_read",
            "rows_quarantined",
            severity=WARNING,
        ),
        # Its earlier rows stay; the extraction says why it was refused.
        rows("No file was refused", "refused is null", "mapping", severity=WARNING),
        kept("Files do not vanish", DELIVERED),
    ],
    "file_reasons": [
        key("Every reason is counted once for a file", "file", "entity", "part", "outcome", "reason"),
        rows("A reason stands for rows", "rows > 0", "outcome", "rows"),
    ],
    "calls": [
        key("Every call has an id, and no id comes twice", "call_id"),
        present("Every call says when it began and how it went", "started_at", "outcome"),
        known("A call went one of the ways we know", "outcome", OUTCOMES),
        rows(
            "A call came in, went out or stayed inside",
            "lower(direction) in ('inbound', 'outbound', 'internal')",
            "direction",
        ),
        in_our_time("Calls began in our time, and not in the future", "started_at"),
        rows("No call ends before it begins", "ended_at >= started_at", "started_at", "ended_at", mostly=MOSTLY),
        rows(
            "No call is answered before it waits, or ends before it is answered",
            "coalesce(answered_at >= queued_at, true) and coalesce(ended_at >= answered_at, true)",
            "queued_at",
            "answered_at",
            "ended_at",
            mostly=MOSTLY,
        ),
        rows("No time is negative", f"least({', '.join(SECONDS)}) >= 0", *SECONDS, mostly=MOSTLY),
        rows("Nothing in a call takes a whole day", f"greatest({', '.join(SECONDS)}) < 86400", *SECONDS, mostly=MOSTLY),
        kept("No delivery loses calls", DELIVERED),
    ],
    "tickets": [
        key("Every ticket has an id, and no id comes twice", "ticket_id"),
        present("Every ticket says when it was created", "created_at"),
        rows("A ticket has a status we know", f"lower(status) in ({STATUSES})", "status"),
        known("A ticket was opened by a kind of person we know", "created_by", ACTORS),
        in_our_time("Tickets were created in our time, and not in the future", "created_at"),
        rows(
            "No ticket is replied to or solved before it exists",
            "least(first_replied_at, first_solved_at, solved_at, closed_at) >= created_at",
            "created_at",
            "first_replied_at",
            "first_solved_at",
            "solved_at",
            "closed_at",
            mostly=MOSTLY,
        ),
        rows(
            "Nothing is counted below zero",
            "least(agent_replies, reassignments, reopens) >= 0",
            "agent_replies",
            "reassignments",
            "reopens",
        ),
        kept("No delivery loses tickets", DELIVERED),
    ],
    "ticket_events": [
        key("The order of a ticket's events is clear", "ticket_id", "sequence"),
        present("Every event says when and to which ticket", "ticket_id", "occurred_at", "event_type"),
        known("An event is a state of the ticket or a comment", "event_type", ["snapshot", "comment"]),
        rows("A ticket has a status we know", f"lower(status) in ({STATUSES})", "status"),
        known("An event was caused by a kind of person we know", "actor_kind", ACTORS),
        in_our_time("Events happened in our time, and not in the future", "occurred_at"),
        rows(
            "Nothing happens to a ticket before it is opened",
            "occurred_at >= opened_at",
            "occurred_at",
            "opened_at",
            mostly=MOSTLY,
        ),
        kept("No delivery loses events", DELIVERED),
    ],
    "customers": [
        key("A customer is one thing at an instant", "customer", "valid_from"),
        present("Every row names its customer, and since when it holds", "customer", "valid_from"),
        kept("No delivery loses customers", DELIVERED),
    ],
    "survey_invitations": [
        key("Every invitation has an id, and no id comes twice", "invitation_id"),
        rows(
            "An invitation was delivered, bounced, failed or was held back",
            "lower(status) in ('delivered', 'bounced', 'failed', 'suppressed')",
            "status",
        ),
        in_our_time("Invitations were sent in our time, and not in the future", "sent_at"),
        kept("No delivery loses invitations", DELIVERED),
    ],
    "survey_responses": [
        key("A question is answered once in a response", "response_id", "question"),
        present("Every answer says what it measures", "metric"),
        known("An answer measures something we know", "metric", METRICS),
        known("An answer is on a scale we know", "scale", scale_names()),
        rows(
            "An answer about satisfaction or recommendation has a scale",
            "metric = 'other' or value is null or scale is not null",
            "metric",
            "scale",
        ),
        nothing(
            "An answer lies on its scale",
            "select {key}, metric, scale, value from {table} as these where metric in ('csat', 'nps', 'ces', 'fcr')"
            " and scale is not null and value is not null and (scale, value)"
            f" not in (select scale, cast(answer as numeric) from {answers_on_scale()} as scales (scale, answer))",
            mostly=MOSTLY,
        ),
        in_our_time("Answers were given in our time, and not in the future", "responded_at"),
        kept("No delivery loses answers", DELIVERED),
    ],
    "agents": [
        key("An agent is told of once an instant", "agent", "valid_from"),
        known("An agent has a role we know", "role", ROLES),
        rows("No version ends before it begins", "valid_to > valid_from", "valid_from", "valid_to", mostly=MOSTLY),
        kept("No delivery loses agents", DELIVERED),
    ],
    "agent_states": [
        key("Every spell has an id, and no id comes twice", "state_id"),
        present("Every spell says whose it is and since when", "agent", "state", "started_at"),
        known("An agent is in a state we know", "state", STATES),
        in_our_time("Spells began in our time, and not in the future", "started_at"),
        rows("No spell ends before it begins", "ended_at >= started_at", "started_at", "ended_at", mostly=MOSTLY),
        kept("No delivery loses spells", DELIVERED),
    ],
    "shifts": [
        key("A version of a planned spell is told once", "shift_id", "published_at"),
        present(
            "Every planned spell says whose it is, from when to when", "agent", "activity", "started_at", "ended_at"
        ),
        known("What is planned is something we know", "activity", ACTIVITIES),
        rows("A planned spell ends after it begins", "ended_at > started_at", "started_at", "ended_at", mostly=MOSTLY),
        rows(
            "A planned spell lasts a day at most",
            "ended_at <= started_at + interval '1 day'",
            "started_at",
            "ended_at",
        ),
        kept("No delivery loses planned spells", DELIVERED),
    ],
    "evaluations": [
        key("Every evaluation has an id, and no id comes twice", "evaluation_id"),
        known("An evaluation is made by a person, a machine or a mystery shopper", "kind", KINDS),
        known("A contact is picked in a way we know", "selection", SELECTIONS),
        in_our_time("Evaluations were made in our time, and not in the future", "evaluated_at"),
        rows("No evaluation replaces itself", "rescored_of <> evaluation_id", "evaluation_id", "rescored_of"),
        kept("No delivery loses evaluations", DELIVERED),
    ],
    "evaluation_answers": [
        key("An item is judged once in an evaluation", "evaluation_id", "question"),
        known("A critical failure harms somebody we know", "critical_area", AREAS),
        rows("No item weighs less than nothing", "weight >= 0", "weight"),
        rows(
            "An item has between no point and all its points",
            "score between 0 and coalesce(max_score, 1)",
            "score",
            "max_score",
        ),
        kept("No delivery loses items of evaluations", DELIVERED),
    ],
    "feedback": [
        key("Every piece of feedback has an id, and no id comes twice", "feedback_id"),
        in_our_time("Feedback was given in our time, and not in the future", "occurred_at"),
        kept("No delivery loses feedback", DELIVERED),
    ],
}

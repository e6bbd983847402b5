"""What Zendesk must send us, whatever we do with it afterwards."""

from kefu.expectations.rules import in_our_time, kept, key, known, nothing, present, resolves, rows

STATUSES = ["new", "open", "pending", "hold", "solved", "closed", "deleted"]
PRIORITIES = ["low", "normal", "high", "urgent"]
TYPES = ["question", "incident", "problem", "task"]
ROLES = ["end-user", "agent", "admin"]
SCORES = [
    "offered", "unoffered", "good", "bad",
    "good_with_comment", "good_without_comment", "bad_with_comment", "bad_without_comment",
]  # fmt: skip

# Rows are merged on Zendesk's id and a deletion comes as a status: nothing ever leaves. A tenth less is a fresh start
# from a later date, or a lost load.
MERGED = 0.9
# Lists of settings, read whole each time: a company may well drop some groups at once, hardly half of them.
LISTED = 0.5
# Tickets deleted for good disappear from the export after 30 days while what happened to them stays.
MOSTLY = 0.99

SUITES = {
    "tickets": [
        key("Every ticket has a number, and no number comes twice", "id"),
        present("Every ticket says when it was created and changed", "created_at", "updated_at"),
        present("Every ticket has a status", "status"),
        known("A ticket has a status we know", "status", STATUSES),
        known("A ticket has a priority we know, or none", "priority", PRIORITIES),
        known("A ticket has a type we know, or none", "type", TYPES),
        rows("No ticket was changed before it was created", "updated_at >= created_at", "created_at", "updated_at"),
        in_our_time("Tickets were created in our time, and not in the future", "created_at"),
        in_our_time("Tickets were changed in our time, and not in the future", "updated_at"),
        rows(
            "The export's own clock is in our time",
            "to_timestamp(generated_timestamp) between timestamptz '2007-01-01' and timestamptz '{as_of}'",
            "generated_timestamp",
        ),
        kept("No load loses tickets", MERGED),
    ],
    "ticket_events": [
        key("Everything that happened to a ticket is told once", "event_id", "child_number", "field"),
        present("Every event says what, when and to which ticket", "ticket_id", "created_at", "event_type"),
        in_our_time("Events happened in our time, and not in the future", "created_at"),
        rows(
            "A status that is set is one we know",
            f"field <> 'status' or value in ({', '.join(repr(word) for word in STATUSES)})",
            "value",
        ),
        rows("A comment says whether the customer could read it", "field <> 'comment' or is_public is not null"),
        rows(
            "The words of a comment do not land here",
            "field <> 'comment' or (value is null and previous_value is null)",
        ),
        nothing(
            "A ticket is created once",
            "select ticket_id, count(*) as times from {table} where field = 'created'"
            " group by ticket_id having count(*) > 1",
            finds="tickets",
        ),
        # Events are read after tickets, so the newest may belong to a ticket that comes with the next load.
        nothing(
            "Things happen to tickets that we have",
            "select {key}, ticket_id, created_at from {table} as these"
            " where created_at < (select max(updated_at) - interval '1 hour' from tickets)"
            " and not exists (select 1 from tickets where tickets.id = these.ticket_id)",
            mostly=MOSTLY,
        ),
        kept("No load loses events", MERGED),
    ],
    "users": [
        key("Every user has a number, and no number comes twice", "id"),
        known("A user is a customer, an agent or an administrator", "role", ROLES),
        present("Every user has a role", "role"),
        in_our_time("Users were created in our time, and not in the future", "created_at"),
        kept("No load loses users", MERGED),
    ],
    "user_versions": [
        key("What a user was since an update is told once", "id", "updated_at"),
        known("A user was a customer, an agent or an administrator", "role", ROLES),
        kept("What users were is never lost", MERGED),
    ],
    "groups": [
        key("Every group has a number, and no number comes twice", "id"),
        present("Every group has a name", "name"),
        kept("Groups do not vanish all at once", LISTED),
    ],
    "schedules": [
        key("Every schedule has a number, and no number comes twice", "id"),
        present("A schedule has a time zone and hours", "time_zone", "intervals"),
        kept("Schedules do not vanish all at once", LISTED),
    ],
    "schedule_versions": [
        key("Every state of a schedule is told once", "schedule_id", "updated_at", "content", "recurrence"),
        present("A schedule has a time zone", "time_zone"),
        kept("What schedules were is never lost", MERGED),
    ],
    "schedule_intervals": [
        key("An opening of the week is told once", "schedule_id", "content", "start_time", "end_time"),
        rows(
            "An opening lies within the week, in minutes from Sunday midnight",
            "start_time >= 0 and start_time < end_time and end_time <= 10080",
            "start_time",
            "end_time",
        ),
        kept("Hours of the week are never lost", MERGED),
    ],
    "schedule_holidays": [
        key("A holiday of a schedule is told once", "schedule_id", "content", "id"),
        rows("A holiday begins before it ends", "start_date <= end_date", "start_date", "end_date"),
        kept("Holidays are never lost", MERGED),
    ],
    "sla_policies": [
        key("Every policy has a number, and no number comes twice", "id"),
        present("Every policy has a title", "title"),
        kept("Policies do not vanish all at once", LISTED),
    ],
    "satisfaction_ratings": [
        key("Every rating has a number, and no number comes twice", "id"),
        present("Every rating has a score and belongs to a ticket", "score", "ticket_id"),
        known("A rating has a score we know", "score", SCORES),
        rows("No rating was changed before it was offered", "updated_at >= created_at", "created_at", "updated_at"),
        in_our_time("Ratings were offered in our time, and not in the future", "created_at"),
        resolves("The rated ticket is one we have", "ticket_id", "tickets", "id", mostly=MOSTLY),
        kept("No load loses ratings", MERGED),
    ],
}

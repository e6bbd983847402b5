"""What a dashboard may rely on, whatever the models did to get there.

Beside what is declared here every KPI is held to the range its catalogue entry states, every table to words we know
and days that have been, and every source to the past that readers see already; see kefu.expectations.generated.
"""

from typing import Any

from kefu.expectations.rules import key, nothing, present, resolves, rows

# Late corrections, merged tickets and re-delivered files move the past by a few in a hundred. A tenth of a source's
# whole past is a lost load, a broken join, or a changed definition somebody should say yes to.
MOST_LOST = 0.1
# A small source may well lose a tenth: of forty answers, say, four that were deleted.
FEW = 20

# The measure of each table that tells how much there is.
HISTORY = {
    "kpi_telephony_hourly": "offered + handled",
    "kpi_tickets_daily": "tickets_created + full_resolutions",
    "kpi_satisfaction_daily": "csat_responses + nps_responses + invitations_delivered",
    "kpi_quality_daily": "evaluations + auto_scored + evaluable",
    "kpi_workforce_daily": "handling_seconds + scheduled_seconds",
    "kpi_backlog_daily": "1",  # days and piles: the pile itself may well melt
}


def squares(what: str, sum_: str, squares_: str, count: str) -> Any:
    """The sum of squares of n values is at least the square of their sum divided by n, whatever the values."""
    return rows(
        f"{what}: the spread is possible",
        # Scores are rounded to the sixth decimal before they are summed.
        f"{squares_} >= 0 and ({count} > 0 or ({sum_} = 0 and {squares_} = 0))"
        f" and cast({sum_} as numeric) * {sum_} <= {squares_} * {count} * 1.000001 + 0.000001",
        count,
        sum_,
        squares_,
    )


def counted(what: str, *columns: str) -> Any:
    """Counts and sums that are never below zero and never unknown."""
    return rows(
        what, f"coalesce(least({', '.join(f'coalesce({column}, -1)' for column in columns)}), 0) >= 0", *columns
    )


def dimensions(*names: str) -> list[Any]:
    """Unknown is a word of its own ('none'): an empty dimension falls out of every filter."""
    return [present("Nothing is booked without saying where", *names)]


def team_and_channel(teams: str = "every team") -> list[Any]:
    """What filters and titles look up is there."""
    return [
        resolves(f"Dashboards have a name for {teams}", "team_id", "dim_team", "team_id"),
        nothing(
            "Dashboards have a name for every channel",
            "select distinct channel from {table} as these where channel <> 'none'"
            " and not exists (select 1 from dim_channel where dim_channel.channel = these.channel)",
            finds="channels",
        ),
    ]


SUITES = {
    "marts.dim_team": [
        key("A team is described once", "team_id"),
        present("Every team has a name in both languages", "team_en", "team_zh"),
    ],
    "marts.dim_channel": [
        key("A channel is described once", "channel"),
        present("Every channel has a name in both languages", "channel_en", "channel_zh"),
    ],
    "marts.dim_queue": [key("A queue is described once", "queue_id")],
    "marts.dim_survey": [key("A survey is described once", "survey_id")],
    "kpis.kpi_telephony_hourly": [
        key(
            "An hour of a queue and team is booked once",
            "service_date", "service_hour", "source", "channel", "queue_id", "team_id",
        ),
        *dimensions("service_date", "service_hour", "source", "channel", "queue_id", "team_id"),
        *team_and_channel(),
        resolves("Dashboards have a name for every queue", "queue_id", "dim_queue", "queue_id"),
        rows("A day has 24 hours", "service_hour between 0 and 23", "service_hour"),
        counted(
            "Nothing is counted below zero",
            "offered", "answered", "abandoned", "short_abandoned", "otherwise_ended", "answered_in_target",
            "waits_answered", "wait_answered_seconds", "waits_abandoned", "wait_abandoned_seconds", "transfer_recorded",
            "transferred", "handled", "talk_seconds", "wrapped", "wrap_seconds", "handle_seconds",
        ),
        rows(
            "Every contact that waited was answered, gave up, gave up at once or ended otherwise",
            "offered = answered + abandoned + short_abandoned + otherwise_ended",
            "offered", "answered", "abandoned", "short_abandoned", "otherwise_ended",
        ),
        rows(
            "Every contact is in exactly one of the classes that definitions are made of",
            "answered = answered_in_target + answered_late and abandoned = abandoned_in_target + abandoned_late"
            " and otherwise_ended = callbacks_in_target + callbacks_late + left_otherwise",
            "answered", "answered_in_target", "answered_late", "abandoned", "abandoned_in_target", "abandoned_late",
            "otherwise_ended", "callbacks_in_target", "callbacks_late", "left_otherwise",
        ),
        rows(
            "Contacts answered in time, timed or transferred are answered contacts",
            "greatest(answered_in_target, waits_answered, transfer_recorded, transferred) <= answered",
            "answered", "answered_in_target", "waits_answered", "transfer_recorded", "transferred",
        ),
        rows(
            "Abandons that were timed are abandons, wrap-ups that were timed are handled legs",
            "waits_abandoned <= abandoned and wrapped <= handled",
            "waits_abandoned", "abandoned", "wrapped", "handled",
        ),
        rows(
            "Handling is at least talking and wrapping up",
            "handle_seconds >= talk_seconds + wrap_seconds",
            "handle_seconds", "talk_seconds", "wrap_seconds",
        ),
        squares("Waits of answered contacts", "wait_answered_seconds", "wait_answered_squares", "waits_answered"),
        squares("Waits of abandoned contacts", "wait_abandoned_seconds", "wait_abandoned_squares", "waits_abandoned"),
        squares("Talk", "talk_seconds", "talk_squares", "handled"),
        squares("Wrap-up", "wrap_seconds", "wrap_squares", "wrapped"),
        squares("Handling", "handle_seconds", "handle_squares", "handled"),
    ],
    "kpis.kpi_tickets_daily": [
        key("A day of a team and priority is booked once", "service_date", "source", "channel", "team_id", "priority"),
        *dimensions("service_date", "source", "channel", "team_id", "priority"),
        *team_and_channel(),
        counted(
            "Nothing is counted below zero",
            "tickets_created", "tickets_solved", "first_replies", "first_reply_seconds", "first_resolutions",
            "first_resolution_seconds", "full_resolutions", "full_resolution_seconds", "reopened_tickets",
            "one_touch_tickets", "reassignments",
        ),
        rows(
            "Tickets reopened or solved at one touch are solved tickets",
            "greatest(reopen_recorded, reopened_tickets, touch_recorded, one_touch_tickets) <= tickets_solved",
            "tickets_solved", "reopened_tickets", "one_touch_tickets",
        ),
        squares("First replies", "first_reply_seconds", "first_reply_squares", "first_replies"),
        squares("First resolutions", "first_resolution_seconds", "first_resolution_squares", "first_resolutions"),
        squares("Full resolutions", "full_resolution_seconds", "full_resolution_squares", "full_resolutions"),
        squares("Reassignments", "reassignments", "reassignments_squares", "reassignment_recorded"),
        nothing(
            "No source solves more tickets than were ever created",
            "select source, sum(tickets_created) as created, sum(tickets_solved) as solved from {table}"
            " group by source having sum(tickets_solved) > sum(tickets_created)",
            finds="sources",
        ),
    ],
    "kpis.kpi_backlog_daily": [
        key("A day of a pile is booked once", "service_date", "source", "channel", "team_id", "priority"),
        *dimensions("service_date", "source", "channel", "team_id", "priority"),
        *team_and_channel(),
        counted("No pile is smaller than nothing", "open_tickets"),
        nothing(
            "Every pile is counted on every day between its first and its last",
            "select source, channel, team_id, priority, min(service_date) as first_date,"
            " max(service_date) - min(service_date) + 1 - count(*) as days_missing from {table}"
            " group by source, channel, team_id, priority"
            " having count(*) <> max(service_date) - min(service_date) + 1",
            finds="piles",
        ),
        # A pile nobody touches any more stays a pile: if one ends early, its tickets vanish from the total.
        nothing(
            "All piles of a source are counted up to the same day",
            "select source, channel, team_id, priority, max(service_date) as last_date from {table} as these"
            " group by source, channel, team_id, priority"
            " having max(service_date) < (select max(service_date) from {table} as those"
            " where those.source = these.source)",
            finds="piles",
        ),
    ],
    "kpis.kpi_satisfaction_daily": [
        key(
            "A day of a team, survey and segment is booked once",
            "service_date", "source", "channel", "team_id", "survey_id", "segment",
        ),
        *dimensions("service_date", "source", "channel", "team_id", "survey_id", "segment"),
        *team_and_channel(),
        resolves("Dashboards have a name for every survey", "survey_id", "dim_survey", "survey_id"),
        counted(
            "Nothing is counted below zero",
            "csat_responses", "csat_positive", "csat_score", "nps_responses", "nps_promoters", "nps_detractors",
            "invitations_delivered", "invitations_answered",
        ),
        rows("Positive answers are answers", "csat_positive <= csat_responses", "csat_positive", "csat_responses"),
        rows(
            "Scores lie between worst and best",
            "csat_score between 0 and csat_responses",
            "csat_score", "csat_responses",
        ),
        rows(
            "Promoters and detractors are answers, and nobody is both",
            "nps_promoters + nps_detractors <= nps_responses",
            "nps_promoters", "nps_detractors", "nps_responses",
        ),
        rows(
            "Answered invitations were delivered",
            "invitations_answered <= invitations_delivered",
            "invitations_answered", "invitations_delivered",
        ),
        squares("Scores", "csat_score", "csat_score_squares", "csat_responses"),
    ],
    "kpis.kpi_quality_daily": [
        key("A day of a channel and team is booked once", "service_date", "source", "channel", "team_id"),
        *dimensions("service_date", "source", "channel", "team_id"),
        *team_and_channel(),
        counted(
            "Nothing is counted below zero",
            "evaluations", "critical_failures", "scored", "auto_scored", "evaluable", "evaluated",
            "evaluated_for_a_reason", "earned_weight", "applicable_weight", "auto_earned_weight",
            "auto_applicable_weight", "scores", "strict_scores",
        ),
        rows(
            "What was evaluated, scored or failed is part of what it is counted among",
            "evaluated <= evaluable and evaluated_for_a_reason <= evaluable and scored <= evaluations"
            " and greatest(customer_failures, business_failures, compliance_failures) <= critical_failures"
            " and critical_failures <= evaluations",
            "evaluations", "scored", "critical_failures", "evaluable", "evaluated", "evaluated_for_a_reason",
        ),
        rows(
            "Scores lie between nothing and everything, strict ones below the others",
            "scores <= scored and strict_scores <= scores",
            "scores", "strict_scores", "scored",
        ),
        squares("Scores of evaluations", "scores", "scores_squares", "scored"),
        squares("Weights earned", "earned_weight", "earned_squares", "scored"),
        squares("Weights that could be earned", "applicable_weight", "applicable_squares", "scored"),
        squares("Weights machines gave", "auto_earned_weight", "auto_earned_squares", "auto_scored"),
    ],
    "kpis.kpi_workforce_daily": [
        key("A day of a team is booked once", "service_date", "source", "team_id"),
        *dimensions("service_date", "source", "team_id"),
        resolves("Dashboards have a name for every team", "team_id", "dim_team", "team_id"),
        counted(
            "No time is shorter than nothing",
            "handling_seconds", "staffed_seconds", "adherent_seconds", "scheduled_seconds", "conforming_seconds",
            "scheduled_on_queue_seconds", "away_seconds", "planned_away_seconds", "unplanned_away_seconds",
            "paid_seconds", "stuck_timers",
        ),
        rows(
            "Time away is planned or not",
            "away_seconds = planned_away_seconds + unplanned_away_seconds and away_seconds <= paid_seconds",
            "away_seconds", "planned_away_seconds", "unplanned_away_seconds", "paid_seconds",
        ),
        rows(
            "An agent's day has at most 25 hours",
            "staffed_seconds <= 90000 * occupancy_days and scheduled_seconds <= 90000 * adherence_days",
            "staffed_seconds", "occupancy_days", "scheduled_seconds", "adherence_days",
        ),
        rows(
            "Two contacts at once take no less than one of them",
            "contact_seconds >= on_contact_seconds",
            "contact_seconds", "on_contact_seconds",
        ),
        squares("Handling by agents' days", "handling_seconds", "occupancy_squares", "occupancy_days"),
        squares("Adherence by agents' days", "adherent_seconds", "adherence_squares", "adherence_days"),
        squares("Paid time by agents' days", "paid_seconds", "shrinkage_base_squares", "shrinkage_days"),
    ],
    "kpis.kpi_weekly": [
        key("A week of a KPI and team is judged once", "week_start", "kpi", "team_id"),
        rows("A week begins on a Monday", "extract(isodow from week_start) = 1", "week_start"),
        rows("An interval has a low and a high end", "low <= high", "low", "high"),
        rows("No value rests on fewer than no cases", "n >= 0", "n"),
    ],
}  # fmt: skip

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

# In how many parts of a second shares of it are counted (macros/kefu/kf_second_parts.sql).
SECOND_PARTS = 720_720

# The measure of each table that tells how much there is.
HISTORY = {
    "kpi_telephony_hourly": "offered + handled",
    "kpi_contact_durations_daily": "durations",
    "kpi_leg_durations_daily": "durations",
    "kpi_queue_visits_daily": "visits",
    "kpi_callbacks_daily": "callback_requests",
    "kpi_concurrency_daily": "slot_seconds",
    "kpi_tickets_daily": "tickets_created + full_resolutions",
    "kpi_ticket_durations_daily": "durations",
    "kpi_satisfaction_daily": "csat_responses + nps_responses + invitations_delivered",
    "kpi_adjusted_csat_daily": "rated",
    "kpi_issues_daily": "linkable_contacts",
    "kpi_sla_daily": "clocks_decided",
    "kpi_quality_daily": "evaluations + auto_scored + evaluable",
    "kpi_workforce_daily": "handling_seconds + scheduled_seconds",
    "kpi_backlog_daily": "1",  # days and piles: the pile itself may well melt
    "kpi_backlog_ages_daily": "open_tickets",
    "kpi_reconciliations_daily": "compared",
    "kpi_freshness": "1",  # days: ages go up and down
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


def durations(measures: str, *dimensions_: str) -> list[Any]:
    """Counts by band: percentiles are formed from them."""
    names = ("service_date", *dimensions_)
    return [
        key("A band of a day is counted once", *names, "measure", "band_seconds"),
        *dimensions(*names, "measure"),
        *team_and_channel(),
        rows(
            "No band is below zero, and none is empty",
            "band_seconds >= 0 and durations > 0",
            "band_seconds",
            "durations",
        ),
        rows("Only what is defined is measured", f"measure in ({measures})", "measure"),
        rows(
            "A band is called after the middle of what shares its first three digits",
            "band_seconds < 1000 or mod(band_seconds, cast(10 ^ (length(cast(band_seconds as text)) - 3) as bigint))"
            " = cast(5 * 10 ^ (length(cast(band_seconds as text)) - 4) as bigint)",
            "band_seconds",
        ),
    ]


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
        key("No two teams have the same English name", "team_en"),
        key("No two teams have the same Chinese name", "team_zh"),
        present("Every team has a name in both languages", "team_en", "team_zh"),
    ],
    "marts.dim_channel": [
        key("A channel is described once", "channel"),
        present("Every channel has a name in both languages", "channel_en", "channel_zh"),
    ],
    "marts.dim_queue": [
        key("A queue is described once", "queue_id"),
        key("No two queues have the same name", "queue"),
    ],
    "marts.dim_survey": [
        key("A survey is described once", "survey_id"),
        key("No two surveys have the same name", "survey"),
    ],
    "marts.dim_sla_policy": [
        key("An SLA policy is described once", "policy_id"),
        key("No two SLA policies have the same English name", "policy_en"),
        key("No two SLA policies have the same Chinese name", "policy_zh"),
        present("Every SLA policy has a name in both languages", "policy_en", "policy_zh"),
    ],
    "marts.fct_sla_clocks": [
        rows(
            "A clock that used up more than its target is never called met",
            "outcome not in ('met', 'running') or elapsed_seconds <= target_seconds",
            "clock_id", "outcome", "elapsed_seconds", "target_seconds",
        ),
        rows(
            "A clock is breached when, and only when, there is a moment at which it was",
            "(outcome in ('breached', 'running_breached')) = (breached_at is not null)",
            "clock_id", "outcome", "breached_at",
        ),
    ],
    "marts.fct_leg_shares": [
        rows(
            "Who shares an agent has some of the agent's time, and not all",
            f"share_parts > 0 and share_parts < {SECOND_PARTS} * elapsed_seconds",
            "leg_id", "elapsed_seconds", "share_parts",
        ),
        # of several teams an agent may work for two at a time, and is busy in each
        nothing(
            "The shares of an agent's contacts add up to the seconds in which the agent was busy",
            "select worked.work_day_id, slots, others, busy from"
            " (select work_day_id, sum(slot_seconds) as slots, sum(busy_seconds) as busy, max(busy_seconds) as most"
            " from fct_agent_work_days group by work_day_id) as worked"
            f" left join (select work_day_id, sum(elapsed_seconds - share_parts / {SECOND_PARTS}.0) as others"
            " from {table} as these group by work_day_id) as shared on worked.work_day_id = shared.work_day_id"
            " where slots - coalesce(others, 0) not between most - 0.1 and busy + 0.1",
            finds="days",
        ),
    ],
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
            "elapsed_handle_seconds", "touches", "human_answered_in_time", "menu_abandoned", "after_hours",
            "hold_seconds", "hold_abandoned", "agent_ended", "alerts_not_answered",
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
            "Handling by the clock is at least talking and wrapping up",
            "elapsed_handle_seconds >= talk_seconds + wrap_seconds",
            "elapsed_handle_seconds", "talk_seconds", "wrap_seconds",
        ),
        rows(
            "A share of an agent's time is no more than what passed by the clock",
            "handle_seconds <= elapsed_handle_seconds and handle_squares <= elapsed_handle_squares",
            "handle_seconds", "elapsed_handle_seconds", "handle_squares", "elapsed_handle_squares",
        ),
        squares("Waits of answered contacts", "wait_answered_seconds", "wait_answered_squares", "waits_answered"),
        squares("Waits of abandoned contacts", "wait_abandoned_seconds", "wait_abandoned_squares", "waits_abandoned"),
        squares("Talk", "talk_seconds", "talk_squares", "handled"),
        squares("Wrap-up", "wrap_seconds", "wrap_squares", "wrapped"),
        rows(
            "Holds and ends that are known are of handled legs, unanswered alerts of alerts",
            "greatest(hold_recorded, held, end_recorded) <= handled and agent_ended <= end_recorded"
            " and alerts_not_answered <= alerts",
            "hold_recorded", "held", "end_recorded", "agent_ended", "handled", "alerts_not_answered", "alerts",
        ),
        squares("Touches", "touches", "touches_squares", "transfer_recorded"),
        squares("Hold", "hold_seconds", "hold_squares", "holds"),
        squares("Handling", "handle_seconds", "handle_squares", "handled"),
        squares("Handling by the clock", "elapsed_handle_seconds", "elapsed_handle_squares", "handled"),
    ],
    "kpis.kpi_contact_durations_daily": durations(
        "'wait_answered', 'wait_abandoned', 'wait_short_abandoned', 'wait_otherwise'",
        "source", "channel", "queue_id", "team_id",
    ),
    "kpis.kpi_leg_durations_daily": durations(
        "'talk', 'hold', 'wrap', 'handle'", "source", "channel", "queue_id", "team_id"
    ),
    "kpis.kpi_ticket_durations_daily": durations(
        "'first_reply', 'first_resolution', 'full_resolution', 'chat_first_reply'",
        "source", "channel", "team_id", "priority",
    ),
    "kpis.kpi_queue_visits_daily": [
        key("A day of a queue is booked once", "service_date", "source", "channel", "queue_id", "team_id"),
        *dimensions("service_date", "source", "channel", "queue_id", "team_id"),
        *team_and_channel(),
        resolves("Dashboards have a name for every queue", "queue_id", "dim_queue", "queue_id"),
        counted(
            "Nothing is counted below zero",
            "visits", "visits_answered", "visits_abandoned", "visits_short_abandoned", "visits_answered_in_target",
            "visits_ended_otherwise", "visit_waits_answered", "visit_wait_seconds",
        ),
        rows(
            "Every visit was answered, given up, given up at once or ended otherwise",
            "visits = visits_answered + visits_abandoned + visits_short_abandoned + visits_ended_otherwise",
            "visits", "visits_answered", "visits_abandoned", "visits_short_abandoned", "visits_ended_otherwise",
        ),
        squares("Waits in queues", "visit_wait_seconds", "visit_wait_squares", "visit_waits_answered"),
    ],
    "kpis.kpi_callbacks_daily": [
        key("A day of a queue is booked once", "service_date", "source", "channel", "queue_id", "team_id"),
        *dimensions("service_date", "source", "channel", "queue_id", "team_id"),
        *team_and_channel(),
        counted("Nothing is counted below zero", "callback_requests", "callbacks_decided", "callbacks_kept"),
        rows(
            "Call-backs kept are decided, and these are requests",
            "callbacks_kept <= callbacks_decided and callbacks_decided <= callback_requests",
            "callbacks_kept", "callbacks_decided", "callback_requests",
        ),
    ],
    "kpis.kpi_concurrency_daily": [
        key("A day of a team is booked once", "service_date", "source", "team_id"),
        *dimensions("service_date", "source", "team_id"),
        resolves("Dashboards have a name for every team", "team_id", "dim_team", "team_id"),
        rows("Nobody is busy for longer than with all contacts together", "busy_seconds between 0 and slot_seconds",
             "busy_seconds", "slot_seconds"),
    ],
    "kpis.kpi_tickets_daily": [
        key("A day of a team and priority is booked once", "service_date", "source", "channel", "team_id", "priority"),
        *dimensions("service_date", "source", "channel", "team_id", "priority"),
        *team_and_channel(),
        counted(
            "Nothing is counted below zero",
            "tickets_created", "tickets_solved", "first_replies", "first_reply_seconds", "first_resolutions",
            "first_resolution_seconds", "full_resolutions", "full_resolution_seconds", "reopened_tickets",
            "one_touch_tickets", "reassignments", "unreplied_tickets", "reply_turns", "reply_seconds", "next_replies",
            "next_reply_seconds", "next_reply_business_seconds", "first_reply_business_seconds",
            "first_resolution_business_seconds", "full_resolution_business_seconds", "requester_wait_seconds",
            "requester_wait_business_seconds", "agent_wait_seconds", "agent_wait_business_seconds", "group_hops",
            "repliers", "level_recorded", "first_level_solved", "escalated_tickets", "owned_tickets", "outside_seconds",
        ),
        rows(
            "Every solved ticket is in exactly one of the classes that reopens are counted by",
            "reopen_recorded = reopen_none + reopen_solved_again + reopen_still_open + reopen_uncounted_solved_again"
            " + reopen_uncounted_still_open and reopened_tickets = reopen_solved_again + reopen_still_open",
            "reopen_recorded", "reopened_tickets", "reopen_none", "reopen_solved_again", "reopen_still_open",
        ),
        rows(
            "Every solved ticket is in exactly one of the classes that one touch is counted by",
            "touch_recorded = touch_none + touch_none_dialogue + touch_one + touch_one_dialogue + touch_one_open"
            " + touch_one_open_dialogue + touch_several + touch_several_dialogue + touch_one_untold"
            " + touch_other_untold and one_touch_tickets = touch_one + touch_one_dialogue + touch_one_open"
            " + touch_one_open_dialogue + touch_one_untold",
            "touch_recorded", "one_touch_tickets",
        ),
        rows(
            "No ticket both stayed at level 1 and left it",
            "first_level_solved + escalated_tickets <= level_recorded",
            "first_level_solved", "escalated_tickets", "level_recorded",
        ),
        rows(
            "No ticket was outside service for longer than it took",
            "outside_seconds <= owned_seconds and owned_tickets <= full_resolutions",
            "outside_seconds", "owned_seconds", "owned_tickets", "full_resolutions",
        ),
        rows(
            "Business time is a part of calendar time, and so is waiting",
            "first_reply_business_seconds <= first_reply_seconds and next_reply_business_seconds <= next_reply_seconds"
            " and first_resolution_business_seconds <= first_resolution_seconds"
            " and full_resolution_business_seconds <= full_resolution_seconds"
            " and requester_wait_business_seconds <= requester_wait_seconds"
            " and agent_wait_business_seconds <= agent_wait_seconds",
            "first_reply_seconds", "first_reply_business_seconds", "requester_wait_seconds",
        ),
        rows(
            "Tickets reopened or solved at one touch are solved tickets",
            "greatest(reopen_recorded, reopened_tickets, touch_recorded, one_touch_tickets) <= tickets_solved",
            "tickets_solved", "reopened_tickets", "one_touch_tickets",
        ),
        squares("First replies", "first_reply_seconds", "first_reply_squares", "first_replies"),
        squares("First resolutions", "first_resolution_seconds", "first_resolution_squares", "first_resolutions"),
        squares("Full resolutions", "full_resolution_seconds", "full_resolution_squares", "full_resolutions"),
        squares("Time outside service", "outside_seconds", "outside_squares", "owned_tickets"),
        squares("Reassignments", "reassignments", "reassignments_squares", "reassignment_recorded"),
        rows(
            "First responses in chat are first replies to a turn",
            "chat_first_replies <= reply_turns - next_replies and chat_first_replies_business <= chat_first_replies",
            "chat_first_replies", "chat_first_replies_business", "reply_turns", "next_replies",
        ),
        squares("Chat", "chat_first_reply_seconds", "chat_first_reply_squares", "chat_first_replies"),
        squares("Next replies", "next_reply_seconds", "next_reply_squares", "next_replies"),
        squares("Requester waits", "requester_wait_seconds", "requester_wait_squares", "requester_waits"),
        squares("Agent waits", "agent_wait_seconds", "agent_wait_squares", "agent_waits"),
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
        counted("No pile is smaller than nothing", "open_tickets", "solved_recently", "open_ticket_days"),
        rows(
            "Days of work count every open ticket, over a year at most",
            "open_ticket_days between open_tickets and 366 * open_tickets",
            "open_ticket_days", "open_tickets",
        ),
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
    "kpis.kpi_backlog_ages_daily": [
        key("An age is counted once", "service_date", "source", "channel", "team_id", "priority", "age_days"),
        *dimensions("service_date", "source", "channel", "team_id", "priority"),
        *team_and_channel(),
        counted("Nothing open is younger than new", "age_days", "open_tickets"),
        nothing(
            "Every pile is as large by age as it is in all",
            "select service_date, source, channel, team_id, priority, aged.tickets, piles.open_tickets"
            " from (select service_date, source, channel, team_id, priority, sum(open_tickets) as tickets from {table}"
            " group by service_date, source, channel, team_id, priority) as aged"
            " full join kpi_backlog_daily as piles using (service_date, source, channel, team_id, priority)"
            " where aged.tickets is distinct from piles.open_tickets",
            finds="piles",
        ),
    ],
    "kpis.kpi_issues_daily": [
        key("A day of a team and queue is booked once", "service_date", "source", "channel", "team_id", "queue_id"),
        *dimensions("service_date", "source", "channel", "team_id", "queue_id"),
        *team_and_channel(),
        resolves("Dashboards have a name for every queue", "queue_id", "dim_queue", "queue_id"),
        counted(
            "Nothing is counted below zero",
            "issues", "contacts", "repeat_contacts", "switched_issues", "due_issues", "resolved_issues", "fcr_issues",
            "fcr_met", "fcr_met_in_seven_days", "fcr_met_by_contacts", "fcr_live_issues", "fcr_live_met",
            "provisional_issues", "linkable_contacts", "linked_contacts", "voiced_contacts",
            "fcr_agreed_met", "fcr_unconfirmed", "fcr_confirmed_only", "fcr_agreed_missed",
        ),
        rows(
            "What two judgements say is said of issues that both judge",
            "fcr_agreed_met + fcr_unconfirmed <= fcr_met"
            " and fcr_agreed_met + fcr_unconfirmed + fcr_confirmed_only + fcr_agreed_missed <= fcr_issues",
            "fcr_agreed_met", "fcr_unconfirmed", "fcr_confirmed_only", "fcr_agreed_missed", "fcr_met", "fcr_issues",
        ),
        rows(
            "Contacts that were said anything of are contacts",
            "voiced_contacts <= linkable_contacts",
            "voiced_contacts", "linkable_contacts",
        ),
        rows(
            "Every contact of an issue is its first or a repeat",
            "contacts = issues + repeat_contacts",
            "contacts", "issues", "repeat_contacts",
        ),
        rows(
            "Switched, due, provisional and judged issues are issues",
            "greatest(switched_issues, due_issues, provisional_issues + fcr_issues) <= issues"
            " and resolved_issues <= due_issues and fcr_live_issues <= fcr_issues",
            "issues", "switched_issues", "due_issues", "resolved_issues", "provisional_issues", "fcr_issues",
        ),
        rows(
            "What is settled at once is resolved",
            "greatest(fcr_met, fcr_met_in_seven_days, fcr_met_by_contacts) <= fcr_issues"
            " and fcr_live_met <= fcr_live_issues",
            "fcr_issues", "fcr_met", "fcr_live_issues", "fcr_live_met",
        ),
        rows(
            "Contacts of known customers are contacts",
            "linked_contacts <= linkable_contacts",
            "linked_contacts", "linkable_contacts",
        ),
        squares("Contacts", "contacts", "contacts_squares", "issues"),
    ],
    "kpis.kpi_sla_daily": [
        key(
            "A day of a team, policy and promise is booked once",
            "service_date", "source", "channel", "team_id", "priority", "policy_id", "sla_metric",
        ),
        *dimensions("service_date", "source", "channel", "team_id", "priority", "policy_id", "sla_metric"),
        *team_and_channel(),
        resolves("Dashboards have a name for every SLA policy", "policy_id", "dim_sla_policy", "policy_id"),
        counted(
            "Nothing is counted below zero",
            "clocks_decided", "clocks_met", "clocks_breached", "over_seconds", "updates_due", "updates_on_time",
            "promises_due", "promises_kept",
        ),
        rows(
            "Every clock that was decided was met or breached",
            "clocks_decided = clocks_met + clocks_breached",
            "clocks_decided", "clocks_met", "clocks_breached",
        ),
        rows("Every breach is beyond its target", "over_seconds >= clocks_breached", "over_seconds", "clocks_breached"),
        rows(
            "Updates on time were due, and updates due are clocks",
            "updates_on_time <= updates_due and updates_due <= clocks_decided",
            "updates_on_time", "updates_due", "clocks_decided",
        ),
        rows(
            "Of a policy every clock is a promise to customers, or none is",
            "(promises_due, promises_kept) in ((0, 0), (clocks_decided, clocks_met))",
            "promises_due", "promises_kept", "clocks_decided", "clocks_met",
        ),
        squares("Time over SLA", "over_seconds", "over_squares", "clocks_breached"),
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
            "csat_responses", "csat_positive", "csat_best", "csat_good", "csat_neutral", "csat_negative", "csat_score",
            "nps_responses", "nps_promoters", "nps_detractors", "ces_responses", "ces_very_easy", "ces_easy",
            "ces_neutral", "ces_hard", "ces_score", "bad_ratings", "recovered_ratings", "invitations_eligible",
            "invitations_sent", "invitations_delivered", "invitations_answered",
        ),
        rows("Positive answers are answers", "csat_positive <= csat_responses", "csat_positive", "csat_responses"),
        rows(
            "Scores lie between worst and best",
            "csat_score between 0 and csat_responses",
            "csat_score", "csat_responses",
        ),
        rows(
            "Every answer is in exactly one of the classes that definitions are made of",
            "csat_positive = csat_best + csat_good and csat_responses = csat_positive + csat_neutral + csat_negative",
            "csat_responses", "csat_positive", "csat_best", "csat_good", "csat_neutral", "csat_negative",
        ),
        nothing(
            "Whatever the rule of credit, an answer counts once over all teams",
            "select service_date, source, channel, survey_id, segment, sum(csat_responses) as answers from {table}"
            " group by service_date, source, channel, survey_id, segment"
            " having sum(csat_responses) <> trunc(sum(csat_responses))"
            " or sum(csat_responses) <> sum(csat_responses_time_weighted)"
            " or sum(csat_responses) <> sum(csat_responses_all_agents_equal)"
            " or sum(csat_responses) <> sum(csat_responses_last_agent)"
            " or sum(csat_responses) <> sum(csat_responses_assignee_at_rating)",
            finds="days of surveys",
        ),
        nothing(
            "Whichever day it is booked on, an answer counts once",
            "select source, sum(csat_responses) as given, sum(csat_responses_by_contact) as about from {table}"
            " group by source having sum(csat_responses) <> sum(csat_responses_by_contact)"
            " or sum(csat_positive) <> sum(csat_positive_by_contact)",
            finds="sources",
        ),
        rows(
            "Answers how easy it was are in exactly one group",
            "ces_responses = ces_very_easy + ces_easy + ces_neutral + ces_hard and ces_score <= ces_responses",
            "ces_responses", "ces_very_easy", "ces_easy", "ces_neutral", "ces_hard", "ces_score",
        ),
        rows(
            "Whoever confirms that it was solved has answered",
            "fcr_confirmed between 0 and fcr_responses",
            "fcr_confirmed", "fcr_responses",
        ),
        rows(
            "Ratings made good were bad",
            "recovered_ratings <= bad_ratings",
            "recovered_ratings", "bad_ratings",
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
        rows(
            "Delivered invitations were sent, and sent ones due",
            "invitations_delivered <= invitations_sent and invitations_sent <= invitations_eligible",
            "invitations_delivered", "invitations_sent", "invitations_eligible",
        ),
        squares("Scores", "csat_score", "csat_score_squares", "csat_responses"),
        squares("Ease", "ces_score", "ces_score_squares", "ces_responses"),
    ],
    "kpis.kpi_adjusted_csat_daily": [
        key("A day of a team is booked once", "service_date", "source", "team_id"),
        *dimensions("service_date", "source", "team_id"),
        resolves("Dashboards have a name for every team", "team_id", "dim_team", "team_id"),
        rows(
            "Good ratings, had or expected, are among the ratings",
            "rated > 0 and rated_good between 0 and rated and expected_good between 0 and rated"
            " and overall_good between 0 and rated and prior_good > 0",
            "rated", "rated_good", "expected_good", "overall_good", "prior_good",
        ),
        nothing(
            "Over a month there are as many good ratings as were expected",
            "select date_trunc('month', service_date) as month, sum(rated_good) as good,"
            " sum(expected_good) as expected, sum(overall_good) as overall from {table}"
            " group by date_trunc('month', service_date)"
            # each is rounded to the twelfth decimal
            " having greatest(abs(sum(expected_good) - sum(rated_good)), abs(sum(overall_good) - sum(rated_good)))"
            " > 0.000001 + 0.00000000001 * sum(rated)",
            finds="months",
        ),
        nothing(
            "Every rating is compared with others, and none is counted twice",
            "select service_date, source, sum(rated) as compared from {table} group by service_date, source"
            " except select service_date, source, sum(csat_responses) from kpi_satisfaction_daily"
            " group by service_date, source having sum(csat_responses) > 0",
            finds="days",
        ),
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
            "paid_seconds", "stuck_timers", "handled_legs",
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
        rows(
            "Whoever is staffed is productive",
            "productive_seconds >= staffed_seconds and productivity_days >= occupancy_days",
            "productive_seconds", "staffed_seconds", "productivity_days", "occupancy_days",
        ),
        squares("Legs by agents' days", "handled_legs", "productivity_squares", "productivity_days"),
        squares("Handling by agents' days", "handling_seconds", "occupancy_squares", "occupancy_days"),
        squares("Adherence by agents' days", "adherent_seconds", "adherence_squares", "adherence_days"),
        squares("Paid time by agents' days", "paid_seconds", "shrinkage_base_squares", "shrinkage_days"),
    ],
    "kpis.kpi_reconciliations_daily": [
        key("A day of a team and measure is booked once", "service_date", "source", "channel", "team_id", "measure"),
        *dimensions("service_date", "source", "channel", "team_id", "measure"),
        *team_and_channel(),
        rows(
            "Every figure compared is the same, explained or not explained",
            "compared = equal_figures + explained_differences + unexplained_differences and compared > 0"
            " and least(equal_figures, explained_differences, unexplained_differences) >= 0",
            "compared", "equal_figures", "explained_differences", "unexplained_differences",
        ),
    ],
    "kpis.kpi_freshness": [
        key("A day of a source is told once", "service_date", "source"),
        *dimensions("service_date", "source"),
        rows("Nothing is newer than the end of its day", "age_seconds >= 0 and sources = 1", "age_seconds", "sources"),
    ],
    "kpis.kpi_weekly": [
        key("A week of a KPI and team is judged once", "week_start", "kpi", "team_id"),
        rows("A week begins on a Monday", "extract(isodow from week_start) = 1", "week_start"),
        rows("An interval has a low and a high end", "low <= high", "low", "high"),
        rows("No value rests on fewer than no cases", "n >= 0", "n"),
    ],
}  # fmt: skip

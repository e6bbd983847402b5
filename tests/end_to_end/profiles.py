"""Published definitions beside the house's, a second time: pandas on plain rows, as `independent` has the house's own.

Written from docs/kpis.md and docs/decisions.md, sharing no code and no SQL with the models.
"""

from __future__ import annotations

import pandas as pd

from tests.end_to_end.independent import (
    KPIS,
    Formula,
    Group,
    _first_in_chat,
    credited_mean,
    credited_share,
    mean,
    share,
)

LIVE = ("voice", "chat", "messaging", "in_person")


def _short(frame: Group) -> pd.Series:
    return frame.abandoned & (frame.wait < frame.short)


def _in_time(frame: Group) -> pd.Series:
    return frame.wait.notna() & (frame.wait <= frame.target)


def _served(frame: Group) -> pd.Series:
    return frame.answered & _in_time(frame)


def _left_in_time(frame: Group) -> pd.Series:
    return frame.abandoned & (_in_time(frame) | _short(frame))


def _left_late(frame: Group) -> pd.Series:
    return frame.abandoned & ~_left_in_time(frame)


def _all(frame: Group) -> pd.Series:
    return frame.answered | True


PROFILES: dict[tuple[str, str], tuple[str, Formula]] = {
    ("abandon_rate", "amazon_connect"): ("contacts", lambda f: share(f.abandoned, _all(f))),
    ("abandon_rate", "ccai"): (
        "contacts",
        lambda f: share(f.abandoned & ~_short(f), f.answered | (f.abandoned & ~_short(f))),
    ),
    ("service_level", "amazon_connect"): (
        "contacts",
        lambda f: share(_served(f) | _left_in_time(f) | (f.called_back & _in_time(f)), _all(f)),
    ),
    ("service_level", "genesys_answered"): ("contacts", lambda f: share(_served(f), f.answered)),
    ("service_level", "genesys_all"): ("contacts", lambda f: share(_served(f), _all(f))),
    ("service_level", "talkdesk_contacts"): ("contacts", lambda f: share(_served(f), ~_short(f))),
    ("service_level", "cisco_ignored"): ("contacts", lambda f: share(_served(f), ~_left_in_time(f))),
    ("service_level", "cisco_positive"): ("contacts", lambda f: share(_served(f) | _left_in_time(f), _all(f))),
    ("service_level", "cisco_negative"): ("contacts", lambda f: share(_served(f), _all(f))),
    ("service_level", "xcally"): ("contacts", lambda f: share(_served(f), f.answered | _left_late(f))),
    ("average_hold_time", "all_legs"): ("legs", lambda f: mean(f.hold)),
    ("average_handle_time", "elapsed"): ("legs", lambda f: mean(f.talk + f.hold.fillna(0) + f.wrap.fillna(0))),
    **{
        ("first_reply_time", name): ("first_replies", lambda f: mean(f.seconds))
        for name in ("zendesk", "chatwoot", "fivetran_dbt_zendesk")
    },
    ("first_reply_time_business", "fivetran_dbt_zendesk"): ("first_replies", lambda f: mean(f.business)),
    ("first_reply_time", "last_customer_message"): ("first_replies", lambda f: mean(f.seconds_last[~_opened(f)])),
    ("first_reply_time_business", "last_customer_message"): (
        "first_replies",
        lambda f: mean(f.business_last[~_opened(f)]),
    ),
    ("chat_first_response_time", "last_customer_message"): ("turns", lambda f: mean(_first_in_chat(f).seconds_last)),
    ("chat_first_response_time_business", "last_customer_message"): (
        "turns",
        lambda f: mean(_first_in_chat(f).business_last),
    ),
    ("first_resolution_time", "minus_customer_time"): ("solved", lambda f: mean(_less(f.seconds, f.pending))),
    ("first_resolution_time_business", "minus_customer_time"): (
        "solved",
        lambda f: mean(_less(f.business, f.pending_business)),
    ),
    ("full_resolution_time", "minus_customer_time"): ("resolved", lambda f: mean(_less(f.seconds, f.agent_wait))),
    ("full_resolution_time_business", "minus_customer_time"): (
        "resolved",
        lambda f: mean(_less(f.business, f.agent_wait_business)),
    ),
    ("reopen_rate", "zendesk_wfm"): ("solved", lambda f: share(f.undone > 0, f.undone >= 0)),
    ("reopen_rate", "fivetran_dbt_zendesk"): ("solved", lambda f: share(f.solves > 1, f.solves >= 0)),
    ("reopen_rate", "chatwoot"): ("solved", lambda f: share(f.undone, f.solves)),
    ("reopens_per_ticket", "zendesk_wfm"): ("solved", lambda f: mean(f.undone)),
    ("reopens_per_ticket", "fivetran_dbt_zendesk"): ("solved", lambda f: mean(f.solves - 1)),
    ("one_touch_rate", "zendesk_fewer_than_two"): ("solved", lambda f: share(f.replies < 2, f.replies >= 0)),
    ("one_touch_rate", "zoho"): ("solved", lambda f: share((f.replies == 1) & _solved(f), f.replies >= 0)),
    ("one_touch_rate", "freshservice"): ("solved", lambda f: share(f.wrote_again == 0, f.replies >= 0)),
    ("one_touch_rate", "intercom"): ("solved", lambda f: share((f.solves == 1) & (f.repliers == 1), f.replies >= 0)),
    ("one_touch_rate", "fivetran_dbt_zendesk"): ("solved", lambda f: share((f.messages == 1) & _solved(f), _solved(f))),
    ("agents_per_ticket", "fivetran_dbt_zendesk"): ("solved", lambda f: mean(f.writers)),
    ("first_contact_resolution", "seven_days"): (
        "issues",
        lambda f: share(f.fcr_in_seven_days & f.final, f.resolved & f.final),
    ),
    ("first_contact_resolution", "amazon_cases"): (
        "issues",
        lambda f: share((f.contacts == 1) & f.resolved & f.final, f.resolved & f.final),
    ),
    ("first_contact_resolution", "hdi_first_contact"): (
        "issues",
        lambda f: share(
            f.fcr & ~f.transferred.astype(bool) & f.final & f.channel.isin(LIVE),
            f.resolved & f.final & f.channel.isin(LIVE),
        ),
    ),
    ("csat", "top_box"): (
        "answers",
        lambda f: credited_share((f.box == "top") & (f.score == 1), f[f.metric == "csat"]),
    ),
    ("dissatisfied_rate", "zendesk"): ("answers", lambda f: credited_share(f.box != "top", f[f.metric == "csat"])),
    ("customer_effort", "mean"): ("answers", lambda f: credited_mean(f[f.metric == "ces"])),
    ("response_rate", "chatwoot"): ("invitations", lambda f: share(f.answered, f.sent)),
    # the house's own by another name, or that of another KPI
    ("service_level", "genesys_abandons"): KPIS["service_level"],
    ("first_reply_time_business", "all_schedules"): KPIS["first_reply_time_business"],
    ("first_resolution_time", "fivetran_dbt_zendesk"): KPIS["first_resolution_time"],
    ("full_resolution_time", "zendesk_first"): KPIS["first_resolution_time"],
    ("full_resolution_time", "zendesk_full"): KPIS["full_resolution_time"],
    ("full_resolution_time", "fivetran_dbt_zendesk"): KPIS["full_resolution_time"],
    ("full_resolution_time_business", "fivetran_dbt_zendesk"): KPIS["full_resolution_time_business"],
    ("one_touch_rate", "zendesk"): KPIS["one_touch_rate"],
    **{("csat", name): KPIS["csat"] for name in ("time_weighted", "zendesk", "simplesat", "chatwoot")},
}

# Worked out on paper, and nowhere a second time for every period and dimension.
ON_PAPER = {
    # tests/dbt/test_kpis_by_hand.py; the schedule at the end is also what tests/end_to_end/reconciled.py goes by
    ("first_reply_time_business", "zendesk_last_schedule"),
    ("first_resolution_time_business", "zendesk_last_schedule"),
    ("full_resolution_time_business", "zendesk_last_schedule"),
    # tests/dbt/test_kpis_by_hand.py, and tests/end_to_end/test_centre_surveys.py against the simulator's truth
    ("csat", "all_agents_equal"),
    ("csat", "last_agent"),
    ("csat", "assignee_at_rating"),
    ("csat", "quality_view"),
    # tests/dbt/test_kpis_by_hand.py
    ("customer_effort", "index_67_minus_123"),
    ("qa_score", "amazon_connect"),
    ("qa_score", "zendesk_qa"),
    ("qa_score", "genesys"),
}


def _less(whole: pd.Series, part: pd.Series) -> pd.Series:
    """A difference, unknown where one of them is."""
    return whole.astype(float) - part.astype(float)


def _opened(frame: Group) -> pd.Series:
    """Tickets an agent opened."""
    return frame.by_agent.astype(bool)


def _solved(frame: Group) -> pd.Series:
    return frame.is_solved.astype(bool)

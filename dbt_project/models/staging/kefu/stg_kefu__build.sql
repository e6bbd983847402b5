select
    as_of_at,
    reporting_zone,
    customer_key,
    target_answer_seconds,
    target_answer_seconds_chat,
    human_answer_seconds,
    callback_promise_seconds,
    callback_attempts,
    short_abandon_seconds,
    short_abandon_seconds_chat,
    reopen_window_days,
    thanks_window_seconds,
    survey_window_days,
    survey_credit,
    survey_credit_share,
    minimum_n,
    phone_match_digits,
    customer_match_confidence,
    issue_match_confidence,
    fcr_window_days,
    fcr_window_days_mail

from {{ source('kefu', 'build') }}

select
    as_of_at,
    reporting_zone,
    customer_key,
    target_answer_seconds,
    short_abandon_seconds,
    short_abandon_seconds_chat,
    reopen_window_days,
    thanks_window_seconds,
    survey_window_days,
    sla_rebase,
    minimum_n

from {{ source('kefu', 'build') }}

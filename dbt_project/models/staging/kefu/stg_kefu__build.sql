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
    stuck_wrap_seconds,
    stuck_hold_seconds,
    stuck_state_seconds,
    adherence_tolerance_seconds,
    minimum_n

from {{ source('kefu', 'build') }}

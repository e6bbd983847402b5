-- What each queue saw: every entry is a demand of its own (E03), booked on the day it was entered.
with

visits as (

    select
        *,
        outcome = 'answered' as is_answered,
        outcome = 'abandoned' and not is_short_abandoned as is_abandoned

    from {{ ref('fct_queue_visits') }}

    where direction = 'inbound' and {{ kf_touched('contact_day', 'service_date', 'date') }}

)

select
    service_date,
    source,
    channel,
    queue_id,
    team_id,
    cast(count(*) as bigint) as visits,
    {{ kf_count_if('is_answered') }} as visits_answered,
    {{ kf_count_if('is_abandoned') }} as visits_abandoned,
    {{ kf_count_if('is_short_abandoned') }} as visits_short_abandoned,
    {{ kf_count_if('is_answered_in_target') }} as visits_answered_in_target,
    -- named one by one: a visit without an outcome, or with one nobody knows, is missing from the sum (D06)
    {{ kf_count_if("outcome in ('overflowed', 'callback_requested', 'voicemail', 'closed', 'unfinished')") }}
        as visits_ended_otherwise,
    {{ kf_count_if('is_answered and wait_seconds is not null') }} as visit_waits_answered,
    {{ kf_sum('case when is_answered then wait_seconds end') }} as visit_wait_seconds,
    {{ kf_sum_squares('case when is_answered then wait_seconds end') }} as visit_wait_squares

from visits

group by 1, 2, 3, 4, 5

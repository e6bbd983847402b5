-- Booked on the day of the request.
select
    service_date,
    source,
    channel,
    queue_id,
    team_id,
    cast(count(*) as bigint) as callback_requests,
    {{ kf_count_if('is_decided') }} as callbacks_decided,
    {{ kf_count_if('is_kept') }} as callbacks_kept,
    {{ kf_count_if('wait_seconds is not null') }} as callback_waits,
    {{ kf_sum('wait_seconds') }} as callback_wait_seconds,
    {{ kf_sum_squares('wait_seconds') }} as callback_wait_squares,
    {{ kf_count_if('wait_business_seconds is not null') }} as callback_business_waits,
    {{ kf_sum('wait_business_seconds') }} as callback_wait_business_seconds,
    {{ kf_sum_squares('wait_business_seconds') }} as callback_wait_business_squares

from {{ ref('fct_callbacks') }}

where {{ kf_touched('contact_day', 'service_date', 'date') }}

group by 1, 2, 3, 4, 5

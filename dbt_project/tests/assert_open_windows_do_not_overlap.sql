-- E13: a second is open once.
with

windows as (

    select
        schedule_id,
        opens_at,
        closes_at,
        lag(closes_at) over (partition by schedule_id order by opens_at) as previously_closed_at

    from {{ ref('canonical_business_windows') }}

)

select
    schedule_id,
    opens_at,
    closes_at,
    previously_closed_at

from windows

where opens_at >= closes_at or opens_at < previously_closed_at

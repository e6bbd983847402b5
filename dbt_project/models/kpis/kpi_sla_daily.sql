-- A clock is decided once: when it is breached, or when it ends in time. It is booked on that reporting day, to the
-- team that had the ticket then. One that is breached and still runs counts as missed at once. Additive parts only.
with

promises as (

    select policy_id

    from {{ ref('dim_sla_policy') }}

    where is_public

),

clocks as (

    select
        clocks.*,
        clocks.outcome = 'met' as is_met,
        clocks.sla_metric in ('periodic_update', 'pausable_update') as is_update,
        promises.policy_id is not null as is_promise

    from {{ ref('fct_sla_clocks') }} as clocks
    left join promises on clocks.policy_id = promises.policy_id

    where
        not clocks.is_excluded
        and clocks.decided_date is not null
        and {{ kf_touched('sla_day', 'clocks.decided_date', 'date') }}

)

select
    decided_date as service_date,
    source,
    channel,
    team_id,
    priority,
    policy_id,
    sla_metric,
    cast(count(*) as bigint) as clocks_decided,
    {{ kf_count_if('is_met') }} as clocks_met,
    {{ kf_count_if('not is_met') }} as clocks_breached,
    {{ kf_sum('case when not is_met then over_seconds end') }} as over_seconds,
    {{ kf_sum_squares('case when not is_met then over_seconds end') }} as over_squares,
    -- a solve in time leaves no update due
    {{ kf_count_if("is_update and (not is_met or ended_by = 'reply')") }} as updates_due,
    {{ kf_count_if("is_update and is_met and ended_by = 'reply'") }} as updates_on_time,
    {{ kf_count_if('is_promise') }} as promises_due,
    {{ kf_count_if('is_promise and is_met') }} as promises_kept

from clocks

group by 1, 2, 3, 4, 5, 6, 7

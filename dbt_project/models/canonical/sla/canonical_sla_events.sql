-- What happened to each clock, in order. A clock that runs will be breached if nothing happens before: that event
-- stands here already, with the time at which it will have come true, and readers of an earlier time do not see it.
with

spells as (

    {{ kf_sla_judged(kf_touched('ticket', 'spells.ticket_id')) }}

),

compared as (

    select
        *,
        lag(shown_state) over in_order as state_before,
        lag(target_seconds) over in_order as target_before_seconds,
        lag(is_business) over in_order as was_business,
        min(case when ended_at is null or overdue_at <= ended_at then overdue_at end) over (partition by clock_id)
            as breached_at

    from spells

    window in_order as (partition by clock_id order by spell_number)

),

happened as (

    select
        *,
        case
            when
                shown_state in ('running', 'paused') and coalesce(state_before, 'cancelled') = 'cancelled'
                then 'applied'
            when
                shown_state = state_before
                and shown_state in ('running', 'paused')
                and (target_seconds <> target_before_seconds or is_business <> was_business)
                then 'rebased'
            when shown_state = state_before then null
            when shown_state = 'running' then 'resumed'
            when shown_state = 'paused' then 'paused'
            when shown_state = 'ended' and breached_at <= started_at then 'finished'
            when shown_state = 'ended' then 'met'
            when shown_state = 'cancelled' and state_before in ('running', 'paused') then 'cancelled'
        end as sla_event,
        started_at as occurred_at,
        case when is_business then open_before_seconds else calendar_before_seconds end as elapsed_seconds

    from compared

),

-- a clock is breached once
breaches as (

    select
        *,
        'breached' as breach_event,
        greatest(
            case when is_business then open_before_seconds else calendar_before_seconds end, target_seconds + 1
        ) as breach_seconds,
        row_number() over (partition by clock_id order by spell_number) as breach_number

    from compared

    where overdue_at = breached_at

),

stacked as (

    select
        clock_id,
        2 * spell_number as spell_number,
        ticket_id,
        source,
        sla_metric,
        clock_number,
        sla_event,
        ended_by,
        policy_version_id,
        priority,
        target_seconds,
        is_business,
        elapsed_seconds,
        occurred_at

    from happened

    where sla_event is not null

    union all

    -- at one moment: first the promise, then its breach
    select
        clock_id,
        2 * spell_number + 1 as spell_number,
        ticket_id,
        source,
        sla_metric,
        clock_number,
        breach_event as sla_event,
        cast(null as {{ kf_text() }}) as ended_by,
        policy_version_id,
        priority,
        target_seconds,
        is_business,
        breach_seconds as elapsed_seconds,
        breached_at as occurred_at

    from breaches

    where breach_number = 1

),

numbered as (

    select
        *,
        row_number() over (partition by clock_id order by spell_number) as event_number

    from stacked

)

select
    clock_id || '-' || event_number as sla_event_id,
    clock_id,
    cast(event_number as bigint) as sequence,
    ticket_id,
    source,
    sla_metric,
    clock_number,
    sla_event,
    ended_by,
    policy_version_id,
    priority,
    target_seconds,
    is_business,
    elapsed_seconds,
    occurred_at

from numbered

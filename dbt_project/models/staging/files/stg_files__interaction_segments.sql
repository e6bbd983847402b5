-- The legs that one exported call row tells of: menu, queue, talk, hold, wrap-up. What a file does not say stays out.
with

calls as (

    select
        source || '-' || call_id as interaction_id,
        source,
        source || '-' || coalesce(queue, 'none') as queue_id,
        source || '-' || coalesce(team, queue) as source_team_id,
        source || '-' || agent as agent_id,
        outcome,
        {{ kf_utc('started_at') }} as started_at,
        {{ kf_utc('ended_at') }} as ended_at,
        coalesce(
            {{ kf_utc('queued_at') }},
            {{ kf_add_seconds(kf_utc('started_at'), 'coalesce(ivr_seconds, 0)') }}
        ) as queued_at,
        {{ kf_utc('answered_at') }} as answered_at,
        ivr_seconds,
        wait_seconds,
        talk_seconds,
        hold_seconds,
        wrap_seconds,
        transfers,
        ended_by,
        ended_on_hold

    from {{ source('files', 'calls') }}

    where {{ kf_changed_file('interaction', 'call_id') }}

),

timed as (

    select
        calls.*,
        case
            when wait_seconds is not null then wait_seconds
            when answered_at is not null then {{ kf_seconds_between('queued_at', 'answered_at') }}
            when outcome <> 'answered' then {{ kf_seconds_between('queued_at', 'ended_at') }}
        end as waited_seconds,
        case
            when talk_seconds is not null then talk_seconds
            when answered_at is not null
                then {{ kf_seconds_between('answered_at', 'ended_at') }} - coalesce(hold_seconds, 0)
        end as talked_seconds

    from calls

),

-- how long holds were is told, not when: they are laid behind the talk
placed as (

    select
        timed.*,
        coalesce(answered_at, {{ kf_add_seconds('queued_at', 'coalesce(waited_seconds, 0)') }}) as talk_started_at

    from timed

),

segments as (

    select
        interaction_id,
        source,
        1 as sequence,
        cast(null as bigint) as leg_number,
        'ivr' as segment_type,
        case outcome
            when 'ivr_abandoned' then 'abandoned'
            when 'self_served' then 'self_served'
            else 'queued'
        end as outcome,
        cast(null as {{ kf_text() }}) as queue_id,
        source_team_id,
        cast(null as {{ kf_text() }}) as agent_id,
        started_at,
        coalesce(ivr_seconds, {{ kf_seconds_between('started_at', 'ended_at') }}) as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by
    from placed
    where ivr_seconds is not null or outcome in ('ivr_abandoned', 'self_served')

    union all

    select
        interaction_id,
        source,
        2 as sequence,
        cast(null as bigint) as leg_number,
        'queue' as segment_type,
        case
            when outcome in ('answered', 'abandoned', 'callback_requested', 'voicemail', 'overflowed', 'closed')
                then outcome
            else 'unmapped'
        end as outcome,
        queue_id,
        source_team_id,
        agent_id,
        queued_at as started_at,
        waited_seconds as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by
    from placed
    where outcome not in ('ivr_abandoned', 'self_served', 'failed')

    union all

    select
        interaction_id,
        source,
        3 as sequence,
        1 as leg_number,
        'talk' as segment_type,
        case when coalesce(transfers, 0) > 0 then 'transferred' else 'completed' end as outcome,
        queue_id,
        source_team_id,
        agent_id,
        talk_started_at as started_at,
        talked_seconds as duration_seconds,
        case when coalesce(transfers, 0) = 0 then ended_by end as ended_by
    from placed
    where outcome = 'answered'

    union all

    select
        interaction_id,
        source,
        4 as sequence,
        1 as leg_number,
        'hold' as segment_type,
        case when ended_on_hold then 'abandoned' else 'resumed' end as outcome,
        queue_id,
        source_team_id,
        agent_id,
        {{ kf_add_seconds('talk_started_at', 'coalesce(talked_seconds, 0)') }} as started_at,
        hold_seconds as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by
    from placed
    where outcome = 'answered' and (hold_seconds is not null or ended_on_hold)

    union all

    select
        interaction_id,
        source,
        5 as sequence,
        1 as leg_number,
        'wrap' as segment_type,
        'completed' as outcome,
        queue_id,
        source_team_id,
        agent_id,
        coalesce(
            ended_at,
            {{ kf_add_seconds('talk_started_at', 'coalesce(talked_seconds, 0) + coalesce(hold_seconds, 0)') }}
        ) as started_at,
        wrap_seconds as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by
    from placed
    where outcome = 'answered' and wrap_seconds is not null

)

select
    interaction_id || '-' || sequence as segment_id,
    interaction_id,
    source,
    sequence,
    leg_number,
    segment_type,
    outcome,
    queue_id,
    source_team_id,
    agent_id,
    started_at,
    {{ kf_add_seconds('started_at', 'duration_seconds') }} as ended_at,
    duration_seconds,
    ended_by

from segments

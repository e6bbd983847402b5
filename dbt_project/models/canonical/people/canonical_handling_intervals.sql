-- When an agent was busy with a contact: the talk with its holds, and the wrap-up after it. What somebody forgot to end
-- (E24) counts up to the parameter of its kind.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

segments as (

    select * from {{ ref('canonical_interaction_segments') }}
    where
        segment_type in ('talk', 'hold', 'wrap')
        and leg_number is not null
        and started_at is not null
        and {{ kf_touched('interaction', 'interaction_id') }}

),

capped as (

    select
        segments.interaction_id,
        segments.leg_number,
        segments.source,
        segments.segment_type,
        segments.agent_id,
        segments.team_id,
        segments.started_at,
        segments.ended_at,
        case segments.segment_type
            when 'wrap' then build.stuck_wrap_seconds
            when 'hold' then build.stuck_hold_seconds
            else build.stuck_state_seconds
        end as longest_seconds,
        segments.duration_seconds

    from segments
    cross join build

),

handled as (

    select
        interaction_id,
        leg_number,
        case segment_type when 'wrap' then 'wrap' else 'contact' end as kind,
        min(source) as source,
        min(agent_id) as agent_id,
        min(team_id) as team_id,
        min(started_at) as started_at,
        -- where a source tells how long holds were but not when, they come on top of the talk
        greatest(
            max(least(ended_at, {{ kf_add_seconds('started_at', 'longest_seconds') }})),
            {{ kf_add_seconds('min(started_at)', kf_sum('least(duration_seconds, longest_seconds)')) }}
        ) as ended_at,
        bool_or(ended_at is null) as is_unfinished,
        bool_or(coalesce(duration_seconds > longest_seconds, false)) as is_stuck

    from capped

    group by interaction_id, leg_number, case segment_type when 'wrap' then 'wrap' else 'contact' end

)

select
    handled.interaction_id || '-' || handled.leg_number || '-' || handled.kind as handling_id,
    handled.interaction_id,
    handled.kind,
    handled.source,
    handled.agent_id,
    handled.team_id,
    handled.started_at,
    handled.ended_at,
    handled.is_stuck,
    handled.agent_id || ' ' || cast({{ kf_local_date('handled.started_at') }} as {{ kf_text() }}) as agent_day_id,
    handled.agent_id || ' ' || cast({{ kf_local_date('handled.ended_at') }} as {{ kf_text() }}) as last_agent_day_id

from handled
cross join build

where not handled.is_unfinished and handled.agent_id is not null and handled.ended_at > handled.started_at

-- Second by second what agents did: only the ledger holds it, marts have sums of 15 minutes. A spell somebody forgot to
-- end (E24) counts up to the parameter of its state; one that lasts still has no end yet.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

stacked as (

    {{ stack('agent_states', ['asterisk', 'files']) }}

),

capped as (

    select
        stacked.*,
        {{ kf_add_seconds(
            'stacked.started_at',
            "case when stacked.state = 'wrap' then build.stuck_wrap_seconds else build.stuck_state_seconds end"
        ) }} as latest_end_at

    from stacked
    cross join build

    -- an agent may be put into two states in the same second: the first one never was
    where stacked.ended_at is null or stacked.ended_at > stacked.started_at

),

counted as (

    select
        capped.*,
        case when capped.ended_at is not null then least(capped.ended_at, capped.latest_end_at) end as counted_to_at

    from capped

)

select
    counted.state_id,
    counted.state_group_id,
    counted.source,
    counted.agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    counted.state,
    counted.started_at,
    counted.ended_at,
    counted.counted_to_at,
    coalesce(counted.state <> 'offline' and counted.ended_at > counted.latest_end_at, false) as is_stuck,
    counted.agent_id || ' ' || cast({{ kf_local_date('counted.started_at') }} as {{ kf_text() }}) as agent_day_id,
    counted.agent_id || ' '
    || cast({{ kf_local_date('counted.counted_to_at') }} as {{ kf_text() }}) as last_agent_day_id

from counted
cross join build
left join {{ ref('canonical_teams') }} as teams on counted.source_team_id = teams.source_team_id

-- Every version of the plan: an edit is a version more, whenever it was made.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

stacked as (

    {{ stack('agent_schedules', ['files']) }}

),

numbered as (

    select
        stacked.*,
        row_number() over (partition by stacked.shift_id order by stacked.published_at) as version,
        lead(stacked.published_at) over (partition by stacked.shift_id order by stacked.published_at) as superseded_at

    from stacked

)

select
    numbered.shift_id || '-' || numbered.version as shift_version_id,
    numbered.shift_id,
    cast(numbered.version as integer) as version,
    numbered.source,
    numbered.agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    numbered.activity,
    numbered.is_paid,
    numbered.is_cancelled,
    numbered.published_at,
    numbered.superseded_at,
    numbered.started_at,
    numbered.ended_at,
    {{ kf_add_seconds('numbered.ended_at', 'build.stuck_state_seconds') }} as settled_at,
    numbered.agent_id || ' ' || cast({{ kf_local_date('numbered.started_at') }} as {{ kf_text() }}) as agent_day_id,
    numbered.agent_id || ' ' || cast({{ kf_local_date('numbered.ended_at') }} as {{ kf_text() }}) as last_agent_day_id

from numbered
cross join build
left join {{ ref('canonical_teams') }} as teams on numbered.source_team_id = teams.source_team_id

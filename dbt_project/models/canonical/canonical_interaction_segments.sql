with

stacked as (

    {{ stack('interaction_segments', ['asterisk', 'files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.segment_id,
    stacked.interaction_id,
    stacked.source,
    cast(stacked.sequence as bigint) as sequence,
    stacked.leg_number,
    stacked.segment_type,
    stacked.outcome,
    stacked.queue_id,
    coalesce(teams.team_id, 'none') as team_id,
    stacked.agent_id,
    stacked.started_at,
    stacked.ended_at,
    stacked.duration_seconds,
    stacked.ended_by

from stacked
left join teams on stacked.source_team_id = teams.source_team_id

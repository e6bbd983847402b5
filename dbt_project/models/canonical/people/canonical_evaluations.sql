with

stacked as (

    {{ stack('evaluations', ['files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.evaluation_id,
    stacked.source,
    stacked.interaction_id,
    stacked.ticket_id,
    stacked.agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    stacked.evaluator_id,
    stacked.form_id,
    stacked.form_version,
    stacked.channel,
    stacked.kind,
    stacked.selection,
    stacked.is_calibration,
    stacked.rescored_of_id,
    stacked.model_version,
    stacked.contact_at,
    stacked.evaluated_at

from stacked
left join teams on stacked.source_team_id = teams.source_team_id

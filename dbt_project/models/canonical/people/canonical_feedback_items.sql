with

stacked as (

    {{ stack('feedback_items', ['files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.feedback_id,
    stacked.source,
    stacked.channel,
    stacked.identity_id,
    stacked.ticket_id,
    stacked.interaction_id,
    stacked.agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    stacked.language,
    stacked.characters,
    stacked.occurred_at

from stacked
left join teams on stacked.source_team_id = teams.source_team_id

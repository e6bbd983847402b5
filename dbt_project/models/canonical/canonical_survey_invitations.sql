with

stacked as (

    {{ stack('survey_invitations', ['zendesk', 'qualtrics', 'files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.invitation_id,
    stacked.source,
    stacked.survey_id,
    stacked.identity_id,
    stacked.agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    stacked.ticket_id,
    stacked.interaction_id,
    stacked.channel,
    stacked.segment,
    stacked.status,
    stacked.sent_at

from stacked
left join teams on stacked.source_team_id = teams.source_team_id

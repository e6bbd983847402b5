with

stacked as (

    {{ stack('survey_responses', ['zendesk', 'qualtrics', 'files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.response_id,
    stacked.submission_id,
    stacked.source,
    stacked.question_id,
    stacked.invitation_id,
    coalesce(stacked.invitation_id, stacked.submission_id) as invitation_key,
    stacked.survey_id,
    stacked.metric,
    stacked.scale_id,
    stacked.answer,
    stacked.identity_id,
    stacked.agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    stacked.ticket_id,
    stacked.interaction_id,
    stacked.channel,
    stacked.segment,
    stacked.is_complete,
    stacked.responded_at

from stacked
left join teams on stacked.source_team_id = teams.source_team_id

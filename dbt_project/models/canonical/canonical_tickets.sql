with

stacked as (

    {{ stack('tickets', ['zendesk', 'files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.ticket_id,
    stacked.source,
    stacked.identity_id,
    coalesce(stacked.agent_id, 'none') as agent_id,
    coalesce(teams.team_id, 'none') as team_id,
    stacked.status,
    stacked.priority,
    stacked.channel,
    stacked.created_by_kind,
    stacked.excluded_reason,
    stacked.related_ticket_id,
    stacked.call_reference,
    stacked.created_at,
    stacked.has_reply_record,
    stacked.has_assignment_record,
    stacked.has_reopen_record,
    stacked.has_status_record,
    stacked.reported_first_replied_at,
    stacked.reported_first_solved_at,
    stacked.reported_last_solved_at,
    stacked.reported_agent_replies,
    stacked.reported_reassignments,
    stacked.reported_reopens

from stacked
left join teams on stacked.source_team_id = teams.source_team_id

with

stacked as (

    {{ stack('ticket_events', ['zendesk', 'files']) }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

)

select
    stacked.event_id,
    stacked.ticket_id,
    stacked.source,
    cast(stacked.sequence as bigint) as sequence,
    stacked.actor_kind,
    stacked.actor_id,
    stacked.is_creation,
    stacked.is_comment,
    stacked.is_public,
    stacked.to_status,
    case
        when stacked.to_source_team_id = 'none' then 'none'
        when stacked.to_source_team_id is not null then coalesce(teams.team_id, stacked.to_source_team_id)
    end as to_team_id,
    stacked.to_agent_id,
    stacked.to_priority,
    stacked.occurred_at

from stacked
-- a source may tell of what happened to a ticket before it shows the ticket: its events wait for it
inner join {{ ref('canonical_tickets') }} as tickets on stacked.ticket_id = tickets.ticket_id
left join teams on stacked.to_source_team_id = teams.source_team_id

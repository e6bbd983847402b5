-- One row per event of a ticket, with the state the ticket was in after it.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

events as (

    select
        events.*,
        -- a value holds until the next one is set: number the spells, then spread each spell's value
        count(events.to_status) over running as status_spell,
        count(events.to_team_id) over running as team_spell,
        count(events.to_agent_id) over running as agent_spell,
        count(events.to_priority) over running as priority_spell,
        count(nullif(events.to_team_id, 'none')) over running as known_team_spell,
        count(nullif(events.to_agent_id, 'none')) over running as known_agent_spell

    from {{ ref('canonical_ticket_events') }} as events
    cross join build

    where events.occurred_at <= build.as_of_at and {{ kf_touched('ticket', 'events.ticket_id') }}

    window running as (
        partition by events.ticket_id order by events.sequence
        rows between unbounded preceding and current row
    )

),

carried as (

    select
        event_id,
        ticket_id,
        source,
        sequence,
        actor_kind,
        actor_id,
        is_creation,
        is_comment,
        is_public,
        to_status,
        to_team_id,
        to_agent_id,
        occurred_at,
        max(to_status) over (partition by ticket_id, status_spell) as status,
        max(to_team_id) over (partition by ticket_id, team_spell) as team_id,
        max(to_agent_id) over (partition by ticket_id, agent_spell) as agent_id,
        max(to_priority) over (partition by ticket_id, priority_spell) as priority,
        max(nullif(to_team_id, 'none')) over (partition by ticket_id, known_team_spell) as known_team_id,
        max(nullif(to_agent_id, 'none')) over (partition by ticket_id, known_agent_spell) as known_agent_id

    from events

),

compared as (

    select
        carried.*,
        coalesce(status, 'new') in ('solved', 'closed') as is_solved_after,
        coalesce(lag(status) over in_order, 'new') in ('solved', 'closed') as was_solved_before,
        lag(known_team_id) over in_order as team_before,
        lag(known_agent_id) over in_order as agent_before

    from carried

    window in_order as (partition by ticket_id order by sequence)

)

select
    event_id,
    ticket_id,
    source,
    sequence,
    occurred_at,
    actor_kind,
    actor_id,
    is_creation,
    -- the first message of a ticket an agent opened is no reply to anybody
    is_comment and is_public and actor_kind = 'agent' and not is_creation as is_agent_reply,
    is_comment and is_public and actor_kind = 'customer' as is_customer_comment,
    coalesce(status, 'new') as status,
    coalesce(team_id, 'none') as team_id,
    coalesce(agent_id, 'none') as agent_id,
    coalesce(priority, 'normal') as priority,
    is_solved_after and not was_solved_before as is_solve,
    was_solved_before and not is_solved_after and status <> 'deleted' as is_reopen,
    -- the first assignment is routing; coming back to the same hands after nobody is none either
    coalesce(to_team_id is not null and to_team_id <> 'none' and to_team_id <> team_before, false)
    or coalesce(to_agent_id is not null and to_agent_id <> 'none' and to_agent_id <> agent_before, false)
        as is_reassignment

from compared

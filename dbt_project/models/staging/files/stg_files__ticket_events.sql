-- One row per event of a ticket. From an audit log: what the event changed, a value equal to the one before being no
-- change. From a file with one row a ticket: the moments it names, in the order they must have happened.
with

numbered as (

    select
        source,
        source || '-' || ticket_id as ticket_id,
        event_type,
        status,
        priority,
        team,
        agent,
        actor,
        actor_kind,
        is_public,
        occurred_at,
        row_number() over (
            partition by source, ticket_id
            order by sequence nulls last, occurred_at nulls last, _file nulls last, _line nulls last
        ) as sequence

    from {{ source('files', 'ticket_events') }}

    where {{ kf_changed_file('ticket', 'ticket_id') }}

),

compared as (

    select
        numbered.*,
        lag(status) over (partition by ticket_id order by sequence) as from_status,
        lag(priority) over (partition by ticket_id order by sequence) as from_priority,
        lag(team) over (partition by ticket_id order by sequence) as from_team,
        lag(agent) over (partition by ticket_id order by sequence) as from_agent

    from numbered

),

from_audit_log as (

    select
        ticket_id || '-' || sequence as event_id,
        ticket_id,
        source,
        sequence,
        coalesce(actor_kind, 'agent') as actor_kind,
        source || '-' || actor as actor_id,
        sequence = 1 as is_creation,
        event_type = 'comment' as is_comment,
        coalesce(is_public, false) as is_public,
        case
            when (status is distinct from from_status) and status is not null
                then {{ canonical_ticket_status('status') }}
        end as to_status,
        case
            when (team is distinct from from_team) then coalesce(source || '-' || team, 'none')
        end as to_source_team_id,
        case when (agent is distinct from from_agent) then coalesce(source || '-' || agent, 'none') end as to_agent_id,
        case when (priority is distinct from from_priority) then lower(priority) end as to_priority,
        {{ kf_utc('occurred_at') }} as occurred_at

    from compared

),

ticket_rows as (

    select
        source,
        source || '-' || ticket_id as ticket_id,
        source || '-' || agent as agent_id,
        source || '-' || team as source_team_id,
        lower(priority) as priority,
        coalesce(created_by, 'customer') as created_by_kind,
        coalesce(lower(status), 'closed') not in ('solved', 'closed') as is_unsolved,
        created_at,
        coalesce(first_solved_at, solved_at, closed_at) as first_solved_at,
        coalesce(solved_at, first_solved_at, closed_at) as last_solved_at

    from {{ source('files', 'tickets') }}

    where {{ kf_changed_file('ticket', 'ticket_id') }}

),

moments as (

    select
        ticket_rows.*,
        1 as sequence,
        'new' as to_status,
        created_at as happened_at
    from ticket_rows

    union all

    select
        ticket_rows.*,
        2 as sequence,
        'solved' as to_status,
        first_solved_at as happened_at
    from ticket_rows
    where first_solved_at is not null

    union all

    -- when a solved ticket was opened again such a file does not say; it was before it was solved for the last time
    select
        ticket_rows.*,
        3 as sequence,
        'open' as to_status,
        last_solved_at as happened_at
    from ticket_rows
    where last_solved_at > first_solved_at or (is_unsolved and first_solved_at is not null)

    union all

    select
        ticket_rows.*,
        4 as sequence,
        'solved' as to_status,
        last_solved_at as happened_at
    from ticket_rows
    where last_solved_at > first_solved_at and not is_unsolved

),

from_ticket_rows as (

    select
        ticket_id || '-' || sequence as event_id,
        ticket_id,
        source,
        cast(sequence as bigint) as sequence,
        case when sequence = 1 then created_by_kind else 'agent' end as actor_kind,
        case when sequence > 1 then agent_id end as actor_id,
        sequence = 1 as is_creation,
        false as is_comment,
        false as is_public,
        to_status,
        case when sequence = 1 then coalesce(source_team_id, 'none') end as to_source_team_id,
        case when sequence = 1 then coalesce(agent_id, 'none') end as to_agent_id,
        case when sequence = 1 then priority end as to_priority,
        {{ kf_utc('happened_at') }} as occurred_at

    from moments

)

select * from from_audit_log
union all
select * from from_ticket_rows

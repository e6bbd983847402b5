-- Tickets of exported files, from either shape: one row a ticket, or an audit log with one row an event.
with

ticket_rows as (

    select
        source || '-' || ticket_id as ticket_id,
        source,
        {{ kf_pseudonym('customer') }} as customer_id,
        source || '-' || agent as agent_id,
        source || '-' || team as source_team_id,
        case
            when status is not null then {{ canonical_ticket_status('status') }}
            when closed_at is not null then 'closed'
            when solved_at is not null then 'solved'
            else 'open'
        end as status,
        coalesce(lower(priority), 'normal') as priority,
        {{ canonical_channel("coalesce(channel, 'other')") }} as channel,
        coalesce(created_by, 'customer') as created_by_kind,
        excluded_reason,
        {{ kf_utc('created_at') }} as created_at,
        agent_replies is not null as has_reply_record,
        reassignments is not null as has_assignment_record,
        reopens is not null as has_reopen_record,
        {{ kf_utc('first_replied_at') }} as reported_first_replied_at,
        {{ kf_utc('coalesce(first_solved_at, solved_at, closed_at)') }} as reported_first_solved_at,
        {{ kf_utc('coalesce(solved_at, first_solved_at, closed_at)') }} as reported_last_solved_at,
        agent_replies as reported_agent_replies,
        reassignments as reported_reassignments,
        reopens as reported_reopens

    from {{ source('files', 'tickets') }}

),

events as (

    select
        source,
        ticket_id,
        status,
        priority,
        team,
        agent,
        customer,
        channel,
        -- the same order as in stg_files__ticket_events, from its end
        row_number() over (
            partition by source, ticket_id
            order by sequence desc nulls first, occurred_at desc nulls first, _file desc, _line desc
        ) as from_last,
        bool_or(event_type = 'comment') over (partition by source) as has_reply_record,
        bool_or(team is not null or agent is not null) over (partition by source) as has_assignment_record,
        min(coalesce(opened_at, occurred_at)) over (partition by source, ticket_id) as created_at

    from {{ source('files', 'ticket_events') }}

),

event_rows as (

    select
        source || '-' || ticket_id as ticket_id,
        source,
        {{ kf_pseudonym('customer') }} as customer_id,
        source || '-' || agent as agent_id,
        source || '-' || team as source_team_id,
        {{ canonical_ticket_status("coalesce(status, 'new')") }} as status,
        coalesce(lower(priority), 'normal') as priority,
        {{ canonical_channel("coalesce(channel, 'other')") }} as channel,
        'customer' as created_by_kind,
        cast(null as text) as excluded_reason,
        {{ kf_utc('created_at') }} as created_at,
        has_reply_record,
        has_assignment_record,
        true as has_reopen_record,
        cast(null as timestamp) as reported_first_replied_at,
        cast(null as timestamp) as reported_first_solved_at,
        cast(null as timestamp) as reported_last_solved_at,
        cast(null as bigint) as reported_agent_replies,
        cast(null as bigint) as reported_reassignments,
        cast(null as bigint) as reported_reopens

    from events

    where from_last = 1

)

select * from ticket_rows
union all
select * from event_rows

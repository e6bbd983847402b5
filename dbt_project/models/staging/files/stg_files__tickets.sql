-- Tickets of exported files, from either shape: one row a ticket, or an audit log with one row an event.
with

ticket_rows as (

    select
        source || '-' || ticket_id as ticket_id,
        source,
        {{ kf_identity('account', 'customer', 'source') }} as identity_id,
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
        source || '-' || merged_into as related_ticket_id,
        call_id as call_reference,
        {{ kf_utc('created_at') }} as created_at,
        agent_replies is not null as has_reply_record,
        reassignments is not null as has_assignment_record,
        reopens is not null as has_reopen_record,
        false as has_status_record,
        {{ kf_utc('first_replied_at') }} as reported_first_replied_at,
        {{ kf_utc('coalesce(first_solved_at, solved_at, closed_at)') }} as reported_first_solved_at,
        {{ kf_utc('coalesce(solved_at, first_solved_at, closed_at)') }} as reported_last_solved_at,
        agent_replies as reported_agent_replies,
        reassignments as reported_reassignments,
        reopens as reported_reopens

    from {{ source('files', 'tickets') }}

    where {{ kf_changed_file('ticket', 'ticket_id') }}

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
            order by
                sequence desc nulls first, occurred_at desc nulls first, _file desc nulls first, _line desc nulls first
        ) as from_last,
        min(coalesce(opened_at, occurred_at)) over (partition by source, ticket_id) as created_at

    from {{ source('files', 'ticket_events') }}

    where {{ kf_changed_file('ticket', 'ticket_id') }}

),

event_rows as (

    select
        events.source || '-' || events.ticket_id as ticket_id,
        events.source,
        {{ kf_identity('account', 'events.customer', 'events.source') }} as identity_id,
        events.source || '-' || events.agent as agent_id,
        events.source || '-' || events.team as source_team_id,
        {{ canonical_ticket_status("coalesce(events.status, 'new')") }} as status,
        coalesce(lower(events.priority), 'normal') as priority,
        {{ canonical_channel("coalesce(events.channel, 'other')") }} as channel,
        'customer' as created_by_kind,
        cast(null as {{ kf_text() }}) as excluded_reason,
        cast(null as {{ kf_text() }}) as related_ticket_id,
        cast(null as {{ kf_text() }}) as call_reference,
        {{ kf_utc('events.created_at') }} as created_at,
        traits.has_reply_record,
        traits.has_assignment_record,
        true as has_reopen_record,
        traits.has_status_record,
        cast(null as timestamp) as reported_first_replied_at,
        cast(null as timestamp) as reported_first_solved_at,
        cast(null as timestamp) as reported_last_solved_at,
        cast(null as bigint) as reported_agent_replies,
        cast(null as bigint) as reported_reassignments,
        cast(null as bigint) as reported_reopens

    from events
    inner join {{ ref('stg_files__traits') }} as traits on events.source = traits.source

    where {{ kf_first('events.from_last') }}

)

select * from ticket_rows
union all
select * from event_rows

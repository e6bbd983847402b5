-- One row per audit event: the comment it brought, if any, and the fields it changed.
with

source as (

    select * from {{ source('zendesk', 'ticket_events') }}
    where {{ kf_changed('ticket', 'zendesk', 'ticket_id', 'bigint') }}

),

users as (

    select id

    from {{ source('zendesk', 'users') }}

),

-- who was staff when it happened: what an agent did stays an agent's, whatever became of them (E11)
staff as (

    select
        user_id,
        valid_from_at,
        valid_to_at

    from {{ ref('stg_zendesk__agent_versions') }}

    -- the planner takes what is equal to a word for rare, and these are nearly all
    where role not in ('customer', 'unmapped')

),

events as (

    select
        event_id,
        min(ticket_id) as ticket_id,
        min(created_at) as created_at,
        min(updater_id) as updater_id,
        min(via) as via,
        bool_or(field = 'created') as is_creation,
        bool_or(field = 'comment') as is_comment,
        bool_or(field = 'comment' and is_public) as is_public,
        min(case when field = 'comment' then author_id end) as author_id,
        -- a rule may set a field again in the update that set it: the last one holds; '' is set to nothing
        {{ kf_latest("case when field = 'status' then coalesce(value, '') end", 'child_number') }} as to_status,
        {{ kf_latest("case when field = 'group_id' then coalesce(value, '') end", 'child_number') }} as to_group_id,
        {{ kf_latest("case when field = 'assignee_id' then coalesce(value, '') end", 'child_number') }}
            as to_assignee_id,
        {{ kf_latest("case when field = 'priority' then coalesce(value, '') end", 'child_number') }} as to_priority

    from source

    group by event_id

),

renamed as (

    select
        -- ids
        'zendesk-' || events.event_id as event_id,
        'zendesk-' || events.ticket_id as ticket_id,
        'zendesk' as source,
        cast(events.event_id as bigint) as sequence,

        -- who did it: automation has no user, or says so
        case
            when lower(events.via) in ('rule', 'trigger', 'automation', 'macro rule') or events.updater_id < 0
                then 'bot'
            when staff.user_id is not null then 'agent'
            when actor.id is null then 'system'
            else 'customer'
        end as actor_kind,
        'zendesk-' || staff.user_id as actor_id,

        -- what happened
        events.is_creation,
        events.is_comment,
        coalesce(events.is_public, false) as is_public,
        case when events.to_status <> '' then {{ canonical_ticket_status('events.to_status') }} end as to_status,
        case
            when events.to_group_id = '' then 'none'
            when events.to_group_id is not null then 'zendesk-' || events.to_group_id
        end as to_source_team_id,
        case
            when events.to_assignee_id = '' then 'none'
            when events.to_assignee_id is not null then 'zendesk-' || events.to_assignee_id
        end as to_agent_id,
        nullif(events.to_priority, '') as to_priority,

        -- timestamps, all UTC
        {{ kf_utc('events.created_at') }} as occurred_at

    from events
    left join users as actor on coalesce(events.author_id, events.updater_id) = actor.id
    left join staff
        on
            actor.id = staff.user_id
            and {{ kf_utc('events.created_at') }} >= staff.valid_from_at
            and {{ kf_utc('events.created_at') }} < staff.valid_to_at

)

select * from renamed

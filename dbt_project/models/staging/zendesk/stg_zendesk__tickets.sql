with

source as (

    select * from {{ source('zendesk', 'tickets') }}
    where {{ kf_changed('ticket', 'zendesk', 'id', 'bigint') }}

),

staff as (

    select
        user_id,
        valid_from_at,
        valid_to_at

    from {{ ref('stg_zendesk__agent_versions') }}

    -- the planner takes what is equal to a word for rare, and these are nearly all
    where role not in ('customer', 'unmapped')

),

renamed as (

    select
        -- ids
        'zendesk-' || source.id as ticket_id,
        'zendesk' as source,
        {{ kf_identity('account', 'cast(source.requester_id as ' ~ kf_text() ~ ')', "'zendesk'") }} as identity_id,
        'zendesk-' || source.assignee_id as agent_id,
        'zendesk-' || source.group_id as source_team_id,

        -- categories
        {{ canonical_ticket_status('source.status') }} as status,
        coalesce(source.priority, 'normal') as priority,
        {{ canonical_channel("coalesce(source.via_channel, 'other')") }} as channel,
        case when submitter.user_id is not null then 'agent' else 'customer' end as created_by_kind,
        case
            when source.status = 'deleted' then 'deleted'
            when source.tags like '%"closed_by_merge"%' then 'merged'
            when source.tags like '%"spam"%' then 'spam'
            when source.tags like '%"test"%' then 'test'
        end as excluded_reason,

        -- what it is about, where another system or ticket says so
        'zendesk-' || source.follow_up_of as related_ticket_id,
        source.external_id as call_reference,

        -- timestamps, all UTC
        {{ kf_utc('source.created_at') }} as created_at,

        -- what the source keeps a record of
        true as has_reply_record,
        true as has_assignment_record,
        true as has_reopen_record,
        true as has_status_record,

        -- its own figures; only sources without an event history need them
        cast(null as timestamp) as reported_first_replied_at,
        cast(null as timestamp) as reported_first_solved_at,
        cast(null as timestamp) as reported_last_solved_at,
        cast(null as bigint) as reported_agent_replies,
        cast(null as bigint) as reported_reassignments,
        cast(null as bigint) as reported_reopens

    from source
    left join staff as submitter
        on
            source.submitter_id = submitter.user_id
            and {{ kf_utc('source.created_at') }} >= submitter.valid_from_at
            and {{ kf_utc('source.created_at') }} < submitter.valid_to_at

)

select * from renamed

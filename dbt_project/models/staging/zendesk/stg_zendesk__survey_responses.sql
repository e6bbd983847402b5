with

source as (

    select * from {{ source('zendesk', 'satisfaction_ratings') }}
    where {{ kf_changed('submission', 'zendesk', 'id', 'bigint') }}

),

tickets as (

    select
        id,
        via_channel

    from {{ source('zendesk', 'tickets') }}

)

select
    'zendesk-' || source.id as response_id,
    'zendesk-' || source.id as submission_id,
    'zendesk' as source,
    'rating' as question_id,
    'zendesk-' || source.ticket_id as invitation_id,
    'zendesk-ticket-rating' as survey_id,
    'csat' as metric,
    'thumbs' as scale_id,
    case
        when source.score like 'good%' then cast(1 as decimal(18, 6))
        when source.score like 'bad%' then cast(0 as decimal(18, 6))
    end as answer,
    {{ kf_identity('account', 'cast(source.requester_id as ' ~ kf_text() ~ ')', "'zendesk'") }} as identity_id,
    'zendesk-' || source.assignee_id as agent_id,
    'zendesk-' || source.group_id as source_team_id,
    'zendesk-' || source.ticket_id as ticket_id,
    cast(null as {{ kf_text() }}) as interaction_id,
    {{ canonical_channel("coalesce(tickets.via_channel, 'other')") }} as channel,
    cast(null as {{ kf_text() }}) as segment,
    true as is_complete,
    {{ kf_utc('source.updated_at') }} as responded_at

from source
left join tickets on source.ticket_id = tickets.id

where source.score like 'good%' or source.score like 'bad%'

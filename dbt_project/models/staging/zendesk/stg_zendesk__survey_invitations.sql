-- Zendesk offers its rating once a ticket: the first rating record of a ticket, whatever its score, is the invitation.
with

source as (

    select * from {{ source('zendesk', 'satisfaction_ratings') }}
    where {{ kf_changed('invitation', 'zendesk', 'ticket_id', 'bigint') }}

),

tickets as (

    select
        id,
        via_channel

    from {{ source('zendesk', 'tickets') }}

),

offered as (

    select
        ticket_id,
        min(created_at) as sent_at,
        min(requester_id) as requester_id,
        min(assignee_id) as assignee_id,
        min(group_id) as group_id

    from source

    where score <> 'unoffered'

    group by ticket_id

)

select
    'zendesk-' || offered.ticket_id as invitation_id,
    'zendesk' as source,
    'zendesk-ticket-rating' as survey_id,
    {{ kf_identity('account', 'cast(offered.requester_id as ' ~ kf_text() ~ ')', "'zendesk'") }} as identity_id,
    'zendesk-' || offered.assignee_id as agent_id,
    'zendesk-' || offered.group_id as source_team_id,
    'zendesk-' || offered.ticket_id as ticket_id,
    cast(null as {{ kf_text() }}) as interaction_id,
    {{ canonical_channel("coalesce(tickets.via_channel, 'other')") }} as channel,
    cast(null as {{ kf_text() }}) as segment,
    'delivered' as status,
    {{ kf_utc('offered.sent_at') }} as sent_at

from offered
left join tickets on offered.ticket_id = tickets.id

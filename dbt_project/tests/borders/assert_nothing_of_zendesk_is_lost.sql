-- Raw to ledger: every ticket, every event and every offered or answered rating is there. What is left out has a name:
-- ratings that were never offered, and events of a ticket the source has not shown yet, which wait for it. Of a build
-- of what changed only that is looked at.
with

expected as (

    select
        'ticket' as entity,
        'zendesk-' || id as id
    from {{ source('zendesk', 'tickets') }}
    where {{ kf_changed('ticket', 'zendesk', 'id', 'bigint') }}

    union

    select
        'ticket event' as entity,
        'zendesk-' || events.event_id as id
    from {{ source('zendesk', 'ticket_events') }} as events
    inner join {{ source('zendesk', 'tickets') }} as tickets on events.ticket_id = tickets.id
    where {{ kf_changed('ticket', 'zendesk', 'events.ticket_id', 'bigint') }}

    union

    select
        'invitation' as entity,
        'zendesk-' || ticket_id as id
    from {{ source('zendesk', 'satisfaction_ratings') }}
    where score <> 'unoffered' and {{ kf_changed('invitation', 'zendesk', 'ticket_id', 'bigint') }}

    union

    select
        'answer' as entity,
        'zendesk-' || id as id
    from {{ source('zendesk', 'satisfaction_ratings') }}
    where
        (score like 'good%' or score like 'bad%')
        and {{ kf_changed('submission', 'zendesk', 'id', 'bigint') }}

),

found as (

    select
        'ticket' as entity,
        ticket_id as id
    from {{ ref('canonical_tickets') }}
    where source = 'zendesk'

    union all

    select
        'ticket event' as entity,
        event_id as id
    from {{ ref('canonical_ticket_events') }}
    where source = 'zendesk'

    union all

    select
        'invitation' as entity,
        invitation_id as id
    from {{ ref('canonical_survey_invitations') }}
    where source = 'zendesk'

    union all

    select
        'answer' as entity,
        response_id as id
    from {{ ref('canonical_survey_responses') }}
    where source = 'zendesk'

)

select
    expected.entity,
    expected.id

from expected
left join found
    on
        expected.entity = found.entity
        and expected.id = found.id

where found.id is null

-- Raw to ledger: every ticket, every event and every offered or answered rating is there. What is left out has a name:
-- ratings that were never offered, and events of a ticket the source has not shown yet, which wait for it. Of a build
-- of what changed only that is looked at.
{%- set ledger = {
    'tickets': (ref('canonical_tickets'), 'ticket_id'),
    'ticket_events': (ref('canonical_ticket_events'), 'event_id'),
    'invitations': (ref('canonical_survey_invitations'), 'invitation_id'),
    'answers': (ref('canonical_survey_responses'), 'response_id'),
} %}
with

tickets as (

    select id from {{ source('zendesk', 'tickets') }}

    where {{ kf_changed('ticket', 'zendesk', 'id', 'bigint') }}

),

-- an update is as many rows as it changed fields
updates as (

    select
        event_id,
        min(ticket_id) as ticket_id

    from {{ source('zendesk', 'ticket_events') }}

    where {{ kf_changed('ticket', 'zendesk', 'ticket_id', 'bigint') }}

    group by event_id

),

ticket_events as (

    select updates.event_id as id

    from updates
    inner join {{ source('zendesk', 'tickets') }} as tickets on updates.ticket_id = tickets.id

),

invitations as (

    select distinct ticket_id as id from {{ source('zendesk', 'satisfaction_ratings') }}

    where score <> 'unoffered' and {{ kf_changed('invitation', 'zendesk', 'ticket_id', 'bigint') }}

),

answers as (

    select id from {{ source('zendesk', 'satisfaction_ratings') }}

    where (score like 'good%' or score like 'bad%') and {{ kf_changed('submission', 'zendesk', 'id', 'bigint') }}

)

{% for expected, (relation, key) in ledger.items() -%}
select
    '{{ expected }}' as entity,
    'zendesk-' || {{ expected }}.id as id

from {{ expected }}
left join {{ relation }} as ledger on 'zendesk-' || {{ expected }}.id = ledger.{{ key }}

where ledger.{{ key }} is null

{{ 'union all' if not loop.last }}

{% endfor %}

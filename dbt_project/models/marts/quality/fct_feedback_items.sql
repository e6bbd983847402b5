-- What customers said, without the words: those stay in raw until somebody redacts them.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

items as (

    select * from {{ ref('canonical_feedback_items') }}
    where {{ kf_touched('feedback', 'feedback_id') }}

)

select
    items.feedback_id,
    items.source,
    items.channel,
    {{ kf_customer('people', 'items.identity_id') }} as customer_id,
    items.ticket_id,
    items.interaction_id,
    items.agent_id,
    items.team_id,
    items.language,
    items.characters,
    items.occurred_at,
    {{ kf_local_date('tickets.created_at') }} as ticket_date,
    contacts.service_date as interaction_date,
    {{ kf_local_date('items.occurred_at') }} as service_date

from items
cross join build
left join {{ ref('canonical_tickets') }} as tickets on items.ticket_id = tickets.ticket_id
left join {{ ref('fct_contacts') }} as contacts on items.interaction_id = contacts.interaction_id
{{ kf_customer_join('people', 'items.identity_id', 'items.occurred_at') }}

where items.occurred_at <= build.as_of_at

with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

invitations as (

    select * from {{ ref('canonical_survey_invitations') }}
    where {{ kf_touched('invitation', 'invitation_id') }}

),

excluded_tickets as (

    select ticket_id
    from {{ ref('canonical_tickets') }}
    where excluded_reason is not null

),

answered as (

    select distinct invitation_id
    from {{ ref('fct_survey_responses') }}
    where invitation_id is not null and (is_counted or not_counted_reason = 'superseded')

)

select
    invitations.invitation_id,
    invitations.source,
    invitations.survey_id,
    {{ kf_customer('people', 'invitations.identity_id') }} as customer_id,
    {{ kf_customer_confidence('people', 'invitations.identity_id') }} as customer_confidence,
    invitations.identity_id,
    invitations.agent_id,
    invitations.team_id,
    invitations.ticket_id,
    invitations.interaction_id,
    invitations.channel,
    coalesce(invitations.segment, 'none') as segment,
    invitations.status,
    excluded_tickets.ticket_id is not null as is_excluded,
    invitations.status = 'delivered' and excluded_tickets.ticket_id is null as is_delivered,
    invitations.status = 'delivered'
    and excluded_tickets.ticket_id is null
    and answered.invitation_id is not null as is_answered,
    invitations.sent_at,
    {{ kf_local_date('invitations.sent_at') }} as service_date

from invitations
cross join build
left join answered on invitations.invitation_id = answered.invitation_id
left join excluded_tickets on invitations.ticket_id = excluded_tickets.ticket_id
{{ kf_customer_join('people', 'invitations.identity_id', 'invitations.sent_at') }}

where invitations.sent_at <= build.as_of_at

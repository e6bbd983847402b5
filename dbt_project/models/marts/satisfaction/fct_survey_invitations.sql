with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

invitations as (

    select invitations.*
    from {{ ref('canonical_survey_invitations') }} as invitations
    cross join build
    where invitations.sent_at <= build.as_of_at and {{ kf_touched('invitation', 'invitations.invitation_id') }}

),

ticket_links as (

    {{ kf_contact_links('invitations', 'ticket_id', ref('canonical_tickets'), 'ticket_id') }}

),

excluded_tickets as (

    select ticket_id
    from {{ ref('canonical_tickets') }}
    where excluded_reason is not null

),

answered as (

    select
        invitation_id,
        bool_or(is_counted or not_counted_reason = 'superseded') as is_answered,
        bool_or(is_good_to_bad) as is_good_to_bad,
        bool_or(is_bad_to_good) as is_bad_to_good

    from {{ ref('fct_survey_responses') }}

    where invitation_id is not null and {{ kf_touched('invitation', 'invitation_key') }}

    group by invitation_id

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
    coalesce(ticket_links.id, invitations.ticket_id) as ticket_id,
    invitations.interaction_id,
    invitations.channel,
    coalesce(invitations.segment, 'none') as segment,
    invitations.status,
    excluded_tickets.ticket_id is not null as is_excluded,
    -- E26: one held back is a fact too
    invitations.status <> 'suppressed' and excluded_tickets.ticket_id is null as is_sent,
    invitations.status = 'delivered' and excluded_tickets.ticket_id is null as is_delivered,
    invitations.status = 'delivered'
    and excluded_tickets.ticket_id is null
    and coalesce(answered.is_answered, false) as is_answered,
    coalesce(answered.is_good_to_bad, false) as is_good_to_bad,
    coalesce(answered.is_bad_to_good, false) as is_bad_to_good,
    invitations.sent_at,
    {{ kf_local_date('invitations.sent_at') }} as service_date

from invitations
cross join build
left join answered on invitations.invitation_id = answered.invitation_id
left join ticket_links on invitations.ticket_id = ticket_links.said
left join excluded_tickets on ticket_links.id = excluded_tickets.ticket_id
{{ kf_customer_join('people', 'invitations.identity_id', 'invitations.sent_at') }}

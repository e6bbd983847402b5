-- One row per answer to one question, and whether it counts.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

responses as (

    select responses.*
    from {{ ref('canonical_survey_responses') }} as responses
    cross join build
    where responses.responded_at <= build.as_of_at and {{ kf_touched('invitation', 'responses.invitation_key') }}

),

invitations as (

    select
        invitation_id,
        sent_at

    from {{ ref('canonical_survey_invitations') }}

),

scales as (

    select * from {{ ref('dim_scale') }}

),

tickets as (

    select
        ticket_id,
        excluded_reason,
        created_by_kind,
        created_at

    from {{ ref('canonical_tickets') }}

),

ticket_links as (

    {{ kf_contact_links('responses', 'ticket_id', ref('canonical_tickets'), 'ticket_id') }}

),

interaction_links as (

    {{ kf_contact_links('responses', 'interaction_id', ref('fct_contacts'), 'interaction_id') }}

),

contacts as (

    select
        interaction_id,
        started_at,
        service_date

    from {{ ref('fct_contacts') }}

),

-- what a rating of a ticket is about: how it was solved last
solves as (

    select
        responses.response_id,
        max(events.occurred_at) as solved_at

    from responses
    inner join ticket_links on responses.ticket_id = ticket_links.said
    inner join {{ ref('fct_ticket_events') }} as events
        on
            ticket_links.id = events.ticket_id
            and responses.responded_at >= events.occurred_at

    where events.is_solve

    group by responses.response_id

),

asked_about as (

    select distinct id as ticket_id from ticket_links

),

-- how urgent a ticket was when it came; what an agent gave it later, or opened it with, says nothing of the customer
openings as (

    select
        events.ticket_id,
        max(events.to_priority) as priority

    from {{ ref('canonical_ticket_events') }} as events
    inner join asked_about on events.ticket_id = asked_about.ticket_id
    inner join tickets on events.ticket_id = tickets.ticket_id

    where events.is_creation and tickets.created_by_kind <> 'agent'

    group by events.ticket_id

),

linked as (

    select
        responses.response_id,
        ticket_links.id as linked_ticket_id,
        interaction_links.id as linked_interaction_id,
        invitations.sent_at,
        tickets.excluded_reason,
        tickets.created_at as ticket_created_at,
        openings.priority as opening_priority,
        contacts.service_date as interaction_date,
        -- E22: when what is rated was
        coalesce(
            solves.solved_at, tickets.created_at, contacts.started_at, invitations.sent_at, responses.responded_at
        ) as contact_at

    from responses
    left join invitations on responses.invitation_id = invitations.invitation_id
    left join ticket_links on responses.ticket_id = ticket_links.said
    left join tickets on ticket_links.id = tickets.ticket_id
    left join openings on ticket_links.id = openings.ticket_id
    left join solves on responses.response_id = solves.response_id
    left join interaction_links on responses.interaction_id = interaction_links.said
    left join contacts on interaction_links.id = contacts.interaction_id

),

judged as (

    select
        responses.*,
        linked.linked_ticket_id,
        linked.linked_interaction_id,
        linked.opening_priority,
        linked.contact_at,
        {{ kf_customer('people', 'responses.identity_id') }} as customer_id,
        {{ kf_customer_confidence('people', 'responses.identity_id') }} as customer_confidence,
        scales.score,
        scales.box,
        nullif(scales.nps_group, '') as nps_group,
        nullif(scales.ces_group, '') as ces_group,
        case
            when linked.excluded_reason is not null then 'excluded_ticket'
            when not responses.is_complete then 'incomplete'
            when
                {{ kf_seconds_between('linked.sent_at', 'responses.responded_at') }}
                > build.survey_window_days * 86400
                then 'late'
        end as unfit_submission_reason,
        case
            when responses.answer is null then 'no_answer'
            when responses.metric in ('csat', 'fcr') and scales.scale_id is null then 'off_scale'
            when responses.metric = 'nps' and coalesce(scales.nps_group, '') = '' then 'off_scale'
            when responses.metric = 'ces' and coalesce(scales.ces_group, '') = '' then 'off_scale'
        end as unfit_answer_reason,
        {{ kf_local_date('responses.responded_at') }} as service_date,
        {{ kf_local_date('linked.contact_at') }} as contact_date,
        {{ kf_local_date('linked.ticket_created_at') }} as ticket_date,
        linked.interaction_date

    from responses
    cross join build
    inner join linked on responses.response_id = linked.response_id
    left join scales
        on
            responses.scale_id = scales.scale_id
            and responses.answer = scales.answer
    {{ kf_customer_join('people', 'responses.identity_id', 'responses.responded_at') }}

),

ranked as (

    select
        judged.*,
        -- E07: of several submissions for one invitation the last that is fit counts, with all its answers
        dense_rank() over (
            partition by invitation_key, unfit_submission_reason is null
            order by responded_at desc nulls first, submission_id desc nulls first
        ) as from_last

    from judged

),

decided as (

    select
        ranked.*,
        coalesce(
            unfit_submission_reason,
            case when from_last > 1 then 'superseded' end,
            unfit_answer_reason
        ) as not_counted_reason,
        -- whole and on a scale, so a rating whether or not it counts: late ones and those replaced are ratings too
        coalesce(unfit_submission_reason, 'late') = 'late' and unfit_answer_reason is null as is_rating

    from ranked

),

-- minds change in the order of events, whatever the order of ids or of arrival
compared as (

    select
        decided.*,
        case when is_rating then lag(box) over in_order end as previous_box

    from decided

    window in_order as (
        partition by invitation_key, question_id, is_rating
        order by responded_at nulls last, submission_id nulls last, response_id
    )

)

select
    response_id,
    submission_id,
    source,
    question_id,
    invitation_id,
    invitation_key,
    survey_id,
    metric,
    scale_id,
    answer,
    score,
    box,
    nps_group,
    ces_group,
    customer_id,
    coalesce(customer_id, invitation_key) as respondent_id,
    customer_confidence,
    identity_id,
    agent_id,
    team_id,
    coalesce(linked_ticket_id, ticket_id) as ticket_id,
    coalesce(linked_interaction_id, interaction_id) as interaction_id,
    channel,
    coalesce(segment, 'none') as segment,
    coalesce(opening_priority, 'none') as opening_priority,
    not_counted_reason,
    not_counted_reason is null as is_counted,
    is_rating,
    coalesce(previous_box = 'top' and box = 'bottom', false) as is_good_to_bad,
    coalesce(previous_box = 'bottom' and box = 'top', false) as is_bad_to_good,
    contact_at,
    responded_at,
    contact_date,
    ticket_date,
    interaction_date,
    service_date

from compared

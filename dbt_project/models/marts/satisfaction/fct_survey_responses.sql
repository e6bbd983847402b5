-- One row per answer to one question, and whether it counts.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

responses as (

    select * from {{ ref('canonical_survey_responses') }}
    where {{ kf_touched('invitation', 'invitation_key') }}

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

excluded_tickets as (

    select ticket_id
    from {{ ref('canonical_tickets') }}
    where excluded_reason is not null

),

judged as (

    select
        responses.*,
        {{ kf_customer('people', 'responses.identity_id') }} as customer_id,
        {{ kf_customer_confidence('people', 'responses.identity_id') }} as customer_confidence,
        scales.score,
        scales.box,
        nullif(scales.nps_group, '') as nps_group,
        case
            when excluded_tickets.ticket_id is not null then 'excluded_ticket'
            when not responses.is_complete then 'incomplete'
            when
                {{ kf_seconds_between('invitations.sent_at', 'responses.responded_at') }}
                > build.survey_window_days * 86400
                then 'late'
        end as unfit_submission_reason,
        case
            when responses.answer is null then 'no_answer'
            when responses.metric in ('csat', 'nps', 'ces') and scales.scale_id is null then 'off_scale'
        end as unfit_answer_reason,
        {{ kf_local_date('responses.responded_at') }} as service_date

    from responses
    cross join build
    left join invitations on responses.invitation_id = invitations.invitation_id
    left join excluded_tickets on responses.ticket_id = excluded_tickets.ticket_id
    left join scales
        on
            responses.scale_id = scales.scale_id
            and responses.answer = scales.answer
    {{ kf_customer_join('people', 'responses.identity_id', 'responses.responded_at') }}

    where responses.responded_at <= build.as_of_at

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
    customer_id,
    customer_confidence,
    identity_id,
    agent_id,
    team_id,
    ticket_id,
    interaction_id,
    channel,
    coalesce(segment, 'none') as segment,
    coalesce(
        unfit_submission_reason,
        case when from_last > 1 then 'superseded' end,
        unfit_answer_reason
    ) as not_counted_reason,
    unfit_submission_reason is null and from_last = 1 and unfit_answer_reason is null as is_counted,
    responded_at,
    service_date

from ranked

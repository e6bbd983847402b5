-- One row per bad rating: whether the next one of the same customer was good (C10). What counts is the order in which
-- answers were given, not that of ids or of arrival. A sheet with several questions is as good as its worst answer.
with

ratings as (

    select
        respondent_id,
        submission_id,
        responded_at,
        response_id,
        source,
        channel,
        survey_id,
        segment,
        box,
        service_date,
        case box when 'bottom' then 1 when 'middle' then 2 else 3 end as grade

    from {{ ref('fct_survey_responses') }}

    where metric = 'csat' and is_rating and {{ kf_touched('respondent', 'respondent_id') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by respondent_id, submission_id, responded_at order by grade nulls last, response_id
        ) as from_worst

    from ratings

),

followed as (

    select
        *,
        lead(box) over (
            partition by respondent_id order by responded_at nulls last, submission_id nulls last
        ) as next_box

    from ranked

    where {{ kf_first('from_worst') }}

)

select
    response_id,
    respondent_id,
    source,
    channel,
    survey_id,
    segment,
    next_box,
    coalesce(next_box = 'top', false) as is_recovered,
    responded_at,
    service_date

from followed

where box = 'bottom'

-- Answers are booked on the reporting day they were given, invitations on the day they were sent. Additive parts only.
{%- set parts = [
    'csat_responses', 'csat_positive', 'csat_score', 'csat_score_squares',
    'nps_responses', 'nps_promoters', 'nps_detractors',
    'invitations_delivered'
] %}
{%- set types = {'csat_score': 'decimal(18, 6)', 'csat_score_squares': 'decimal(18, 12)'} %}
with

answered as (

    select
        service_date,
        source,
        channel,
        team_id,
        survey_id,
        segment,
        {{ kf_count_if("metric = 'csat'") }} as csat_responses,
        {{ kf_count_if("metric = 'csat' and box = 'top'") }} as csat_positive,
        cast(coalesce(sum(score) filter (where metric = 'csat'), 0) as decimal(18, 6)) as csat_score,
        cast(coalesce(sum(score * score) filter (where metric = 'csat'), 0) as decimal(18, 12)) as csat_score_squares,
        {{ kf_count_if("metric = 'nps'") }} as nps_responses,
        {{ kf_count_if("metric = 'nps' and nps_group = 'promoter'") }} as nps_promoters,
        {{ kf_count_if("metric = 'nps' and nps_group = 'detractor'") }} as nps_detractors,
        0 as invitations_delivered,
        0 as invitations_answered

    from {{ ref('fct_survey_responses') }}

    where is_counted and metric in ('csat', 'nps') and {{ kf_touched('survey_day', 'service_date', 'date') }}

    group by 1, 2, 3, 4, 5, 6

),

invited as (

    select
        service_date,
        source,
        channel,
        team_id,
        survey_id,
        segment,
        0 as csat_responses,
        0 as csat_positive,
        0 as csat_score,
        0 as csat_score_squares,
        0 as nps_responses,
        0 as nps_promoters,
        0 as nps_detractors,
        {{ kf_count_if('is_delivered') }} as invitations_delivered,
        {{ kf_count_if('is_answered') }} as invitations_answered

    from {{ ref('fct_survey_invitations') }}

    where {{ kf_touched('survey_day', 'service_date', 'date') }}

    group by 1, 2, 3, 4, 5, 6

),

stacked as (

    select * from answered
    union all
    select * from invited

)

select
    service_date,
    source,
    channel,
    team_id,
    survey_id,
    segment,
    {%- for part in parts %}
    cast(sum({{ part }}) as {{ types.get(part, 'bigint') }}) as {{ part }},
    {%- endfor %}
    cast(sum(invitations_answered) as bigint) as invitations_answered

from stacked

group by 1, 2, 3, 4, 5, 6

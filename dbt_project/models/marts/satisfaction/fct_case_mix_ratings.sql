-- One row per satisfaction answer that counts, with what others of its kind came to: the good ones among those of its
-- stratum, and among all, in the reporting month in the whole organisation. The fields a stratum is made of are those
-- of the parameter case_mix; what is missing is a value of its own.
{%- set fields = {
    'channel': 'channel', 'survey': 'survey_id', 'segment': 'segment', 'priority': 'opening_priority',
} %}
with

chosen as (

    select
        coalesce(bool_or(named_id = 'channel'), false) as by_channel,
        coalesce(bool_or(named_id = 'survey'), false) as by_survey,
        coalesce(bool_or(named_id = 'segment'), false) as by_segment,
        coalesce(bool_or(named_id = 'priority'), false) as by_priority

    from {{ ref('canonical_names') }}

    where parameter = 'case_mix'

),

ratings as (

    select
        responses.response_id,
        responses.service_date,
        responses.source,
        cast(date_trunc('month', responses.service_date) as date) as month_date,
        trim(
            {%- for field, column in fields.items() %}
            {{ '|| ' if not loop.first }}case
                when chosen.by_{{ field }} then ' {{ field }}=' || coalesce(responses.{{ column }}, 'none') else ''
            end
            {%- endfor %}
        ) as stratum,
        responses.box = 'top' as is_good

    from {{ ref('fct_survey_responses') }} as responses
    cross join chosen

    where
        responses.is_counted
        and responses.metric = 'csat'
        and {{ kf_touched('case_mix_day', 'responses.service_date', 'date') }}

)

select
    response_id,
    service_date,
    month_date,
    source,
    stratum,
    is_good,
    cast(count(*) over of_stratum as bigint) as stratum_ratings,
    cast(sum(case when is_good then 1 else 0 end) over of_stratum as bigint) as stratum_good,
    cast(count(*) over of_month as bigint) as month_ratings,
    cast(sum(case when is_good then 1 else 0 end) over of_month as bigint) as month_good

from ratings

window
    of_stratum as (partition by month_date, stratum),
    of_month as (partition by month_date)

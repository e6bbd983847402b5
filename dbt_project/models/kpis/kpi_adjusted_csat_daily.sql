-- Ratings by team, beside what was to be expected of the same ratings in anybody's hands, and beside what the
-- organisation's share makes of their number. Expected ones are counted in millionths of a millionth, each rounded on
-- its own, so that they add up alike in whatever order.
{%- set expected = {
    'expected_trillionths': ['stratum_good', 'stratum_ratings'], 'overall_trillionths': ['month_good', 'month_ratings'],
} %}
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

ratings as (

    select *
    from {{ ref('fct_case_mix_ratings') }}
    where {{ kf_touched('case_mix_day', 'service_date', 'date') }}

),

credited as (

    select
        ratings.response_id,
        ratings.service_date,
        ratings.source,
        ratings.is_good,
        ratings.stratum_good,
        ratings.stratum_ratings,
        ratings.month_good,
        ratings.month_ratings,
        credits.team_id,
        build.case_mix_prior,
        cast(cast(sum(credits.weight) as decimal(18, 6)) * 1000000 as bigint) as millionths

    from ratings
    cross join build
    inner join {{ ref('fct_survey_credits') }} as credits
        on
            ratings.response_id = credits.response_id
            and build.survey_credit = credits.credit_rule

    group by
        ratings.response_id,
        ratings.service_date,
        ratings.source,
        ratings.is_good,
        ratings.stratum_good,
        ratings.stratum_ratings,
        ratings.month_good,
        ratings.month_ratings,
        credits.team_id,
        build.case_mix_prior

),

expected as (

    select
        service_date,
        source,
        team_id,
        case_mix_prior,
        is_good,
        {%- for name, (good, ratings) in expected.items() %}
        {%- set twice, base = '2 * 1000000 * millionths * ' ~ good, '2 * ' ~ ratings %}
        {{ kf_idiv('(' ~ twice ~ ' + ' ~ ratings ~ ')', '(' ~ base ~ ')') }} as {{ name }},
        {%- endfor %}
        millionths

    from credited

)

select
    service_date,
    source,
    team_id,
    cast({{ kf_sum('millionths') }} * 0.000001 as decimal(18, 6)) as rated,
    cast({{ kf_sum('case when is_good then millionths else 0 end') }} * 0.000001 as decimal(18, 6)) as rated_good,
    cast({{ kf_sum('expected_trillionths') }} * 0.000000000001 as decimal(18, 12)) as expected_good,
    cast({{ kf_sum('overall_trillionths') }} * 0.000000000001 as decimal(18, 12)) as overall_good,
    cast(case_mix_prior as decimal(18, 2)) as prior_good

from expected

group by service_date, source, team_id, case_mix_prior

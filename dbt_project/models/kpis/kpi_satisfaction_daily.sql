-- Answers are booked on the reporting day they were given (and, in columns of their own, on that of the contact), bad
-- ratings when given, invitations when sent. An answer counts for teams by its credits (E08), so that over all teams it
-- counts 1. Additive parts only.
{%- set answers = {
    'csat_responses': "metric = 'csat'",
    'csat_positive': "metric = 'csat' and box = 'top'",
    'csat_best': "metric = 'csat' and box = 'top' and score = 1",
    'csat_good': "metric = 'csat' and box = 'top' and score < 1",
    'csat_neutral': "metric = 'csat' and box = 'middle'",
    'csat_negative': "metric = 'csat' and box = 'bottom'",
    'nps_responses': "metric = 'nps'",
    'nps_promoters': "metric = 'nps' and nps_group = 'promoter'",
    'nps_detractors': "metric = 'nps' and nps_group = 'detractor'",
    'ces_responses': "metric = 'ces'",
    'ces_very_easy': "metric = 'ces' and ces_group = 'very_easy'",
    'ces_easy': "metric = 'ces' and ces_group = 'easy'",
    'ces_neutral': "metric = 'ces' and ces_group = 'neutral'",
    'ces_hard': "metric = 'ces' and ces_group = 'hard'",
    'fcr_responses': "metric = 'fcr'",
    'fcr_confirmed': "metric = 'fcr' and box = 'top'",
} %}
{%- set scores = ['csat', 'ces'] %}
{%- set rules = ['time_weighted', 'all_agents_equal', 'last_agent', 'assignee_at_rating'] %}
{#- The type of each part, and what it is a sum of among the credited answers. -#}
{%- set types = {} %}
{%- set sums = {} %}
{%- for part, condition in answers.items() %}
{%- do types.update({part: 'decimal(18, 6)'}) %}
{%- do sums.update({part: ['weight', 'is_ours and ' ~ condition]}) %}
{%- endfor %}
{%- for metric in scores %}
{%- do types.update({metric ~ '_score': 'decimal(18, 12)', metric ~ '_score_squares': 'decimal(18, 12)'}) %}
{%- set ours = "is_ours and metric = '" ~ metric ~ "'" %}
{%- do sums.update({
    metric ~ '_score': ['score * weight', ours],
    metric ~ '_score_squares': ['cast(score * score as decimal(18, 12)) * weight', ours],
}) %}
{%- endfor %}
{%- for rule in rules %}
{%- do types.update({'csat_responses_' ~ rule: 'decimal(18, 6)', 'csat_positive_' ~ rule: 'decimal(18, 6)'}) %}
{%- set rated = "metric = 'csat' and credit_rule = '" ~ rule ~ "'" %}
{%- do sums.update({
    'csat_responses_' ~ rule: ['weight', rated], 'csat_positive_' ~ rule: ['weight', rated ~ " and box = 'top'"],
}) %}
{%- endfor %}
{%- do types.update({
    'csat_responses_by_contact': 'decimal(18, 6)', 'csat_positive_by_contact': 'decimal(18, 6)',
    'bad_ratings': 'decimal(18, 6)', 'recovered_ratings': 'decimal(18, 6)',
    'invitations_eligible': 'bigint', 'invitations_sent': 'bigint', 'invitations_delivered': 'bigint',
    'invitations_answered': 'bigint',
}) %}
{%- set given = {
    'answered': sums.keys() | list,
    'answered_by_contact': ['csat_responses_by_contact', 'csat_positive_by_contact'],
    'recovered': ['bad_ratings', 'recovered_ratings'],
    'invited': ['invitations_eligible', 'invitations_sent', 'invitations_delivered', 'invitations_answered'],
} %}
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

credits as (

    select
        credits.response_id,
        credits.credit_rule,
        credits.team_id,
        credits.credit_rule = build.survey_credit as is_ours,
        cast(sum(credits.weight) as decimal(18, 6)) as weight

    from {{ ref('fct_survey_credits') }} as credits
    cross join build

    where
        {{ kf_touched('survey_day', 'credits.service_date', 'date') }}
        or {{ kf_touched('survey_day', 'credits.contact_date', 'date') }}

    group by credits.response_id, credits.credit_rule, credits.team_id, build.survey_credit

),

credited as (

    select
        responses.service_date,
        responses.contact_date,
        responses.source,
        responses.channel,
        credits.team_id,
        responses.survey_id,
        responses.segment,
        responses.metric,
        responses.box,
        responses.nps_group,
        responses.ces_group,
        responses.score,
        credits.credit_rule,
        credits.is_ours,
        credits.weight,
        responses.responded_at

    from {{ ref('fct_survey_responses') }} as responses
    inner join credits on responses.response_id = credits.response_id

    where responses.is_counted and responses.metric in ('csat', 'nps', 'ces', 'fcr')

),

answered as (

    select
        service_date,
        source,
        channel,
        team_id,
        survey_id,
        {%- for part, (what, condition) in sums.items() %}
        cast(coalesce(sum({{ what }}) filter (where {{ condition }}), 0) as {{ types[part] }}) as {{ part }},
        {%- endfor %}
        segment,
        max(responded_at) as last_at

    from credited

    where {{ kf_touched('survey_day', 'service_date', 'date') }}

    group by service_date, source, channel, team_id, survey_id, segment

),

answered_by_contact as (

    select
        contact_date as service_date,
        source,
        channel,
        team_id,
        survey_id,
        segment,
        cast(sum(weight) as decimal(18, 6)) as csat_responses_by_contact,
        cast(coalesce(sum(weight) filter (where box = 'top'), 0) as decimal(18, 6)) as csat_positive_by_contact

    from credited

    where metric = 'csat' and is_ours and {{ kf_touched('survey_day', 'contact_date', 'date') }}

    group by contact_date, source, channel, team_id, survey_id, segment

),

recovered as (

    select
        recoveries.service_date,
        recoveries.source,
        recoveries.channel,
        credits.team_id,
        recoveries.survey_id,
        recoveries.segment,
        cast(sum(credits.weight) as decimal(18, 6)) as bad_ratings,
        cast(
            coalesce(sum(credits.weight) filter (where recoveries.is_recovered), 0) as decimal(18, 6)
        ) as recovered_ratings

    from {{ ref('fct_survey_recoveries') }} as recoveries
    inner join credits on recoveries.response_id = credits.response_id

    where credits.is_ours and {{ kf_touched('survey_day', 'recoveries.service_date', 'date') }}

    group by
        recoveries.service_date,
        recoveries.source,
        recoveries.channel,
        credits.team_id,
        recoveries.survey_id,
        recoveries.segment

),

invited as (

    select
        service_date,
        source,
        channel,
        team_id,
        survey_id,
        segment,
        {{ kf_count_if('not is_excluded') }} as invitations_eligible,
        {{ kf_count_if('is_sent') }} as invitations_sent,
        {{ kf_count_if('is_delivered') }} as invitations_delivered,
        {{ kf_count_if('is_answered') }} as invitations_answered

    from {{ ref('fct_survey_invitations') }}

    where {{ kf_touched('survey_day', 'service_date', 'date') }}

    group by service_date, source, channel, team_id, survey_id, segment

),

stacked as (

    {%- for table, parts in given.items() %}
    select
        service_date,
        source,
        channel,
        team_id,
        survey_id,
        {%- for part, type in types.items() %}
        {{ part if part in parts else 'cast(0 as ' ~ type ~ ') as ' ~ part }},
        {%- endfor %}
        segment,
        {{ 'last_at' if table == 'answered' else 'cast(null as timestamp) as last_at' }}
    from {{ table }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    service_date,
    source,
    channel,
    team_id,
    survey_id,
    {%- for part, type in types.items() %}
    cast(sum({{ part }}) as {{ type }}) as {{ part }},
    {%- endfor %}
    segment,
    max(last_at) as last_at

from stacked

group by service_date, source, channel, team_id, survey_id, segment

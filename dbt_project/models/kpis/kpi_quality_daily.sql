-- Evaluations are booked on the day they were made, contacts on the day they arrived. What people, machines and mystery
-- shoppers judge is never added up, and what was picked for a reason says nothing about the rest.
{%- set parts = [
    'evaluations', 'critical_failures', 'customer_failures', 'business_failures', 'compliance_failures',
    'scored', 'auto_scored', 'evaluable', 'evaluated', 'evaluated_for_a_reason'
] %}
{%- set weights = [
    'earned_weight', 'applicable_weight', 'scores', 'strict_scores', 'auto_earned_weight', 'auto_applicable_weight'
] %}
{%- set squares = [
    'earned_squares', 'applicable_squares', 'earned_products', 'scores_squares', 'strict_scores_squares',
    'auto_earned_squares', 'auto_applicable_squares', 'auto_earned_products'
] %}
{%- set decimals = dict() %}
{%- for part in weights %}{% do decimals.update({part: 'decimal(18, 6)'}) %}{% endfor %}
{%- for part in squares %}{% do decimals.update({part: 'decimal(18, 8)'}) %}{% endfor %}
{%- set zeros, sums = [], [] %}
{%- for part, type in decimals.items() %}
{%- do zeros.append('cast(0 as ' ~ type ~ ') as ' ~ part) %}
{%- do sums.append('cast(sum(' ~ part ~ ') as ' ~ type ~ ') as ' ~ part) %}
{%- endfor %}
{%- set human = "kind = 'human' and selection <> 'targeted'" %}
{%- set machine = "kind = 'automatic' and selection <> 'targeted'" %}
with

evaluations as (

    select
        fct_evaluations.*,
        case when has_critical_failure then 0 else score end as strict_score

    from {{ ref('fct_evaluations') }} as fct_evaluations

    where is_counted and {{ kf_touched('quality_day', 'service_date', 'date') }}

),

judged as (

    select
        service_date,
        source,
        channel,
        team_id,
        {{ kf_count_if(human) }} as evaluations,
        {{ kf_count_if(human ~ ' and has_critical_failure') }} as critical_failures,
        {{ kf_count_if(human ~ ' and has_customer_failure') }} as customer_failures,
        {{ kf_count_if(human ~ ' and has_business_failure') }} as business_failures,
        {{ kf_count_if(human ~ ' and has_compliance_failure') }} as compliance_failures,
        {{ kf_count_if(human ~ ' and applicable_weight > 0') }} as scored,
        {{ kf_count_if(machine ~ ' and applicable_weight > 0') }} as auto_scored,
        cast(0 as bigint) as evaluable,
        cast(0 as bigint) as evaluated,
        cast(0 as bigint) as evaluated_for_a_reason,
        {{ kf_sum_decimal('earned_weight', human) }} as earned_weight,
        {{ kf_sum_decimal('applicable_weight', human) }} as applicable_weight,
        {{ kf_sum_decimal('score', human) }} as scores,
        {{ kf_sum_decimal('case when score is not null then strict_score end', human) }} as strict_scores,
        {{ kf_sum_decimal('earned_weight', machine) }} as auto_earned_weight,
        {{ kf_sum_decimal('applicable_weight', machine) }} as auto_applicable_weight,
        {{ kf_sum_decimal('earned_weight * earned_weight', human, true) }} as earned_squares,
        {{ kf_sum_decimal('applicable_weight * applicable_weight', human, true) }} as applicable_squares,
        {{ kf_sum_decimal('earned_weight * applicable_weight', human, true) }} as earned_products,
        {{ kf_sum_decimal('score * score', human, true) }} as scores_squares,
        {{ kf_sum_decimal('case when score is not null then strict_score * strict_score end', human, true) }}
            as strict_scores_squares,
        {{ kf_sum_decimal('earned_weight * earned_weight', machine, true) }} as auto_earned_squares,
        {{ kf_sum_decimal('applicable_weight * applicable_weight', machine, true) }} as auto_applicable_squares,
        {{ kf_sum_decimal('earned_weight * applicable_weight', machine, true) }} as auto_earned_products,
        max(evaluated_at) as last_at

    from evaluations

    group by service_date, source, channel, team_id

),

-- which contacts somebody looked at: a rescored one was looked at too
looked_at as (

    select
        interaction_id,
        bool_or(selection <> 'targeted') as is_evaluated,
        bool_or(selection = 'targeted') as is_evaluated_for_a_reason

    from {{ ref('fct_evaluations') }}

    where
        kind = 'human'
        and not is_calibration
        and interaction_id is not null
        and {{ kf_touched('quality_day', 'contact_date', 'date') }}

    group by interaction_id

),

contacts as (

    select
        contacts.service_date,
        contacts.source,
        contacts.channel,
        contacts.team_id,
        cast(count(*) as bigint) as evaluable,
        {{ kf_count_if('looked_at.is_evaluated') }} as evaluated,
        {{ kf_count_if('looked_at.is_evaluated_for_a_reason') }} as evaluated_for_a_reason

    from {{ ref('fct_contacts') }} as contacts
    left join looked_at on contacts.interaction_id = looked_at.interaction_id

    where contacts.is_answered and {{ kf_touched('quality_day', 'contacts.service_date', 'date') }}

    group by contacts.service_date, contacts.source, contacts.channel, contacts.team_id

),

stacked as (

    select * from judged

    union all

    select
        service_date,
        source,
        channel,
        team_id,
        {%- for part in parts if part not in ('evaluable', 'evaluated', 'evaluated_for_a_reason') %}
        cast(0 as bigint) as {{ part }},
        {%- endfor %}
        evaluable,
        evaluated,
        evaluated_for_a_reason,
        {{ zeros | join(',\n        ') }},
        cast(null as timestamp) as last_at
    from contacts

)

select
    service_date,
    source,
    channel,
    team_id,
    {%- for part in parts %}
    {{ kf_sum(part) }} as {{ part }},
    {%- endfor %}
    {{ sums | join(',\n    ') }},
    max(last_at) as last_at

from stacked

group by service_date, source, channel, team_id

-- Marts to kpis: day by day the KPI tables count every fact that counts, no more and no less.
{%- set borders = [
    ('offered contacts', 'fct_contacts', 'service_date', 'is_offered', 'kpi_telephony_hourly', 'offered'),
    ('tickets created', 'fct_tickets', 'created_date', 'not is_excluded', 'kpi_tickets_daily', 'tickets_created'),
    ('tickets solved', 'fct_tickets', 'first_solve_date', 'not is_excluded and first_solved_at is not null',
        'kpi_tickets_daily', 'tickets_solved'),
    ('satisfaction answers', 'fct_survey_responses', 'service_date', "is_counted and metric = 'csat'",
        'kpi_satisfaction_daily', 'csat_responses'),
    ('satisfaction answers by case mix', 'fct_survey_responses', 'service_date', "is_counted and metric = 'csat'",
        'kpi_adjusted_csat_daily', 'rated'),
    ('invitations', 'fct_survey_invitations', 'service_date', 'is_delivered',
        'kpi_satisfaction_daily', 'invitations_delivered'),
] %}
with

{% for what, fact, day, counts, kpi, part in borders -%}
facts_{{ loop.index }} as (

    select
        {{ day }} as service_date,
        count(*) as counted

    from {{ ref(fact) }}

    where {{ counts }}

    group by {{ day }}

),

kpis_{{ loop.index }} as (

    select
        service_date,
        -- shares of a rating make a whole one only together
        cast(sum({{ part }}) as bigint) as counted

    from {{ ref(kpi) }}

    group by service_date

),

{% endfor -%}
compared as (

    {% for what, fact, day, counts, kpi, part in borders -%}
    select
        '{{ what }}' as what,
        coalesce(facts_{{ loop.index }}.service_date, kpis_{{ loop.index }}.service_date) as service_date,
        coalesce(facts_{{ loop.index }}.counted, 0) as in_marts,
        coalesce(kpis_{{ loop.index }}.counted, 0) as in_kpis

    from facts_{{ loop.index }}
    full outer join kpis_{{ loop.index }} on facts_{{ loop.index }}.service_date = kpis_{{ loop.index }}.service_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    what,
    service_date,
    in_marts,
    in_kpis

from compared

where in_marts <> in_kpis

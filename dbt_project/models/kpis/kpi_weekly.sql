-- depends_on: {{ ref('kpi_weeks') }}
-- depends_on: {{ ref('kpi_freshness') }}
-- depends_on: {{ ref('kpi_telephony_hourly') }}
-- depends_on: {{ ref('kpi_tickets_daily') }}
-- depends_on: {{ ref('kpi_backlog_daily') }}
-- depends_on: {{ ref('kpi_backlog_ages_daily') }}
-- depends_on: {{ ref('kpi_sla_daily') }}
-- depends_on: {{ ref('kpi_issues_daily') }}
-- depends_on: {{ ref('kpi_satisfaction_daily') }}
-- depends_on: {{ ref('kpi_adjusted_csat_daily') }}
-- depends_on: {{ ref('kpi_contact_durations_daily') }}
-- depends_on: {{ ref('kpi_leg_durations_daily') }}
-- depends_on: {{ ref('kpi_ticket_durations_daily') }}
-- depends_on: {{ ref('kpi_queue_visits_daily') }}
-- depends_on: {{ ref('kpi_concurrency_daily') }}
-- depends_on: {{ ref('kpi_callbacks_daily') }}
-- depends_on: {{ ref('kpi_quality_daily') }}
-- depends_on: {{ ref('kpi_workforce_daily') }}
-- depends_on: {{ ref('kpi_reconciliations_daily') }}
{#- What is not made by the day (how old each source is) is summed up here; everything else is in kpi_weeks. -#}
{%- set tables = kpi_tables() %}
{%- set whole = kpi_tables(replaced=false) %}

with

calendar as (
    select
        {{ last_full_week('as_of_at', 'reporting_zone') }} as last_week,
        minimum_n
    from {{ ref('stg_kefu__build') }}
),

catalogue as (
    {{ kpi_catalogue_rows() }}
),

-- A week whose Monday lies before the first row of its table is not whole.
beginnings as (
    {%- for table, kpis in tables.items() %}
    select
        '{{ table }}' as kpi_table,
        cast(date_trunc('week', {{ kf_add_days('min(service_date)', 6) }}) as date) as first_week
    from {{ ref(table) }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

{% for table, kpis in whole.items() -%}
{{ kpi_week_parts(table, kpis) }},

{% endfor -%}
known as (
    select
        week_start,
        kpi,
        team_id,
        numerator,
        denominator,
        n,
        value,
        low,
        high
    from {{ ref('kpi_weeks') }}
    {%- for table, kpis in whole.items() %}
    union all
    {{ kpi_week_rows(table, kpis) }}
    {%- endfor %}
),

weeks as (
    select
        known.week_start,
        known.kpi,
        known.team_id,
        known.numerator,
        known.denominator,
        known.n,
        known.value,
        known.low,
        known.high
    from known
    inner join catalogue on known.kpi = catalogue.kpi
    inner join beginnings on catalogue.kpi_table = beginnings.kpi_table
    cross join calendar
    where known.week_start between beginnings.first_week and calendar.last_week
),

-- Individuals and moving ranges. Only weeks with enough behind them teach what is usual.
judged as (
    select
        weeks.*,
        catalogue.unit,
        not catalogue.has_interval or weeks.n >= greatest(catalogue.minimum_n, calendar.minimum_n) as is_point
    from weeks
    cross join calendar
    inner join catalogue on weeks.kpi = catalogue.kpi
),

points as (
    select
        *,
        case
            when is_point then row_number() over (partition by kpi, team_id, is_point order by week_start)
        end as point_number,
        case
            when is_point then abs(value - lag(value) over (partition by kpi, team_id, is_point order by week_start))
        end as moving_range
    from judged
),

-- The first 20 weeks set the limits and then stay; fewer than 10 set none.
limits as (
    select
        *,
        least(20, count(point_number) over (partition by kpi, team_id)) as limits_from,
        avg(case when point_number <= 20 then value end) over (partition by kpi, team_id) as centre,
        2.66 * avg(case when point_number <= 20 then moving_range end) over (partition by kpi, team_id) as reach
    from points
),

bounded as (
    select
        *,
        case when limits_from >= 10 then centre end as usual,
        case
            when limits_from >= 10 then greatest(centre - reach, case unit when 'points' then -100 else 0 end)
        end as usual_low,
        case
            when limits_from < 10 then null
            when unit in ('percent', 'score') then least(centre + reach, 1)
            when unit = 'points' then least(centre + reach, 100)
            else centre + reach
        end as usual_high
    from limits
)

select
    week_start,
    kpi,
    team_id,
    numerator,
    denominator,
    n,
    value,
    low,
    high,
    point_number,
    limits_from,
    usual,
    usual_low,
    usual_high,
    -- Rounding in the last digit must not make a signal of a constant.
    case
        when point_number is null or usual is null then null
        when value > usual_high + 1e-9 * (1 + abs(usual_high)) then 1
        when value < usual_low - 1e-9 * (1 + abs(usual_low)) then -1
        else 0
    end as beyond_usual
from bounded

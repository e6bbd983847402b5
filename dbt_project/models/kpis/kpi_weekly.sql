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
-- depends_on: {{ ref('kpi_freshness') }}
-- depends_on: {{ ref('kpi_reconciliations_daily') }}
{#- Every KPI of the catalogue by its own formula, so the kpi tables are read once each and no formula is repeated. -#}
{%- set tables = {} %}
{%- for kpi in kpi_parts() %}
{%- do tables.setdefault(kpi.table, []).append(kpi) %}
{%- endfor %}

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
{% for table, kpis in tables.items() %}
{{ table }}_first_week as (
    -- A week whose Monday lies before the first row is not whole.
    select cast(date_trunc('week', {{ kf_add_days('min(service_date)', 6) }}) as date) as first_week
    from {{ ref(table) }}
),

{% set at_ends = kpis[0].by_team and kpi_are_stocks(kpis) -%}
{% if at_ends -%}
{{ table }}_last_days as (
    -- what there is at the end of a week: a team's last day in it, which is that of all of them if it counts there
    select
        date_trunc('week', service_date) as week_start,
        team_id,
        max(service_date) as last_date
    from {{ ref(table) }}
    group by date_trunc('week', service_date), team_id
),

{{ table }}_at_ends as (
    select parts.*
    from {{ ref(table) }} as parts
    inner join {{ table }}_last_days as ends
        on
            parts.service_date = ends.last_date
            and parts.team_id = ends.team_id
),

{% endif -%}
{{ table }}_weeks as (
    select
        cast(date_trunc('week', service_date) as date) as week_start,
        {{ "coalesce(team_id, 'all')" if kpis[0].by_team else "'all'" }} as team_id,
        {{ kpi_part_columns(kpis) }}
    from {{ table ~ '_at_ends' if at_ends else ref(table) }}
    {%- if kpis[0].by_team %}
    group by grouping sets ((date_trunc('week', service_date), team_id), (date_trunc('week', service_date)))
    {%- else %}
    group by date_trunc('week', service_date)
    {%- endif %}
),
{% endfor %}
weeks as (
    {%- for table, kpis in tables.items() %}
    {%- set outer = loop %}
    {%- for kpi in kpis %}
    select
        parts.week_start,
        '{{ kpi.id }}' as kpi,
        parts.team_id,
        parts.{{ kpi.id }}__numerator as numerator,
        parts.{{ kpi.id }}__denominator as denominator,
        parts.{{ kpi.id }}__n as n,
        parts.{{ kpi.id }}__value as value,
        parts.{{ kpi.id }}__low as low,
        parts.{{ kpi.id }}__high as high
    from {{ table }}_weeks as parts
    cross join {{ table }}_first_week as beginning
    cross join calendar
    where
        parts.week_start between beginning.first_week and calendar.last_week
        and parts.{{ kpi.id }}__value is not null
    {{- '\n    union all' if not (loop.last and outer.last) }}
    {%- endfor %}
    {%- endfor %}
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

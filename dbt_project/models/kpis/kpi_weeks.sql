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
{#- Every KPI of the catalogue by its own formula, so the kpi tables are read once each and no formula is repeated. Only
    the weeks in which a day was made anew are. -#}
{%- set tables = kpi_tables(replaced=true) %}

with

{% if is_incremental() -%}
touched_days as (
    {{ kf_days_of_touched_weeks() }}
),

{% endif -%}
{% for table, kpis in tables.items() -%}
{{ kpi_week_parts(table, kpis, 'touched_days' if is_incremental() else none) }}{{ ',\n\n' if not loop.last }}
{%- endfor %}

{% for table, kpis in tables.items() -%}
{{ kpi_week_rows(table, kpis, (kf_root_of_model(table) or {}).entity) }}
{{ 'union all' if not loop.last }}
{%- endfor %}

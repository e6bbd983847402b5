{#-
The catalogue by the table its KPIs are made of: all tables, or only those whose days are replaced one by one
(`meta.root`), or only those made as a whole.
-#}
{% macro kpi_tables(replaced=none) -%}
    {%- set made_whole = ['kpi_freshness'] -%}
    {%- set tables = {} -%}
    {%- for kpi in kpi_parts() if replaced is none or replaced == (kpi.table not in made_whole) -%}
        {%- do tables.setdefault(kpi.table, []).append(kpi) -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}

{#- `<table>_weeks`: the KPIs of a table by week and team, all weeks or those of `days`; with what it takes before. -#}
{% macro kpi_week_parts(table, kpis, days=none) -%}
{%- set touched = 'where service_date in (select service_date from ' ~ days ~ " where entity = '"
    ~ kf_root_of_model(table).entity ~ "')" if days else '' -%}
{%- set at_ends = kpis[0].by_team and kpi_are_stocks(kpis) -%}
{% if at_ends -%}
{{ table }}_last_days as (
    -- what there is at the end of a week: a team's last day in it, which is that of all of them if it counts there
    select
        team_id,
        max(service_date) as last_date
    from (
        select distinct
            service_date,
            team_id
        from {{ ref(table) }}
        {{ touched }}
    ) as days
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
    {{ touched if not at_ends }}
    {%- if kpis[0].by_team %}
    group by grouping sets ((date_trunc('week', service_date), team_id), (date_trunc('week', service_date)))
    {%- else %}
    group by date_trunc('week', service_date)
    {%- endif %}
)
{%- endmacro %}

{#- The same, a row a KPI; with what its week is made anew, if that is said (`entity`). -#}
{% macro kpi_week_rows(table, kpis, entity=none) -%}
    {%- for kpi in kpis %}
    select
        week_start,
        '{{ kpi.id }}' as kpi,
        team_id,
        {{ kpi.id }}__numerator as numerator,
        {{ kpi.id }}__denominator as denominator,
        {{ kpi.id }}__n as n,
        {{ kpi.id }}__value as value,
        {{ kpi.id }}__low as low,
        {{ kpi.id }}__high as high
        {%- if entity %},
        {{ kf_week_with('week_start', entity) }} as made_with
        {%- endif %}
    from {{ table }}_weeks
    where {{ kpi.id }}__value is not null
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The catalogue as rows: one per KPI, with what a judgement needs. -#}
{% macro kpi_catalogue_rows() %}
    {%- for kpi in kpi_parts() %}
    select
        '{{ kpi.id }}' as kpi,
        '{{ kpi.table }}' as kpi_table,
        '{{ kpi.name_en | replace("'", "''") }}' as name_en,
        '{{ kpi.name_zh | replace("'", "''") }}' as name_zh,
        '{{ kpi.unit }}' as unit,
        '{{ kpi.direction }}' as direction,
        cast({{ kpi.target if kpi.target is not none else 'null' }} as double precision) as target,
        cast({{ kpi.minimum_n or 0 }} as bigint) as minimum_n,
        {{ 'true' if kpi.low_sql else 'false' }} as has_interval
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}

{#- Parts, value and interval of each KPI as columns <kpi>__<part>, to be grouped: one reading of a table serves all. -#}
{% macro kpi_part_columns(kpis) -%}
    {%- for kpi in kpis -%}
        cast({{ kpi.numerator_sql }} as decimal(38, 6)) as {{ kpi.id }}__numerator,
        cast({{ kpi.denominator_sql }} as decimal(38, 6)) as {{ kpi.id }}__denominator,
        cast({{ kpi.n_sql }} as bigint) as {{ kpi.id }}__n,
        cast({{ kpi.value_sql }} as double precision) as {{ kpi.id }}__value,
        cast({{ kpi.low_sql or 'null' }} as double precision) as {{ kpi.id }}__low,
        cast({{ kpi.high_sql or 'null' }} as double precision) as {{ kpi.id }}__high
        {{- ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

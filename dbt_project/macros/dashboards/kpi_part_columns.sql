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

{#- Whether every KPI of a table is a stock: what there is on the last day of a span. -#}
{% macro kpi_are_stocks(kpis) -%}
    {%- set flows = [] -%}
    {%- for kpi in kpis -%}
        {%- for part in [kpi.value_sql, kpi.numerator_sql, kpi.denominator_sql, kpi.n_sql] -%}
            {%- if part not in (none, 'null') and '_at_last(' not in part -%}{%- do flows.append(kpi.id) -%}{%- endif -%}
        {%- endfor -%}
        {%- if kpi.low_sql or kpi.high_sql -%}{%- do flows.append(kpi.id) -%}{%- endif -%}
    {%- endfor -%}
    {{ return(not flows) }}
{%- endmacro %}

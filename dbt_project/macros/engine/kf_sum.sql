{#- A sum of whole numbers as bigint on every engine; 0 for no rows. -#}
{% macro kf_sum(expression) -%}cast(coalesce(sum({{ expression }}), 0) as bigint){%- endmacro %}

{#- A sum of squares: wide, since seconds squared outgrow a bigint only in sum. -#}
{% macro kf_sum_squares(expression) -%}
    cast(coalesce(sum(cast({{ expression }} as decimal(18, 0)) * ({{ expression }})), 0) as decimal(38, 0))
{%- endmacro %}

{#- Rows for which a condition holds. -#}
{% macro kf_count_if(condition) -%}cast(count(*) filter (where {{ condition }}) as bigint){%- endmacro %}

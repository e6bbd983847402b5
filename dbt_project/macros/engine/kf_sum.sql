{#- A sum of whole numbers as bigint on every engine; 0 for no rows. -#}
{% macro kf_sum(expression) -%}cast(coalesce(sum({{ expression }}), 0) as bigint){%- endmacro %}

{#- A sum of squares: wide, since seconds squared outgrow a bigint only in sum. -#}
{% macro kf_sum_squares(expression) -%}
    cast(coalesce(sum(cast({{ expression }} as decimal(18, 0)) * ({{ expression }})), 0) as decimal(38, 0))
{%- endmacro %}

{#- A sum of decimals over the rows for which a condition holds; wide ones are products. -#}
{% macro kf_sum_decimal(expression, condition, wide=false) -%}
    cast(coalesce(sum({{ expression }}) filter (where {{ condition }}), 0) as {{ 'decimal(18, 8)' if wide else 'decimal(18, 6)' }})
{%- endmacro %}

{#- A sum of the products of two whole numbers. -#}
{% macro kf_sum_products(one, other) -%}
    cast(coalesce(sum(cast({{ one }} as decimal(18, 0)) * ({{ other }})), 0) as decimal(38, 0))
{%- endmacro %}

{#- Rows for which a condition holds. -#}
{% macro kf_count_if(condition) -%}cast(count(*) filter (where {{ condition }}) as bigint){%- endmacro %}

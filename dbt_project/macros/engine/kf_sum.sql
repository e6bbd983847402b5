{#- A sum of whole numbers as bigint on every engine; 0 for no rows. -#}
{% macro kf_sum(expression) -%}{{ return(adapter.dispatch('kf_sum')(expression)) }}{%- endmacro %}

{#- Postgres's own sum of bigints is a decimal, dearer to add up and dearer still to read. -#}
{% macro postgres__kf_sum(expression) -%}
    coalesce(kpis.whole_sum({{ expression }}), 0)
{%- endmacro %}

{% macro spark__kf_sum(expression) -%}cast(coalesce(sum({{ expression }}), 0) as bigint){%- endmacro %}

{#- A sum of squares: wide, since seconds squared outgrow a bigint only in sum. -#}
{% macro kf_sum_squares(expression) -%}{{ return(adapter.dispatch('kf_sum_squares')(expression)) }}{%- endmacro %}

{#-
Postgres adds up bigints in 128 bits, many times faster than decimals. A number whose square is no bigint (as seconds: a
clock off by a century) goes the long way.
-#}
{% macro postgres__kf_sum_squares(expression) -%}
    {%- set is_small = 'abs(' ~ expression ~ ') <= 3037000499' -%}
    {%- set is_large = 'abs(' ~ expression ~ ') > 3037000499' -%}
    cast(
        coalesce(sum(cast({{ expression }} as bigint) * ({{ expression }})) filter (where {{ is_small }}), 0)
        + coalesce(sum(cast({{ expression }} as decimal(18, 0)) * ({{ expression }})) filter (where {{ is_large }}), 0)
        as decimal(38, 0)
    )
{%- endmacro %}

{% macro spark__kf_sum_squares(expression) -%}
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

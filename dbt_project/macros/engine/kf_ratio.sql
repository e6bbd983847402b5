{#- One whole number divided by another, rounded to `digits` places; null where the divisor is 0 or null. -#}
{% macro kf_ratio(numerator, denominator, digits) -%}
    cast(
        round(cast({{ numerator }} as decimal(18, 0)) / nullif(cast({{ denominator }} as decimal(18, 0)), 0), {{ digits }})
        as decimal(18, {{ digits }})
    )
{%- endmacro %}

{#- One decimal divided by another, rounded to `digits` places; null where the divisor is 0 or null. -#}
{% macro kf_share(part, whole, digits) -%}
    cast(
        round(cast({{ part }} as decimal(18, {{ digits }})) / nullif(cast({{ whole }} as decimal(18, {{ digits }})), 0), {{ digits }})
        as decimal(18, {{ digits }})
    )
{%- endmacro %}

{#- A decimal rounded to `digits` places, halves away from zero. A double has to become a decimal first. -#}
{% macro kf_round(number, digits) -%}cast(round({{ number }}, {{ digits }}) as decimal(18, {{ digits }})){%- endmacro %}

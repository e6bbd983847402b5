{#- How many whole times one whole number goes into another, towards zero. -#}
{% macro kf_idiv(dividend, divisor) -%}{{ return(adapter.dispatch('kf_idiv')(dividend, divisor)) }}{%- endmacro %}

{% macro postgres__kf_idiv(dividend, divisor) -%}({{ dividend }} / {{ divisor }}){%- endmacro %}

{% macro spark__kf_idiv(dividend, divisor) -%}({{ dividend }} div {{ divisor }}){%- endmacro %}

{#- The name of the type of 64-bit floating-point numbers; dbt's own float has 32 on Spark. -#}
{% macro kf_double() -%}{{ return(adapter.dispatch('kf_double')()) }}{%- endmacro %}

{% macro postgres__kf_double() -%}double precision{%- endmacro %}

{% macro spark__kf_double() -%}double{%- endmacro %}

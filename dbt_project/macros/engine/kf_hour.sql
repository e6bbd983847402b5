{#- The hour of a timestamp as integer, 0 to 23. -#}
{% macro kf_hour(timestamp) -%}{{ return(adapter.dispatch('kf_hour')(timestamp)) }}{%- endmacro %}

{% macro postgres__kf_hour(timestamp) -%}cast(extract(hour from {{ timestamp }}) as integer){%- endmacro %}

{#- The day of the week of a date as integer, Monday 1 to Sunday 7. -#}
{% macro kf_isodow(date) -%}{{ return(adapter.dispatch('kf_isodow')(date)) }}{%- endmacro %}

{% macro postgres__kf_isodow(date) -%}cast(extract(isodow from {{ date }}) as integer){%- endmacro %}

{% macro spark__kf_isodow(date) -%}(weekday({{ date }}) + 1){%- endmacro %}

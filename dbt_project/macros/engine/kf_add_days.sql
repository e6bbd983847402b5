{% macro kf_add_days(date, days) -%}{{ return(adapter.dispatch('kf_add_days')(date, days)) }}{%- endmacro %}

{% macro postgres__kf_add_days(date, days) -%}({{ date }} + cast({{ days }} as integer)){%- endmacro %}

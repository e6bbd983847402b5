{#- A date some days later, earlier where they are negative. -#}
{% macro kf_add_days(date, days) -%}{{ return(adapter.dispatch('kf_add_days')(date, days)) }}{%- endmacro %}

{% macro postgres__kf_add_days(date, days) -%}({{ date }} + cast({{ days }} as integer)){%- endmacro %}

{% macro spark__kf_add_days(date, days) -%}date_add({{ date }}, cast({{ days }} as int)){%- endmacro %}

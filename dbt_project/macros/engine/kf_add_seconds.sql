{#- A timestamp some seconds later, earlier where they are negative; fractions of a second stay. -#}
{% macro kf_add_seconds(timestamp, seconds) -%}{{ return(adapter.dispatch('kf_add_seconds')(timestamp, seconds)) }}{%- endmacro %}

{% macro postgres__kf_add_seconds(timestamp, seconds) -%}
    ({{ timestamp }} + ({{ seconds }}) * interval '1 second')
{%- endmacro %}

{% macro spark__kf_add_seconds(timestamp, seconds) -%}timestampadd(second, {{ seconds }}, {{ timestamp }}){%- endmacro %}

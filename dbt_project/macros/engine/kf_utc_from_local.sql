{#- The naive UTC timestamp of a wall-clock time in a zone. -#}
{% macro kf_utc_from_local(timestamp, zone) -%}{{ return(adapter.dispatch('kf_utc_from_local')(timestamp, zone)) }}{%- endmacro %}

{% macro postgres__kf_utc_from_local(timestamp, zone) -%}
    (({{ timestamp }} at time zone {{ zone }}) at time zone 'UTC')
{%- endmacro %}

{% macro spark__kf_utc_from_local(timestamp, zone) -%}to_utc_timestamp({{ timestamp }}, {{ zone }}){%- endmacro %}

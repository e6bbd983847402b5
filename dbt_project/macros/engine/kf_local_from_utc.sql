{#- Wall-clock time in a zone, from a naive UTC timestamp. -#}
{% macro kf_local_from_utc(timestamp, zone) -%}{{ return(adapter.dispatch('kf_local_from_utc')(timestamp, zone)) }}{%- endmacro %}

{% macro postgres__kf_local_from_utc(timestamp, zone) -%}
    (({{ timestamp }} at time zone 'UTC') at time zone {{ zone }})
{%- endmacro %}

{% macro spark__kf_local_from_utc(timestamp, zone) -%}from_utc_timestamp({{ timestamp }}, {{ zone }}){%- endmacro %}

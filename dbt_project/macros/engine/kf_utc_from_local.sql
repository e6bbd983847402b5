{#- The naive UTC timestamp of a wall-clock time in a zone; of one that comes twice because clocks go back, the first.
    Postgres would take the second: an hour before, the time is still unambiguous. -#}
{% macro kf_utc_from_local(timestamp, zone) -%}{{ return(adapter.dispatch('kf_utc_from_local')(timestamp, zone)) }}{%- endmacro %}

{% macro postgres__kf_utc_from_local(timestamp, zone) -%}
    least(
        ({{ timestamp }} at time zone {{ zone }}) at time zone 'UTC',
        (({{ timestamp }} - interval '1 hour') at time zone {{ zone }}) at time zone 'UTC' + interval '1 hour'
    )
{%- endmacro %}

{% macro spark__kf_utc_from_local(timestamp, zone) -%}to_utc_timestamp({{ timestamp }}, {{ zone }}){%- endmacro %}

{#- The reporting day of a naive UTC timestamp, in the zone of the `build` row in scope. -#}
{% macro kf_local_date(timestamp) -%}
    cast({{ kf_local_from_utc(timestamp, 'build.reporting_zone') }} as date)
{%- endmacro %}

{#- The Monday of the last week that is over at the as-of time, by the calendar of the reporting zone. -#}
{% macro last_full_week(as_of_at, zone) -%}
    {{ kf_add_days("cast(date_trunc('week', " ~ kf_local_from_utc(as_of_at, zone) ~ ") as date)", -7) }}
{%- endmacro %}

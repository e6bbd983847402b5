{#-
Whole seconds since 1970-01-01 of a naive UTC timestamp, as bigint.

Postgres's date_part is a double: exact for every microsecond of the years 1685 to 2255 and every whole second beyond,
and many times faster than the decimal of extract.
-#}
{% macro kf_epoch(timestamp) -%}{{ return(adapter.dispatch('kf_epoch')(timestamp)) }}{%- endmacro %}

{% macro postgres__kf_epoch(timestamp) -%}
    cast(floor(date_part('epoch', {{ timestamp }})) as bigint)
{%- endmacro %}

{% macro spark__kf_epoch(timestamp) -%}unix_seconds({{ timestamp }}){%- endmacro %}

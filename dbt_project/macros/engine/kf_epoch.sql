{#- Whole seconds since 1970-01-01 of a naive UTC timestamp, as bigint. -#}
{% macro kf_epoch(timestamp) -%}{{ return(adapter.dispatch('kf_epoch')(timestamp)) }}{%- endmacro %}

{% macro postgres__kf_epoch(timestamp) -%}
    cast(floor(extract(epoch from {{ timestamp }})) as bigint)
{%- endmacro %}

{% macro spark__kf_epoch(timestamp) -%}unix_seconds({{ timestamp }}){%- endmacro %}

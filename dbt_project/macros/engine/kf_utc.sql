{#- The naive UTC timestamp of an instant that carries its zone. -#}
{% macro kf_utc(instant) -%}{{ return(adapter.dispatch('kf_utc')(instant)) }}{%- endmacro %}

{% macro postgres__kf_utc(instant) -%}({{ instant }} at time zone 'UTC'){%- endmacro %}

{% macro spark__kf_utc(instant) -%}cast({{ instant }} as timestamp){%- endmacro %}

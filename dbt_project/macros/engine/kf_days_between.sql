{#- Days from one date to another as integer; negative when they are the wrong way round. -#}
{% macro kf_days_between(start, finish) -%}{{ return(adapter.dispatch('kf_days_between')(start, finish)) }}{%- endmacro %}

{% macro postgres__kf_days_between(start, finish) -%}({{ finish }} - {{ start }}){%- endmacro %}

{% macro spark__kf_days_between(start, finish) -%}datediff({{ finish }}, {{ start }}){%- endmacro %}

{#-
To be followed by `over` a window: the last text that is not null, in the window's order, from its first row on. A
window has its rows in order anyway, so nothing is compared.
-#}
{% macro kf_last_known(value) -%}{{ return(adapter.dispatch('kf_last_known')(value)) }}{%- endmacro %}

{% macro postgres__kf_last_known(value) -%}kpis.last_known({{ value }}){%- endmacro %}

{% macro spark__kf_last_known(value) -%}last({{ value }}, true){%- endmacro %}

{#- The name of the type of texts. -#}
{% macro kf_text() -%}{{ return(adapter.dispatch('kf_text')()) }}{%- endmacro %}

{% macro postgres__kf_text() -%}text{%- endmacro %}

{% macro spark__kf_text() -%}string{%- endmacro %}

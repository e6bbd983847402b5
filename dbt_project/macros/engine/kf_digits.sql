{#- The digits of a text, without anything else. -#}
{% macro kf_digits(column) -%}{{ return(adapter.dispatch('kf_digits')(column)) }}{%- endmacro %}

{% macro postgres__kf_digits(column) -%}regexp_replace({{ column }}, '[^0-9]', '', 'g'){%- endmacro %}

{% macro spark__kf_digits(column) -%}regexp_replace({{ column }}, '[^0-9]', ''){%- endmacro %}

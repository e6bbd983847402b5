{#- The text at one key of a JSON object held as text; null where it is absent. -#}
{% macro kf_json(column, key) -%}{{ return(adapter.dispatch('kf_json')(column, key)) }}{%- endmacro %}

{% macro postgres__kf_json(column, key) -%}(cast({{ column }} as jsonb) ->> '{{ key }}'){%- endmacro %}

{% macro spark__kf_json(column, key) -%}get_json_object({{ column }}, '$.{{ key }}'){%- endmacro %}

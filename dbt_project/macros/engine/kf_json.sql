{#- The text at one key of a JSON object held as text; null where it is absent. -#}
{% macro kf_json(column, key) -%}{{ return(adapter.dispatch('kf_json')(column, key)) }}{%- endmacro %}

{% macro postgres__kf_json(column, key) -%}(cast({{ column }} as jsonb) ->> '{{ key }}'){%- endmacro %}

{% macro spark__kf_json(column, key) -%}get_json_object({{ column }}, '$.{{ key }}'){%- endmacro %}

{#- The text at a key of a JSON object that is itself at a key of the one held as text; null where either is absent. -#}
{% macro kf_json_at(column, key, member) -%}{{ return(adapter.dispatch('kf_json_at')(column, key, member)) }}{%- endmacro %}

{% macro postgres__kf_json_at(column, key, member) -%}
    (cast({{ column }} as jsonb) -> '{{ key }}' ->> '{{ member }}')
{%- endmacro %}

{% macro spark__kf_json_at(column, key, member) -%}get_json_object({{ column }}, '$.{{ key }}.{{ member }}'){%- endmacro %}

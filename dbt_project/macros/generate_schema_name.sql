{#- Layers are schemas; marts and kpis are built in the slot of the target and turned visible by publication. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name in ('marts', 'kpis') -%}
        {{ custom_schema_name }}_{{ target.name | replace('slot_', '') }}
    {%- else -%}
        {{ custom_schema_name or target.schema }}
    {%- endif -%}
{%- endmacro %}

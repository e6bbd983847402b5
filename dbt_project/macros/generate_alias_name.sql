{#- canonical_tickets is the table canonical.tickets: the schema says it already. -#}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {{ custom_alias_name or (node.name | replace('canonical_', '', 1) if node.name.startswith('canonical_') else node.name) }}
{%- endmacro %}

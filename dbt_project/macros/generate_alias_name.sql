{#- canonical_tickets is the table canonical.tickets: the schema says it already. -#}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- set prefix = kf_layer_prefix('canonical') -%}
    {{ custom_alias_name or (node.name | replace(prefix, '', 1) if node.name.startswith(prefix) else node.name) }}
{%- endmacro %}

{#- What the names of a schema's models begin with that those of its tables do not. -#}
{% macro kf_layer_prefix(schema) -%}{{ return('canonical_' if schema == 'canonical' else '') }}{%- endmacro %}

{#- A customer's pseudonym: hashed with the installation's own key, so that no plain id, e-mail or phone leaves raw. -#}
{% macro kf_pseudonym(value) -%}
    md5((select customer_key from {{ ref('stg_kefu__build') }}) || '|' || lower(nullif({{ value }}, '')))
{%- endmacro %}

{#- A customer's pseudonym: hashed with the installation's own key, so that no plain id, e-mail or phone leaves raw. -#}
{% macro kf_pseudonym(value) -%}
    case
        when {{ value }} is null or {{ value }} = '' then null
        else md5((select customer_key from {{ ref('stg_kefu__build') }}) || '|' || lower({{ value }}))
    end
{%- endmacro %}

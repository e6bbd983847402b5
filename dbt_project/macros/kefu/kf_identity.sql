{#-
How a source names a customer, as `<kind>-<hash>`. Kinds: `account`, the source's own id (`scope` is the source);
`reference`, the organisation's own customer number, which every system may carry; `email`; `phone`.
-#}
{% macro kf_identity(kind, value, scope=none) -%}
    {%- set told = "'" ~ kind ~ "|' || " ~ (scope ~ " || '|' || " if scope else '') ~ "nullif(" ~ value ~ ", '')" -%}
    '{{ kind }}-' || {{ kf_pseudonym(told) }}
{%- endmacro %}

{#- An e-mail address as it is compared: without blanks around it; kf_identity lower-cases. Null if it is none. -#}
{% macro kf_email(value) -%}
    case when {{ value }} like '%_@_%' then trim({{ value }}) end
{%- endmacro %}

{#-
A telephone number as it is compared: its last digits (parameter phone_match_digits), so that one written with a country
code and one without are the same. Fewer than seven digits are an extension or a withheld number, and nobody's.
-#}
{% macro kf_phone(value) -%}
    case
        when length({{ kf_digits(value) }}) >= 7
            then substring(
                {{ kf_digits(value) }}
                from greatest(
                    length({{ kf_digits(value) }}) + 1
                    - (select cast(phone_match_digits as integer) from {{ ref('stg_kefu__build') }}),
                    1
                )
            )
    end
{%- endmacro %}

{#- How sure an identity of a kind tells one person. -#}
{% macro kf_identity_confidence(identity) -%}
    case
        when {{ identity }} like 'phone-%' then cast(0.80 as decimal(18, 2))
        when {{ identity }} like 'email-%' then cast(0.90 as decimal(18, 2))
        else cast(1.00 as decimal(18, 2))
    end
{%- endmacro %}

{#- Who shows an identity at an instant: kf_customer_join joins the period as `alias`, the others read it. -#}
{% macro kf_customer_join(alias, identity, at) -%}
    left join {{ ref('canonical_customer_identities') }} as {{ alias }}
        on
            {{ identity }} = {{ alias }}.identity_id
            and {{ at }} >= {{ alias }}.valid_from_at
            and {{ at }} < {{ alias }}.valid_to_at
{%- endmacro %}

{#- An identity that no list of customers shows is a customer by itself. -#}
{% macro kf_customer(alias, identity) -%}
    case when {{ alias }}.identity_id is null then {{ identity }} else {{ alias }}.customer_id end
{%- endmacro %}

{% macro kf_customer_confidence(alias, identity) -%}
    case
        when {{ identity }} is null then cast(0.00 as decimal(18, 2))
        when {{ alias }}.identity_id is null then {{ kf_identity_confidence(identity) }}
        else {{ alias }}.confidence
    end
{%- endmacro %}

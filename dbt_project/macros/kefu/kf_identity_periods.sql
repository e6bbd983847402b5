{#-
From `<kind>_claims` (identity_id, customer_id or null, confidence, valid_from_at, valid_to_at), who each identity tells
and from when to when: `<kind>_periods`. Cut at every border, an identity tells in each piece the only customer that claims
it, itself where none does, and nobody where several do.
-#}
{% macro kf_identity_periods(kind) -%}
{{ kind }}_borders as (

    select
        identity_id,
        valid_from_at
    from {{ kind }}_claims

    union

    select
        identity_id,
        valid_to_at as valid_from_at
    from {{ kind }}_claims
    where valid_to_at < {{ kf_for_ever() }}

    union

    select
        identity_id,
        {{ kf_ever() }} as valid_from_at
    from {{ kind }}_claims

),

{{ kind }}_pieces as (

    select
        identity_id,
        valid_from_at,
        coalesce(
            lead(valid_from_at) over (partition by identity_id order by valid_from_at nulls last), {{ kf_for_ever() }}
        ) as valid_to_at

    from {{ kind }}_borders

    group by identity_id, valid_from_at

),

{{ kind }}_periods as (

    select
        pieces.identity_id,
        count(distinct claims.customer_id) as customers,
        case
            when count(distinct claims.customer_id) = 0 then pieces.identity_id
            when count(distinct claims.customer_id) = 1 then min(claims.customer_id)
        end as customer_id,
        case
            when count(distinct claims.customer_id) = 0 then {{ kf_identity_confidence('pieces.identity_id') }}
            when count(distinct claims.customer_id) = 1
                then min(case when claims.customer_id is not null then claims.confidence end)
            else cast(0.00 as decimal(18, 2))
        end as confidence,
        pieces.valid_from_at,
        pieces.valid_to_at

    from {{ kind }}_pieces as pieces
    left join {{ kind }}_claims as claims
        on
            pieces.identity_id = claims.identity_id
            and pieces.valid_from_at >= claims.valid_from_at
            and pieces.valid_from_at < claims.valid_to_at

    group by pieces.identity_id, pieces.valid_from_at, pieces.valid_to_at

)
{%- endmacro %}

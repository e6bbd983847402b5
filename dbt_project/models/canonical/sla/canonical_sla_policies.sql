with

stacked as (

    {{ stack('sla_policies', ['zendesk', 'kefu']) }}

)

select
    policy_version_id,
    policy_id,
    source,
    policy_en,
    policy_zh,
    place_in_order,
    obstacle is null as is_applicable,
    obstacle,
    valid_from_at,
    valid_to_at

from stacked

select
    'kefu-' || policy_id || '-' || {{ kf_epoch('valid_from') }} as policy_version_id,
    'kefu-' || policy_id as policy_id,
    'kefu' as source,
    policy_en,
    policy_zh,
    place_in_order,
    cast(null as {{ kf_text() }}) as obstacle,
    valid_from as valid_from_at,
    valid_to as valid_to_at

from {{ source('kefu', 'sla_policies') }}

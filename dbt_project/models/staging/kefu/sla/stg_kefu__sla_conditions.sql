select
    'kefu-' || policy_id || '-' || {{ kf_epoch('valid_from') }} as policy_version_id,
    attribute,
    value

from {{ source('kefu', 'sla_conditions') }}

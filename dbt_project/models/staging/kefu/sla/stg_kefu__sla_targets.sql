select
    'kefu-' || policy_id || '-' || {{ kf_epoch('valid_from') }} as policy_version_id,
    {{ canonical_sla_metric('metric') }} as sla_metric,
    priority,
    target_seconds,
    is_business

from {{ source('kefu', 'sla_targets') }}

select
    targets.policy_version_id,
    policies.policy_id,
    targets.sla_metric,
    targets.priority,
    targets.target_seconds,
    targets.is_business,
    policies.valid_from_at,
    policies.valid_to_at

from {{ ref('canonical_sla_targets') }} as targets
inner join {{ ref('canonical_sla_policies') }} as policies on targets.policy_version_id = policies.policy_version_id

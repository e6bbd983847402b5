with

stacked as (

    {{ stack('sla_targets', ['zendesk', 'kefu']) }}

)

select
    policy_version_id,
    sla_metric,
    priority,
    target_seconds,
    is_business

from stacked

with

versions as (

    select
        policy_id,
        content,
        recurrence,
        coalesce({{ kf_utc('updated_at') }}, {{ kf_ever() }}) as updated_at

    from {{ source('zendesk', 'sla_policy_versions') }}

),

targets as (

    select
        policy_id,
        content,
        metric,
        priority,
        target_seconds,
        business_hours

    from {{ source('zendesk', 'sla_policy_targets') }}

)

select
    {{ zendesk_policy_version('versions') }} as policy_version_id,
    {{ canonical_sla_metric('targets.metric') }} as sla_metric,
    lower(targets.priority) as priority,
    cast(targets.target_seconds as bigint) as target_seconds,
    targets.business_hours as is_business

from versions
inner join targets
    on
        versions.policy_id = targets.policy_id
        and versions.content = targets.content

where targets.target_seconds is not null

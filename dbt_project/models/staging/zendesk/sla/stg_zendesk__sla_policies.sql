-- Each state an SLA policy was seen in is a version. It holds from the update that made it on; one that came without
-- an update (another place in the order, a policy gone) from when it was first seen; the first since its creation.
with

source as (

    select
        policy_id,
        content,
        recurrence,
        title,
        position,
        obstacle,
        {{ kf_utc('created_at') }} as created_at,
        coalesce({{ kf_utc('updated_at') }}, {{ kf_ever() }}) as updated_at,
        {{ kf_utc('_loaded_at') }} as seen_at

    from {{ source('zendesk', 'sla_policy_versions') }}

),

ordered as (

    select
        *,
        row_number() over (
            partition by policy_id order by updated_at, seen_at nulls first, content, recurrence
        ) as version_number,
        lag(updated_at) over (
            partition by policy_id order by updated_at, seen_at nulls first, content, recurrence
        ) as previously_updated_at

    from source

),

begun as (

    select
        *,
        case
            when version_number = 1 then coalesce(created_at, updated_at)
            when updated_at > previously_updated_at then updated_at
            else seen_at
        end as begins_at

    from ordered

),

since as (

    -- two clocks are read: a version does not begin before the one it follows
    select
        *,
        max(begins_at) over (
            partition by policy_id order by version_number rows between unbounded preceding and current row
        ) as valid_from_at

    from begun

)

select
    {{ zendesk_policy_version('since') }} as policy_version_id,
    'zendesk-' || policy_id as policy_id,
    'zendesk' as source,
    coalesce(title, 'zendesk-' || policy_id) as policy_en,
    coalesce(title, 'zendesk-' || policy_id) as policy_zh,
    cast(coalesce(position, 0) as bigint) as place_in_order,
    case when content = 'gone' then 'no longer there' else obstacle end as obstacle,
    valid_from_at,
    lead(valid_from_at, 1, {{ kf_for_ever() }}) over (partition by policy_id order by version_number) as valid_to_at

from since

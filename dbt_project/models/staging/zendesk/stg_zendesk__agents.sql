-- Everybody who was staff once: a former agent did what they did.
with

versions as (

    select
        user_id,
        role,
        is_active

    from {{ ref('stg_zendesk__agent_versions') }}

    where valid_to_at = {{ kf_for_ever() }}

)

select
    'zendesk-' || users.id as agent_id,
    'zendesk' as source,
    users.name as agent,
    versions.is_active and versions.role <> 'customer' as is_active

from {{ source('zendesk', 'users') }} as users
inner join versions on users.id = versions.user_id

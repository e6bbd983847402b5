-- Who the staff were, and when: a version from each update that changed somebody's role, group or standing. Others are
-- in it who were staff once, a former agent for example, now an end user. The first version holds since ever.
with

staff as (

    select id
    from {{ source('zendesk', 'users') }}
    where role in ('agent', 'admin')

    union

    select id
    from {{ source('zendesk', 'user_versions') }}
    where role in ('agent', 'admin')

),

seen as (

    select
        id,
        updated_at,
        role,
        active,
        suspended,
        default_group_id
    from {{ source('zendesk', 'users') }}

    union all

    select
        id,
        updated_at,
        role,
        active,
        suspended,
        default_group_id
    from {{ source('zendesk', 'user_versions') }}

),

named as (

    select
        seen.id as user_id,
        coalesce({{ kf_utc('seen.updated_at') }}, {{ kf_ever() }}) as updated_at,
        {{ canonical_word('seen.role', {'agent': ['agent'], 'admin': ['admin'], 'customer': ['end-user']}) }} as role,
        coalesce(seen.active, true) and not coalesce(seen.suspended, false) as is_active,
        'zendesk-' || seen.default_group_id as source_team_id

    from seen
    inner join staff on seen.id = staff.id

),

once as (

    select
        user_id,
        updated_at,
        role,
        is_active,
        source_team_id,
        row_number() over (
            partition by user_id, updated_at
            order by role nulls last, is_active nulls last, source_team_id nulls last
        ) as choice

    from named

    group by user_id, updated_at, role, is_active, source_team_id

),

compared as (

    select
        *,
        row_number() over (partition by user_id order by updated_at) as place,
        lag(role) over (partition by user_id order by updated_at) as from_role,
        lag(is_active) over (partition by user_id order by updated_at) as from_is_active,
        lag(source_team_id) over (partition by user_id order by updated_at) as from_source_team_id

    from once

    where {{ kf_first('choice') }}

),

versions as (

    select
        user_id,
        role,
        is_active,
        source_team_id,
        case when place = 1 then {{ kf_ever() }} else updated_at end as valid_from_at

    from compared

    where
        place = 1
        or (role is distinct from from_role)
        or (is_active is distinct from from_is_active)
        or (source_team_id is distinct from from_source_team_id)

)

select
    'zendesk-' || user_id as agent_id,
    'zendesk' as source,
    user_id,
    false as is_roster,
    min(source_team_id) as source_team_id,
    min(role) as role,
    bool_or(is_active) as is_active,
    valid_from_at,
    lead(valid_from_at, 1, {{ kf_for_ever() }}) over (
        partition by user_id order by valid_from_at nulls last
    ) as valid_to_at

from versions

group by user_id, valid_from_at

-- Zendesk knows its schedules only as they are; each state one was seen in is a version. It holds from the update that
-- made it on; one that came without an update (a holiday more) from when it was first seen. The first holds since ever.
with

source as (

    select
        schedule_id,
        content,
        recurrence,
        name,
        time_zone,
        min(coalesce({{ kf_utc('created_at') }}, {{ kf_for_ever() }})) over (partition by schedule_id) as founded_at,
        {{ kf_utc('updated_at') }} as updated_at,
        {{ kf_utc('_loaded_at') }} as seen_at

    from {{ source('zendesk', 'schedule_versions') }}

),

ordered as (

    select
        *,
        row_number() over (
            partition by schedule_id order by updated_at, seen_at nulls first, content, recurrence
        ) as version_number,
        lag(updated_at) over (
            partition by schedule_id order by updated_at, seen_at nulls first, content, recurrence
        ) as previously_updated_at

    from source

),

oldest as (

    select min(founded_at) as founded_at from source

),

-- what applies to tickets nobody gave another schedule: the account's oldest
defaults as (

    select min(source.schedule_id) as schedule_id

    from source
    inner join oldest on source.founded_at = oldest.founded_at

),

begun as (

    select
        *,
        case
            when version_number = 1 then {{ kf_ever() }}
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
            partition by schedule_id order by version_number rows between unbounded preceding and current row
        ) as valid_from_at

    from begun

)

select
    {{ zendesk_schedule_version('since') }} as schedule_version_id,
    'zendesk-' || since.schedule_id as schedule_id,
    'zendesk' as source,
    since.name as schedule_en,
    since.name as schedule_zh,
    since.time_zone as zone_name,
    since.schedule_id = defaults.schedule_id as is_default,
    since.valid_from_at,
    lead(since.valid_from_at, 1, {{ kf_for_ever() }}) over (
        partition by since.schedule_id order by since.version_number
    ) as valid_to_at

from since
cross join defaults

-- Zendesk's holidays are whole days.
with

versions as (

    select
        schedule_id,
        content,
        recurrence,
        {{ kf_utc('updated_at') }} as updated_at

    from {{ source('zendesk', 'schedule_versions') }}

),

holidays as (

    select
        schedule_id,
        content,
        id,
        name,
        start_date,
        end_date

    from {{ source('zendesk', 'schedule_holidays') }}

)

select
    {{ zendesk_schedule_version('versions') }} || '-' || holidays.id as exception_id,
    {{ zendesk_schedule_version('versions') }} as schedule_version_id,
    holidays.start_date as first_date,
    coalesce(holidays.end_date, holidays.start_date) as last_date,
    'closed' as exception_kind,
    cast(0 as bigint) as from_second,
    cast(86400 as bigint) as to_second,
    holidays.name as exception_name

from versions
inner join holidays
    on
        versions.schedule_id = holidays.schedule_id
        and versions.content = holidays.content

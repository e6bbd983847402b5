-- An interval counts minutes from Sunday 00:00 and may last over midnight: here each day has its own.
with

versions as (

    select
        schedule_id,
        content,
        recurrence,
        {{ kf_utc('updated_at') }} as updated_at

    from {{ source('zendesk', 'schedule_versions') }}

),

intervals as (

    select
        schedule_id,
        content,
        start_time,
        end_time

    from {{ source('zendesk', 'schedule_intervals') }}

),

weekdays as (

    {% for day in range(7) -%}
    select
        {{ day or 7 }} as iso_weekday,
        {{ day * 1440 }} as begins_minute
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    {{ zendesk_schedule_version('versions') }} as schedule_version_id,
    weekdays.iso_weekday,
    cast(60 * greatest(intervals.start_time - weekdays.begins_minute, 0) as bigint) as from_second,
    cast(60 * least(intervals.end_time - weekdays.begins_minute, 1440) as bigint) as to_second

from versions
inner join intervals
    on
        versions.schedule_id = intervals.schedule_id
        and versions.content = intervals.content
inner join weekdays
    on
        intervals.start_time < weekdays.begins_minute + 1440
        and intervals.end_time > weekdays.begins_minute

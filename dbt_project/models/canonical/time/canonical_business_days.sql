-- The calendar of business time: what was open before the day, and the windows of the day.
with

windows as (

    select * from {{ ref('canonical_business_windows') }}

),

schedules as (

    select distinct schedule_id from {{ ref('canonical_schedules') }}

),

by_day as (

    select
        schedule_id,
        calendar_date,
        {% for place in range(1, kf_business_windows() + 1) -%}
        min(opens_at) filter (where window_number = {{ place }}) as window_{{ place }}_opens_at,
        min(closes_at) filter (where window_number = {{ place }}) as window_{{ place }}_closes_at,
        min(open_before_seconds) filter (where window_number = {{ place }}) as window_{{ place }}_before_seconds,
        {% endfor -%}
        cast(sum(open_seconds) as bigint) as open_seconds

    from windows

    group by schedule_id, calendar_date

),

every_day as (

    select
        schedules.schedule_id,
        calendar.calendar_date

    from schedules
    cross join {{ ref('canonical_calendar_days') }} as calendar

)

select
    every_day.schedule_id,
    every_day.calendar_date,
    cast(
        coalesce(
            sum(by_day.open_seconds) over (
                partition by every_day.schedule_id order by every_day.calendar_date
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bigint
    ) as open_before_seconds,
    {% for place in range(1, kf_business_windows() + 1) -%}
    by_day.window_{{ place }}_opens_at,
    by_day.window_{{ place }}_closes_at,
    by_day.window_{{ place }}_before_seconds,
    {% endfor -%}
    coalesce(by_day.open_seconds, 0) as open_seconds

from every_day
left join by_day
    on
        every_day.schedule_id = by_day.schedule_id
        and every_day.calendar_date = by_day.calendar_date

-- A second is open if and only if the wall clock of the schedule's zone then shows a time within the open hours of
-- that local date: hours are made in local time and taken to UTC for each stretch with one offset. So an hour that is
-- skipped is open for nobody, and one that comes twice is open twice.
with

versions as (

    select * from {{ ref('canonical_schedules') }}

),

calendar_days as (

    select calendar_date from {{ ref('canonical_calendar_days') }}

),

offsets as (

    select * from {{ ref('canonical_zone_offsets') }}

),

-- a local date begins up to a day before the UTC one and ends up to a day after it
dates as (

    select calendar_date as local_date from calendar_days
    union all
    select {{ kf_add_days('min(calendar_date)', -1) }} as local_date from calendar_days
    union all
    select {{ kf_add_days('max(calendar_date)', 1) }} as local_date from calendar_days

),

local_days as (

    select
        versions.schedule_version_id,
        versions.schedule_id,
        versions.zone,
        versions.valid_from_at,
        versions.valid_to_at,
        dates.local_date,
        {{ kf_isodow('dates.local_date') }} as iso_weekday

    from versions
    inner join dates
        on
            dates.local_date >= {{ kf_add_days('cast(versions.valid_from_at as date)', -1) }}
            and dates.local_date <= {{ kf_add_days('cast(versions.valid_to_at as date)', 1) }}

),

weekly as (

    select
        local_days.schedule_version_id,
        local_days.local_date,
        hours.from_second,
        hours.to_second

    from local_days
    inner join {{ ref('canonical_schedule_hours') }} as hours
        on
            local_days.schedule_version_id = hours.schedule_version_id
            and local_days.iso_weekday = hours.iso_weekday

),

exceptional as (

    select
        local_days.schedule_version_id,
        local_days.local_date,
        exceptions.exception_kind as kind,
        exceptions.from_second,
        exceptions.to_second

    from local_days
    inner join {{ ref('canonical_schedule_exceptions') }} as exceptions
        on
            local_days.schedule_version_id = exceptions.schedule_version_id
            and local_days.local_date between exceptions.first_date and exceptions.last_date

),

exceptional_days as (

    select distinct
        schedule_version_id,
        local_date

    from exceptional

),

-- on such a day: weekly hours less what is closed, and whatever is opened
spans as (

    select
        weekly.schedule_version_id,
        weekly.local_date,
        'weekly' as kind,
        weekly.from_second,
        weekly.to_second

    from weekly
    inner join exceptional_days
        on
            weekly.schedule_version_id = exceptional_days.schedule_version_id
            and weekly.local_date = exceptional_days.local_date

    union all

    select * from exceptional

),

edges as (

    select
        schedule_version_id,
        local_date,
        from_second as edge

    from spans

    union

    select
        schedule_version_id,
        local_date,
        to_second as edge

    from spans

),

pieces as (

    select
        schedule_version_id,
        local_date,
        edge as from_second,
        lead(edge) over (partition by schedule_version_id, local_date order by edge nulls last) as to_second

    from edges

),

opened as (

    select
        weekly.schedule_version_id,
        weekly.local_date,
        weekly.from_second,
        weekly.to_second

    from weekly
    left join exceptional_days
        on
            weekly.schedule_version_id = exceptional_days.schedule_version_id
            and weekly.local_date = exceptional_days.local_date

    where exceptional_days.local_date is null

    union all

    select
        pieces.schedule_version_id,
        pieces.local_date,
        pieces.from_second,
        pieces.to_second

    from pieces
    inner join spans
        on
            pieces.schedule_version_id = spans.schedule_version_id
            and pieces.local_date = spans.local_date
            and pieces.from_second >= spans.from_second
            and pieces.to_second <= spans.to_second

    group by pieces.schedule_version_id, pieces.local_date, pieces.from_second, pieces.to_second

    having bool_or(spans.kind = 'open') or (bool_or(spans.kind = 'weekly') and not bool_or(spans.kind = 'closed'))

),

on_the_wall as (

    select
        local_days.schedule_id,
        local_days.zone,
        local_days.valid_from_at,
        local_days.valid_to_at,
        {{ kf_add_seconds('cast(opened.local_date as timestamp)', 'opened.from_second') }} as local_opens_at,
        {{ kf_add_seconds('cast(opened.local_date as timestamp)', 'opened.to_second') }} as local_closes_at

    from opened
    inner join local_days
        on
            opened.schedule_version_id = local_days.schedule_version_id
            and opened.local_date = local_days.local_date

),

in_utc as (

    select
        on_the_wall.schedule_id,
        greatest(
            {{ kf_add_seconds('on_the_wall.local_opens_at', '-offsets.offset_seconds') }},
            offsets.starts_at,
            on_the_wall.valid_from_at
        ) as opens_at,
        least(
            {{ kf_add_seconds('on_the_wall.local_closes_at', '-offsets.offset_seconds') }},
            offsets.ends_at,
            on_the_wall.valid_to_at
        ) as closes_at

    from on_the_wall
    inner join offsets on on_the_wall.zone = offsets.zone

),

not_empty as (

    select
        in_utc.*,
        cast(in_utc.opens_at as date) as calendar_date,
        cast({{ kf_add_days('cast(in_utc.opens_at as date)', 1) }} as timestamp) as midnight_at

    from in_utc

    where opens_at < closes_at

),

by_day as (

    select
        schedule_id,
        calendar_date,
        opens_at,
        least(closes_at, midnight_at) as closes_at

    from not_empty

    union

    select
        schedule_id,
        {{ kf_add_days('calendar_date', 1) }} as calendar_date,
        midnight_at as opens_at,
        closes_at

    from not_empty

    where closes_at > midnight_at

),

-- what touches or overlaps is one window
begun as (

    select
        *,
        case
            when opens_at <= max(closes_at) over (
                partition by schedule_id, calendar_date order by opens_at, closes_at
                rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as begins

    from by_day

),

numbered as (

    select
        *,
        cast(
            sum(begins) over (
                partition by schedule_id, calendar_date order by opens_at, closes_at
                rows between unbounded preceding and current row
            ) as bigint
        ) as window_number

    from begun

),

windows as (

    select
        schedule_id,
        calendar_date,
        window_number,
        min(opens_at) as opens_at,
        max(closes_at) as closes_at

    from numbered

    group by schedule_id, calendar_date, window_number

),

within_horizon as (

    select
        windows.*,
        {{ kf_seconds_between('windows.opens_at', 'windows.closes_at') }} as open_seconds

    from windows
    inner join calendar_days on windows.calendar_date = calendar_days.calendar_date

)

select
    schedule_id,
    calendar_date,
    window_number,
    opens_at,
    closes_at,
    open_seconds,
    cast(
        coalesce(
            sum(open_seconds) over (
                partition by schedule_id order by calendar_date, window_number
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bigint
    ) as open_before_seconds

from within_horizon

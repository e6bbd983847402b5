-- What was open before a day, day by day, is what its windows say.
select
    calendar.schedule_id,
    calendar.calendar_date,
    calendar.open_before_seconds,
    windows.open_before_seconds as before_first_window_seconds

from {{ ref('canonical_business_days') }} as calendar
inner join {{ ref('canonical_business_windows') }} as windows
    on
        calendar.schedule_id = windows.schedule_id
        and calendar.calendar_date = windows.calendar_date

where windows.window_number = 1 and windows.open_before_seconds <> calendar.open_before_seconds

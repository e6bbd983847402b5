-- The calendar has columns for so many windows of a UTC day; seconds in any further one would be lost.
select
    schedule_id,
    calendar_date,
    max(window_number) as windows

from {{ ref('canonical_business_windows') }}

group by schedule_id, calendar_date

having max(window_number) > {{ kf_business_windows() }}

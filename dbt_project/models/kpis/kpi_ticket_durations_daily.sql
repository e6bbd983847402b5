select
    service_date,
    source,
    channel,
    team_id,
    priority,
    measure,
    band_seconds,
    cast(count(*) as bigint) as durations

from {{ ref('kpi_ticket_durations') }}

where {{ kf_touched('ticket_day', 'service_date', 'date') }}

group by 1, 2, 3, 4, 5, 6, 7

select
    service_date,
    source,
    channel,
    queue_id,
    team_id,
    measure,
    band_seconds,
    cast(count(*) as bigint) as durations

from {{ ref('kpi_contact_durations') }}

where {{ kf_touched('contact_day', 'service_date', 'date') }}

group by 1, 2, 3, 4, 5, 6, 7

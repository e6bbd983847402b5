-- What a contact waited, by how the wait ended; booked like kpi_telephony_hourly. For percentiles: a reader asks
-- kpi_contact_durations_daily, which counts these rows, and MetricFlow these rows themselves.
select
    service_date,
    source,
    channel,
    queue_id,
    team_id,
    case
        when is_answered then 'wait_answered'
        when is_short_abandoned then 'wait_short_abandoned'
        when is_abandoned then 'wait_abandoned'
        else 'wait_otherwise'
    end as measure,
    {{ kf_band('wait_seconds') }} as band_seconds

from {{ ref('fct_contacts') }}

where is_offered and wait_seconds >= 0

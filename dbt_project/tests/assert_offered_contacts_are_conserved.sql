-- Every offered contact ended in exactly one way.
select
    service_date,
    service_hour,
    source,
    queue_id,
    team_id,
    offered,
    answered,
    abandoned,
    short_abandoned,
    otherwise_ended

from {{ ref('kpi_telephony_hourly') }}

where offered <> answered + abandoned + short_abandoned + otherwise_ended

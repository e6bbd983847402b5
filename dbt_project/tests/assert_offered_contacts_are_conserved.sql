-- Every offered contact ended in exactly one way.
select *

from {{ ref('kpi_telephony_hourly') }}

where offered <> answered + abandoned + short_abandoned + otherwise_ended

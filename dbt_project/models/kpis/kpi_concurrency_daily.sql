select
    service_date,
    source,
    team_id,
    {{ kf_sum('slot_seconds') }} as slot_seconds,
    {{ kf_sum('busy_seconds') }} as busy_seconds

from {{ ref('fct_agent_work_days') }}

where {{ kf_touched('contact_day', 'service_date', 'date') }}

group by 1, 2, 3

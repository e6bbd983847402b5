select
    source || '-' || shift_id as shift_id,
    source,
    coalesce(system, source) || '-' || agent as agent_id,
    source || '-' || team as source_team_id,
    {{ canonical_activity('activity') }} as activity,
    coalesce(is_paid, true) as is_paid,
    coalesce(is_cancelled, false) as is_cancelled,
    {{ kf_utc('published_at') }} as published_at,
    {{ kf_utc('started_at') }} as started_at,
    {{ kf_utc('ended_at') }} as ended_at

from {{ source('files', 'shifts') }}

where {{ kf_changed_file('shift', 'shift_id') }}

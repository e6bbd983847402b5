select
    source || '-' || state_id as state_id,
    source || '-' || state_id as state_group_id,
    source,
    coalesce(system, source) || '-' || agent as agent_id,
    source || '-' || team as source_team_id,
    {{ canonical_state('state') }} as state,
    {{ kf_utc('started_at') }} as started_at,
    {{ kf_utc('ended_at') }} as ended_at

from {{ source('files', 'agent_states') }}

where {{ kf_changed_file('agent_state', 'state_id') }}

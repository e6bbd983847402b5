select
    agent_version_id,
    agent_id,
    version,
    team_id,
    role,
    is_active,
    valid_from_at,
    valid_to_at

from {{ ref('canonical_agent_versions') }}

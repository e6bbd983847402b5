select
    agent_id,
    source,
    agent,
    is_active

from {{ ref('canonical_agents') }}

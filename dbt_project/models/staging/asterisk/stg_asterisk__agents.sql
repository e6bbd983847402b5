select distinct
    'asterisk-' || agent as agent_id,
    'asterisk' as source,
    agent,
    true as is_active

from {{ source('asterisk', 'queue_log') }}

where agent is not null and agent <> 'NONE'

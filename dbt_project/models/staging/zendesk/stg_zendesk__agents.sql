select
    'zendesk-' || id as agent_id,
    'zendesk' as source,
    name as agent,
    active as is_active

from {{ source('zendesk', 'users') }}

where role in ('agent', 'admin')

select
    'zendesk-' || id as source_team_id,
    'zendesk' as source,
    name as team_name

from {{ source('zendesk', 'groups') }}

select
    source,
    member as team_name,
    team_id,
    team_en,
    team_zh

from {{ source('kefu', 'teams') }}

-- Several sources may name one team; the organisation's own name comes first.
select
    team_id,
    min(team_en) as team_en,
    min(team_zh) as team_zh

from {{ ref('canonical_teams') }}

group by team_id

union all

select
    'none' as team_id,
    'No team' as team_en,
    '未分组' as team_zh

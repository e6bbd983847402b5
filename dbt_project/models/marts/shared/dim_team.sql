-- Several sources may name one team; the organisation's own name comes first. Two teams that go by one name, such as
-- groups of two sources that kefu.toml does not list, keep apart.
with

teams as (

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

)

select
    teams.team_id,
    {{ kf_own_name('teams.team_en', 'teams.team_id') }} as team_en,
    {{ kf_own_name('teams.team_zh', 'teams.team_id') }} as team_zh

from teams

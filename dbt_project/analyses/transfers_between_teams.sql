-- From which team to which are contacts transferred? Each leg that ended in a transfer with the leg that followed.
-- 联络在哪些班组之间转接？列出每次转接的转出与转入班组。
with

legs as (

    select
        interaction_id,
        team_id as from_team_id,
        outcome,
        lead(team_id) over (partition by interaction_id order by leg_number) as to_team_id

    from {{ ref('fct_contact_legs') }}

)

select
    from_team_id,
    coalesce(to_team_id, 'nobody answered') as to_team_id,
    count(*) as transfers

from legs

where outcome = 'transferred'

group by from_team_id, coalesce(to_team_id, 'nobody answered')
order by from_team_id, to_team_id

with

kept as (

    select * from {{ ref('stg_kefu__team_schedules') }}

),

teams as (

    select team_id from {{ ref('canonical_teams') }}
    union
    select team_id from kept

),

others as (

    select * from kept

    where team_id = 'none'

)

select
    teams.team_id,
    case when kept.team_id is null then others.schedule_id else kept.schedule_id end as schedule_id,
    coalesce(kept.zone, others.zone) as zone

from teams
cross join others
left join kept on teams.team_id = kept.team_id

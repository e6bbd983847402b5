-- How old is the backlog? Open tickets by age as of the publication, by team.
-- 积压工单有多久了？按班组与账龄统计截至发布时刻的未解决工单。
with

aged as (

    select
        tickets.team_id,
        {{ kf_idiv(kf_seconds_between('tickets.created_at', 'published.as_of_at'), 86400) }} as days_old

    from {{ ref('fct_tickets') }} as tickets
    cross join kpis.publication as published

    where not tickets.is_excluded and tickets.status not in ('solved', 'closed', 'deleted')

)

select
    team_id,
    count(*) as open_tickets,
    sum(case when days_old < 1 then 1 else 0 end) as under_a_day,
    sum(case when days_old between 1 and 6 then 1 else 0 end) as under_a_week,
    sum(case when days_old between 7 and 29 then 1 else 0 end) as under_thirty_days,
    sum(case when days_old >= 30 then 1 else 0 end) as older

from aged

group by team_id
order by team_id

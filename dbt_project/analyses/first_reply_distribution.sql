-- How long do customers really wait for a first reply? Shares within an hour, four hours, a day, by team.
-- 客户首次响应实际要等多久？按班组给出一小时、四小时、一天内的占比。
with

replied as (

    select
        first_reply_team_id as team_id,
        {{ kf_seconds_between('created_at', 'first_replied_at') }} as waited_seconds

    from {{ ref('fct_tickets') }}

    where not is_excluded and created_by_kind <> 'agent' and first_replied_at is not null

)

select
    team_id,
    count(*) as replied,
    {{ kf_ratio('sum(case when waited_seconds <= 3600 then 1 else 0 end)', 'count(*)', 4) }} as within_an_hour,
    {{ kf_ratio('sum(case when waited_seconds <= 14400 then 1 else 0 end)', 'count(*)', 4) }} as within_four_hours,
    {{ kf_ratio('sum(case when waited_seconds <= 86400 then 1 else 0 end)', 'count(*)', 4) }} as within_a_day

from replied

group by team_id
order by team_id

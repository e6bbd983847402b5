-- Is the mean handle time a few long contacts or all of them? Median and 90th percentile beside the mean, by team.
-- 平均处理时长由少数长通话造成还是普遍偏长？按班组给出均值、中位数与九十分位。
select
    team_id,
    count(*) as legs,
    avg(handle_seconds) as mean_seconds,
    percentile_cont(0.5) within group (order by handle_seconds) as median_seconds,
    percentile_cont(0.9) within group (order by handle_seconds) as ninetieth_percentile_seconds

from {{ ref('fct_contact_legs') }}

where direction = 'inbound' and handle_seconds is not null

group by team_id
order by team_id

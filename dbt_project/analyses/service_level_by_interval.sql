-- Which half of the day breaks the service level? Share answered in time by hour of arrival, with its interval.
-- 哪些时段拖累服务水平？按到达时段统计时限内接通占比及其区间。
select
    service_hour,
    sum(answered_in_target) as answered_in_target,
    sum(answered + abandoned) as answered_or_abandoned,
    {{ kf_ratio('sum(answered_in_target)', 'sum(answered + abandoned)', 4) }} as service_level,
    kpis.wilson_low(sum(answered_in_target), sum(answered + abandoned)) as low,
    kpis.wilson_high(sum(answered_in_target), sum(answered + abandoned)) as high

from {{ ref('kpi_telephony_hourly') }}

group by service_hour
order by service_hour

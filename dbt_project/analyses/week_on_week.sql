-- What moved since last week? Every KPI's last full week beside the one before, whole organisation.
-- 与上周相比有何变化？全机构各指标最近完整一周与前一周对比。
with

weeks as (

    select
        kpi,
        week_start,
        value,
        n,
        lag(value) over (partition by kpi, team_id order by week_start) as value_before,
        lag(n) over (partition by kpi, team_id order by week_start) as n_before,
        row_number() over (partition by kpi, team_id order by week_start desc nulls last) as from_last

    from {{ ref('kpi_weekly') }}

    where team_id = 'all'

)

select
    kpi,
    week_start,
    value,
    n,
    value_before,
    n_before,
    value - value_before as change

from weeks

where from_last = 1
order by kpi

-- What would the service level be without each day's worst hour? Tells staffing gaps from a general shortage.
-- 若去掉每天最差的一小时，服务水平会是多少？用于区分个别缺口与整体人手不足。
with

hours as (

    select
        service_date,
        service_hour,
        sum(answered_in_target) as met,
        sum(answered + abandoned) as counted

    from {{ ref('kpi_telephony_hourly') }}

    group by service_date, service_hour

),

ranked as (

    select
        *,
        row_number() over (
            partition by service_date order by counted - met desc nulls last, service_hour
        ) as from_worst

    from hours

)

select
    service_date,
    {{ kf_ratio('sum(met)', 'sum(counted)', 4) }} as service_level,
    {{ kf_ratio('sum(case when from_worst > 1 then met end)', 'sum(case when from_worst > 1 then counted end)', 4) }}
        as without_worst_hour,
    min(case when from_worst = 1 then service_hour end) as worst_hour

from ranked

group by service_date
order by service_date

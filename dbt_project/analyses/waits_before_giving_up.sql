-- How patient are callers? Contacts by length of wait: how many were answered and how many gave up in each ten seconds.
-- 客户有多大耐心？按等待时长（每十秒一档）统计接通与放弃的联络数。
select
    10 * {{ kf_idiv('wait_seconds', 10) }} as waited_from_seconds,
    sum(case when is_answered then 1 else 0 end) as answered,
    sum(case when is_abandoned then 1 else 0 end) as abandoned

from {{ ref('fct_contacts') }}

where is_offered and wait_seconds is not null

group by 10 * {{ kf_idiv('wait_seconds', 10) }}
order by waited_from_seconds

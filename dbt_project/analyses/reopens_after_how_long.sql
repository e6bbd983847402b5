-- After how many days do solved tickets come back? Reopens by days since the solve they undo.
-- 工单解决后多少天会被重开？按距解决的天数统计重开次数。
with

ordered as (

    select
        ticket_id,
        is_reopen,
        occurred_at,
        max(case when is_solve then occurred_at end) over (
            partition by ticket_id order by sequence
            rows between unbounded preceding and current row
        ) as solved_at

    from {{ ref('fct_ticket_events') }}

)

select
    {{ kf_idiv(kf_seconds_between('solved_at', 'occurred_at'), 86400) }} as days_after,
    count(*) as reopens,
    count(distinct ticket_id) as tickets

from ordered

where is_reopen

group by {{ kf_idiv(kf_seconds_between('solved_at', 'occurred_at'), 86400) }}
order by days_after

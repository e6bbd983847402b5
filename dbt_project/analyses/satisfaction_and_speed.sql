-- Are quickly solved tickets rated better? Share of positive answers by time to the first solve.
-- 解决越快评价越好吗？按首次解决用时分档统计好评占比及样本量。
with

rated as (

    select
        {{ kf_seconds_between('tickets.created_at', 'tickets.first_solved_at') }} as solved_after_seconds,
        responses.box = 'top' as is_positive

    from {{ ref('fct_survey_responses') }} as responses
    inner join {{ ref('fct_tickets') }} as tickets on responses.ticket_id = tickets.ticket_id

    where responses.is_counted and responses.metric = 'csat' and tickets.first_solved_at is not null

)

select
    case
        when solved_after_seconds <= 3600 then '1 within an hour'
        when solved_after_seconds <= 86400 then '2 within a day'
        else '3 later'
    end as solved,
    count(*) as answers,
    {{ kf_ratio('sum(case when is_positive then 1 else 0 end)', 'count(*)', 4) }} as csat,
    kpis.wilson_low(sum(case when is_positive then 1 else 0 end), count(*)) as low,
    kpis.wilson_high(sum(case when is_positive then 1 else 0 end), count(*)) as high

from rated

group by 1
order by 1

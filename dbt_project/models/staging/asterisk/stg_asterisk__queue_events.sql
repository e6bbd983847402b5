-- One row per line of the queue log that belongs to a call, with the number of the queue visit it falls in.
-- A call put into another queue keeps its id: a visit, not the call, is what waits once.
with

source as (

    select
        callid,
        queue,
        nullif(agent, 'NONE') as agent,
        event,
        data1,
        data2,
        data3,
        {{ kf_utc('occurred_at') }} as occurred_at,
        file_id,
        byte_offset

    from {{ source('asterisk', 'queue_log') }}

    where callid is not null and callid <> 'NONE' and {{ kf_changed('interaction', 'asterisk', 'callid') }}

)

select
    source.*,
    count(case when event = 'ENTERQUEUE' then 1 end) over (
        partition by callid order by occurred_at nulls last, file_id, byte_offset
        rows between unbounded preceding and current row
    ) as visit_number

from source

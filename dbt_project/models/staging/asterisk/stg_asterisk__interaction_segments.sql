with

events as (

    select * from {{ ref('stg_asterisk__queue_events') }}

),

wrap_ups as (

    select * from {{ ref('stg_asterisk__wrap_ups') }}

),

visits as (

    select
        callid,
        visit_number,
        min(queue) as queue,
        min(occurred_at) as first_seen_at,
        min(occurred_at) filter (where event = 'ENTERQUEUE') as entered_at,
        min(occurred_at) filter (where event = 'CONNECT') as connected_at,
        min(agent) filter (where event = 'CONNECT') as agent,
        min(data1) filter (where event = 'CONNECT') as held_for,
        min(data3) filter (where event = 'CONNECT') as rang_for,
        min(event) filter (where event in ('ABANDON', 'EXITWITHTIMEOUT', 'EXITWITHKEY', 'EXITEMPTY')) as left_by,
        min(occurred_at) filter (where event in ('ABANDON', 'EXITWITHTIMEOUT', 'EXITWITHKEY', 'EXITEMPTY')) as left_at,
        min(data3) filter (where event in ('ABANDON', 'EXITWITHTIMEOUT')) as left_after,
        min(event) filter (
            where event in ('COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER')
        ) as talk_ended_by,
        min(occurred_at) filter (
            where event in ('COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER')
        ) as talk_ended_at,
        min(data2) filter (where event in ('COMPLETEAGENT', 'COMPLETECALLER')) as talked_for

    from events

    group by callid, visit_number

),

timed as (

    select
        callid,
        visit_number,
        queue,
        agent,
        left_by,
        talk_ended_by,
        talk_ended_at,
        connected_at,
        -- the log's own figures, as the phone system measured them; the stamps where it gives none
        case when {{ kf_matches('held_for', '^[0-9]+$') }} then cast(held_for as bigint) end as held_seconds,
        case when {{ kf_matches('rang_for', '^[0-9]+$') }} then cast(rang_for as bigint) end as rang_seconds,
        case when {{ kf_matches('left_after', '^[0-9]+$') }} then cast(left_after as bigint) end as left_after_seconds,
        case when {{ kf_matches('talked_for', '^[0-9]+$') }} then cast(talked_for as bigint) end as talked_seconds,
        coalesce(entered_at, first_seen_at) as queued_at,
        coalesce(connected_at, left_at) as left_queue_at

    from visits

    where entered_at is not null or connected_at is not null or left_at is not null

),

-- stacked, not joined: nobody can tell the planner how many wrap-ups there are, and it takes them for one
talks_and_wrap_ups as (

    select
        callid,
        visit_number,
        queue,
        agent,
        talk_ended_at,
        cast(null as timestamp) as wrap_started_at,
        cast(null as timestamp) as wrap_ended_at,
        0 as is_wrap_up
    from timed
    where talk_ended_at is not null

    union all

    select
        callid,
        cast(null as bigint) as visit_number,
        cast(null as {{ kf_text() }}) as queue,
        agent,
        talk_ended_at,
        started_at as wrap_started_at,
        ended_at as wrap_ended_at,
        1 as is_wrap_up
    from wrap_ups

),

wrapped as (

    select
        callid,
        visit_number,
        queue,
        agent,
        talk_ended_at,
        is_wrap_up,
        max(is_wrap_up) over of_talk as has_wrap_up,
        max(wrap_started_at) over of_talk as wrap_started_at,
        max(wrap_ended_at) over of_talk as wrap_ended_at

    from talks_and_wrap_ups

    window of_talk as (partition by callid, agent, talk_ended_at)

),

segments as (

    select
        callid,
        visit_number,
        1 as step,
        cast(null as bigint) as leg_number,
        'queue' as segment_type,
        case
            when connected_at is not null then 'answered'
            when left_by = 'ABANDON' then 'abandoned'
            when left_by in ('EXITWITHTIMEOUT', 'EXITWITHKEY') then 'overflowed'
            when left_by = 'EXITEMPTY' then 'closed'
            else 'unfinished'
        end as outcome,
        queue,
        agent,
        queued_at as started_at,
        left_queue_at as ended_at,
        coalesce(held_seconds, left_after_seconds, {{ kf_seconds_between('queued_at', 'left_queue_at') }})
            as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by,
        cast(null as {{ kf_text() }}) as file_id,
        cast(null as bigint) as byte_offset
    from timed

    union all

    select
        callid,
        visit_number,
        0 as step,
        cast(null as bigint) as leg_number,
        'alert' as segment_type,
        -- E25: an agent's miss; when the caller gave up while it rang, nobody's
        case event when 'RINGCANCELED' then 'cancelled' else 'not_answered' end as outcome,
        queue,
        agent,
        {{ kf_add_seconds('occurred_at', '-' ~ kf_idiv('cast(data1 as bigint)', 1000)) }} as started_at,
        occurred_at as ended_at,
        {{ kf_idiv('cast(data1 as bigint)', 1000) }} as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by,
        file_id,
        byte_offset
    from events
    where event in ('RINGNOANSWER', 'RINGCANCELED') and {{ kf_matches('data1', '^[0-9]+$') }}

    union all

    select
        callid,
        visit_number,
        0 as step,
        cast(null as bigint) as leg_number,
        'alert' as segment_type,
        'answered' as outcome,
        queue,
        agent,
        {{ kf_add_seconds('connected_at', '-coalesce(rang_seconds, 0)') }} as started_at,
        connected_at as ended_at,
        rang_seconds as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by,
        cast(null as {{ kf_text() }}) as file_id,
        cast(null as bigint) as byte_offset
    from timed
    where connected_at is not null

    union all

    select
        callid,
        visit_number,
        2 as step,
        cast(visit_number as bigint) as leg_number,
        'talk' as segment_type,
        case
            when talk_ended_by in ('BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER') then 'transferred'
            when talk_ended_by is not null then 'completed'
            else 'unfinished'
        end as outcome,
        queue,
        agent,
        connected_at as started_at,
        talk_ended_at as ended_at,
        coalesce(talked_seconds, {{ kf_seconds_between('connected_at', 'talk_ended_at') }}) as duration_seconds,
        case talk_ended_by when 'COMPLETEAGENT' then 'agent' when 'COMPLETECALLER' then 'customer' end as ended_by,
        cast(null as {{ kf_text() }}) as file_id,
        cast(null as bigint) as byte_offset
    from timed
    where connected_at is not null

    union all

    select
        wrapped.callid,
        wrapped.visit_number,
        3 as step,
        cast(wrapped.visit_number as bigint) as leg_number,
        'wrap' as segment_type,
        'completed' as outcome,
        wrapped.queue,
        wrapped.agent,
        coalesce(wrapped.wrap_started_at, wrapped.talk_ended_at) as started_at,
        coalesce(wrapped.wrap_ended_at, wrapped.talk_ended_at) as ended_at,
        case
            when wrapped.has_wrap_up = 0 then 0
            else {{ kf_seconds_between('wrapped.wrap_started_at', 'wrapped.wrap_ended_at') }}
        end as duration_seconds,
        cast(null as {{ kf_text() }}) as ended_by,
        cast(null as {{ kf_text() }}) as file_id,
        cast(null as bigint) as byte_offset
    from wrapped
    where
        wrapped.is_wrap_up = 0
        and (select traits.has_wrap_up_record from {{ ref('stg_asterisk__traits') }} as traits)

)

select
    'asterisk-' || callid || '-' || visit_number || '-' || segment_type || '-' || row_number() over (
        partition by callid, visit_number, segment_type
        order by started_at nulls last, agent nulls last, file_id nulls last, byte_offset nulls last
    ) as segment_id,
    'asterisk-' || callid as interaction_id,
    'asterisk' as source,
    cast(row_number() over (
        partition by callid
        order by
            visit_number nulls last, step nulls last, started_at nulls last, agent nulls last,
            file_id nulls last, byte_offset nulls last
    ) as integer) as sequence,
    leg_number,
    segment_type,
    outcome,
    'asterisk-' || queue as queue_id,
    'asterisk-' || queue as source_team_id,
    'asterisk-' || agent as agent_id,
    started_at,
    ended_at,
    duration_seconds,
    ended_by

from segments

-- One row per wrap-up: an agent who pauses with the reason "wrapup" directly after a call, until the pause ends.
with

changed as (

    select
        agent,
        occurred_at

    from {{ source('asterisk', 'queue_log') }}

    where callid <> 'NONE' and {{ kf_changed('interaction', 'asterisk', 'callid') }}

),

agent_events as (

    select
        agent,
        callid,
        queue,
        event,
        data1,
        {{ kf_utc('occurred_at') }} as occurred_at,
        lead(event) over spell as next_event,
        lead(data1) over spell as next_data1,
        lead({{ kf_utc('occurred_at') }}) over spell as paused_at,
        lead(event, 2) over spell as event_after,
        lead({{ kf_utc('occurred_at') }}, 2) over spell as unpaused_at

    from {{ source('asterisk', 'queue_log') }}

    where
        event in (
            'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER',
            'CONNECT', 'PAUSE', 'UNPAUSE'
        )
        {%- if not kf_is_full() %}
        -- what follows a call is all that its wrap-up hangs on
        and agent in (select changed.agent from changed)
        and occurred_at >= (select min(changed.occurred_at) from changed)
        {%- endif %}

    window spell as (partition by agent order by occurred_at nulls last, file_id, byte_offset)

)

select
    callid,
    agent,
    occurred_at as talk_ended_at,
    paused_at as started_at,
    case when event_after = 'UNPAUSE' then unpaused_at end as ended_at

from agent_events

where
    {{ kf_changed('interaction', 'asterisk', 'callid') }}
    and event in ('COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER')
    and next_event = 'PAUSE'
    and lower(next_data1) = 'wrapup'

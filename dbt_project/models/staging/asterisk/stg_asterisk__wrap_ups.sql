-- One row per wrap-up: an agent who pauses with the reason "wrapup" directly after a call, until the pause ends.
with

-- what follows the first of an agent's calls is all that their wrap-ups hang on
changed as (

    select
        agent,
        min(occurred_at) as first_at

    from {{ source('asterisk', 'queue_log') }}

    where
        event in ('COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER')
        and {{ kf_changed('interaction', 'asterisk', 'callid') }}

    group by agent

),

agent_events as (

    select
        log.agent,
        log.callid,
        log.queue,
        log.event,
        log.data1,
        {{ kf_utc('log.occurred_at') }} as occurred_at,
        lead(log.event) over spell as next_event,
        lead(log.data1) over spell as next_data1,
        lead({{ kf_utc('log.occurred_at') }}) over spell as paused_at,
        lead(log.event, 2) over spell as event_after,
        lead({{ kf_utc('log.occurred_at') }}, 2) over spell as unpaused_at

    from {{ source('asterisk', 'queue_log') }} as log
    inner join changed
        on
            log.agent = changed.agent
            and log.occurred_at >= changed.first_at

    where
        log.event in (
            'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER',
            'CONNECT', 'PAUSE', 'UNPAUSE'
        )

    window spell as (partition by log.agent order by log.occurred_at nulls last, log.file_id, log.byte_offset)

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

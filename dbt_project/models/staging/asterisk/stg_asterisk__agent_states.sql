-- The spells of an agent between one line about the member and the next: signed in, paused for a reason, signed out.
-- The log tells of an agent in each of their queues; what it said last holds for all of them.
with

changed as (

    select
        agent,
        min(occurred_at) as first_at

    from {{ source('asterisk', 'queue_log') }}

    where {{ kf_changed('agent_state', 'asterisk', asterisk_agent_day('agent', 'occurred_at')) }}

    group by agent

),

lines as (

    select
        log.agent,
        nullif(log.queue, 'NONE') as queue,
        log.event,
        lower(coalesce(log.data1, '')) as reason,
        {{ asterisk_agent_day('log.agent', 'log.occurred_at') }} as agent_day,
        {{ kf_utc('log.occurred_at') }} as started_at,
        {{ kf_utc('lead(log.occurred_at) over spell') }} as ended_at,
        log.file_id,
        log.byte_offset

    from {{ source('asterisk', 'queue_log') }} as log
    inner join changed
        on
            log.agent = changed.agent
            and log.occurred_at >= changed.first_at

    where
        log.event in ({{ asterisk_member_events() }})
        and log.agent is not null
        and log.agent <> 'NONE'

    window spell as (partition by log.agent order by log.occurred_at nulls last, log.file_id, log.byte_offset)

),

reasons as (

    select
        lower(reason) as reason,
        min(state) as state

    from {{ source('asterisk', 'pause_reasons') }}

    group by lower(reason)

)

select
    'asterisk-' || lines.file_id || '-' || lines.byte_offset as state_id,
    'asterisk-' || lines.agent_day as state_group_id,
    'asterisk' as source,
    'asterisk-' || lines.agent as agent_id,
    'asterisk-' || lines.queue as source_team_id,
    case
        when lines.event in ('REMOVEMEMBER', 'AGENTLOGOFF', 'AGENTCALLBACKLOGOFF') then 'offline'
        when lines.event in ('PAUSE', 'PAUSEALL') and reasons.state is not null then reasons.state
        when lines.event in ('PAUSE', 'PAUSEALL') then {{ canonical_word('lines.reason', {
            'wrap': ['wrapup', 'wrap-up', 'wrap', 'acw'],
            'break': ['break'],
            'lunch': ['lunch'],
            'meeting': ['meeting'],
            'training': ['training'],
            'coaching': ['coaching'],
            'other': ['', 'auto-pause', 'other'],
        }) }}
        when lines.event = 'ADDMEMBER' and lines.reason = 'paused' then 'other'
        else 'available'
    end as state,
    lines.started_at,
    lines.ended_at

from lines
left join reasons on lines.reason = reasons.reason

where {{ kf_changed('agent_state', 'asterisk', 'lines.agent_day') }}

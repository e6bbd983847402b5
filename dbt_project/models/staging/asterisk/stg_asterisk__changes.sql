-- A line belongs to its call. One that pauses or frees an agent ends the wrap-up of the agent's last call before it,
-- and the end of a call may be what such a line before belonged to.
with

lines {{ kf_as_inlined() }} (

    select
        callid,
        agent,
        event,
        occurred_at,
        _loaded_at as loaded_at

    from {{ source('asterisk', 'queue_log') }}

),

-- each of the two asked for on its own: of "one of two instants" an index on agent and instant knows nothing
neighbours as (

    {%- for is_at_or_before in ['<=', '<'] %}
    select
        earlier.callid,
        lines.loaded_at

    from lines
    inner join {{ source('asterisk', 'queue_log') }} as earlier
        on
            lines.agent = earlier.agent
            and earlier.occurred_at = (
                select max(former.occurred_at) from {{ source('asterisk', 'queue_log') }} as former
                where
                    former.agent = lines.agent
                    and former.occurred_at {{ is_at_or_before }} lines.occurred_at
                    and former.event in (
                        'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER'
                    )
            )

    where
        lines.agent <> 'NONE'
        and lines.event in (
            'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER',
            'CONNECT', 'PAUSE', 'UNPAUSE'
        )

    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

members {{ kf_as_inlined() }} (

    select
        agent,
        occurred_at,
        loaded_at

    from lines

    where event in ({{ asterisk_member_events() }}) and agent <> 'NONE'

),

stacked as (

    select
        'interaction' as entity,
        callid as root,
        loaded_at
    from lines

    union all

    select
        'interaction' as entity,
        callid as root,
        loaded_at
    from neighbours

    union all

    -- the agent's day, and the day of the line before: its spell ends here
    select
        'agent_state' as entity,
        {{ asterisk_agent_day('agent', 'occurred_at') }} as root,
        loaded_at
    from members

    union all

    select
        'agent_state' as entity,
        {{ asterisk_agent_day('members.agent', '(
            select max(former.occurred_at) from ' ~ source('asterisk', 'queue_log') ~ ' as former
            where
                former.agent = members.agent
                and former.occurred_at < members.occurred_at
                and former.event in (' ~ asterisk_member_events() ~ ')
        )') }} as root,
        members.loaded_at
    from members

    union all

    select
        'interaction' as entity,
        root,
        _loaded_at as loaded_at
    from {{ source('asterisk', 'removed') }}

)

select
    entity,
    'asterisk' as source,
    root,
    'asterisk-' || root as id,
    loaded_at

from stacked

where root <> 'NONE'

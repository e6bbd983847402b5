with

events as (

    select * from {{ ref('stg_asterisk__queue_events') }}

),

calls as (

    select
        callid,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        min(nullif(data2, '')) filter (where event = 'ENTERQUEUE') as caller,
        min(queue) filter (where visit_number = 1) as queue

    from events

    group by callid

    -- what an administrator does stands in the log as MANAGER or CLI, and is no call
    having bool_or(
        event not in (
            'ADDMEMBER', 'REMOVEMEMBER', 'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL', 'PENALTY', 'RINGPENALTY',
            'QUEUESTART', 'CONFIGRELOAD'
        )
    )

)

select
    'asterisk-' || callid as interaction_id,
    'asterisk' as source,
    'voice' as channel,
    'inbound' as direction,
    {{ kf_identity('phone', kf_phone('caller')) }} as identity_id,
    'asterisk-' || queue as source_team_id,
    cast(null as {{ kf_text() }}) as unqueued_outcome,
    true as has_transfer_record,
    cast(0 as bigint) as reported_transfers,
    cast(null as {{ kf_text() }}) as parent_interaction_id,
    started_at,
    ended_at

from calls

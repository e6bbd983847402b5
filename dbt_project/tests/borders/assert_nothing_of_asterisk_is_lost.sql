-- Raw to ledger: every call of the queue log is a contact with as many queue visits as it entered queues, and as
-- many rings without an answer as the log tells of with their length. Lines of no call are agents' and
-- administrators' doings.
with

logged as (

    select
        'asterisk-' || callid as interaction_id,
        count(case when event = 'ENTERQUEUE' then 1 end) as entered,
        count(case when event = 'RINGNOANSWER' and {{ kf_matches('data1', '^[0-9]+$') }} then 1 end) as rang

    from {{ source('asterisk', 'queue_log') }}

    where callid <> 'NONE' and {{ kf_changed('interaction', 'asterisk', 'callid') }}

    group by callid

    having count(case
        when event not in (
            'ADDMEMBER', 'REMOVEMEMBER', 'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL', 'PENALTY', 'RINGPENALTY',
            'QUEUESTART', 'CONFIGRELOAD'
        ) then 1
    end) > 0

),

told as (

    select
        interactions.interaction_id,
        count(case when segments.segment_type = 'queue' then 1 end) as entered,
        count(case when segments.segment_type = 'alert' and segments.outcome = 'not_answered' then 1 end) as rang

    from {{ ref('canonical_interactions') }} as interactions
    left join {{ ref('canonical_interaction_segments') }} as segments
        on interactions.interaction_id = segments.interaction_id

    where
        interactions.source = 'asterisk'
        and interactions.interaction_id in (select logged.interaction_id from logged)

    group by interactions.interaction_id

)

select
    logged.interaction_id,
    logged.entered,
    told.entered as entered_in_ledger,
    logged.rang,
    told.rang as rang_in_ledger

from logged
left join told on logged.interaction_id = told.interaction_id

-- a log that begins in the middle of a call has visits whose entry it does not show
where told.interaction_id is null or told.entered < logged.entered or told.rang <> logged.rang

-- One row per ticket and spell of one status. Closed or deleted is the end of a ticket's life: no spell, and no time
-- counts, unless it comes back. A spell that is not over has no length: how long it is depends on when one looks.
with

events as (

    select
        *,
        lag(status) over in_order as status_before,
        count(case when is_solve then sequence end) over (
            partition by ticket_id order by sequence rows between unbounded preceding and current row
        ) as solves

    from {{ ref('fct_ticket_events') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

    window in_order as (partition by ticket_id order by sequence)

),

spells as (

    select
        ticket_id,
        source,
        sequence,
        status,
        team_id,
        agent_id,
        priority,
        solves = 0 as is_before_first_solve,
        occurred_at as started_at,
        clock_business_seconds as clock_at_start,
        lead(sequence) over in_order as next_sequence,
        -- a source whose clock went back has no spell shorter than nothing
        greatest(occurred_at, lead(occurred_at) over in_order) as ended_at,
        lead(clock_business_seconds) over in_order as clock_at_end

    from events

    where status_before is null or status <> status_before

    window in_order as (partition by ticket_id order by sequence)

)

select
    ticket_id,
    source,
    sequence,
    status,
    team_id,
    agent_id,
    priority,
    is_before_first_solve,
    next_sequence is null as is_running,
    started_at,
    case when next_sequence is not null then ended_at end as ended_at,
    case when next_sequence is not null then {{ kf_seconds_between('started_at', 'ended_at') }} end as duration_seconds,
    case
        when next_sequence is not null and clock_at_start is not null and clock_at_end is not null
            then greatest(clock_at_end - clock_at_start, 0)
    end as duration_business_seconds

from spells

where status not in ('closed', 'deleted')

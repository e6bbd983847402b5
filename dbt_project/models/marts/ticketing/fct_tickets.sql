-- One row per ticket. What happened is read from its events; only where a source keeps no events, from its own figures.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

tickets as (

    select tickets.*
    from {{ ref('canonical_tickets') }} as tickets
    cross join build
    where tickets.created_at <= build.as_of_at and {{ kf_touched('ticket', 'tickets.ticket_id') }}

),

events as (

    select
        events.*,
        min(case when is_solve then sequence end) over whole as first_solve,
        max(case when is_solve then sequence end) over whole as last_solve,
        min(case when is_agent_reply then sequence end) over whole as first_reply,
        min(case when team_id <> 'none' then sequence end) over whole as first_team,
        max(sequence) over whole as last_event,
        max(case when is_solve then occurred_at end) over so_far as undone_solve_at,
        min(case when is_solve then sequence end) over from_here as next_solve,
        min(case when is_solve then occurred_at end) over from_here as next_solve_at,
        min(case when is_agent_reply then sequence end) over from_here as next_reply

    from {{ ref('fct_ticket_events') }} as events

    where {{ kf_touched('ticket', 'events.ticket_id') }}

    window
        whole as (partition by ticket_id),
        so_far as (partition by ticket_id order by sequence rows between unbounded preceding and current row),
        from_here as (partition by ticket_id order by sequence rows between current row and unbounded following)

),

judged as (

    select
        events.*,
        -- E04: "thanks" and solved again, no agent having replied, is no reopen
        events.is_reopen and not coalesce(
            {{ kf_seconds_between('events.occurred_at', 'events.next_solve_at') }} <= build.thanks_window_seconds
            and coalesce(events.next_reply > events.next_solve, true),
            false
        ) as is_counted_reopen,
        {{ kf_seconds_between('events.undone_solve_at', 'events.occurred_at') }}
        <= build.reopen_window_days * 86400 as is_within_window

    from events
    cross join build

),

lives as (

    select
        ticket_id,
        min(occurred_at) filter (where sequence = first_solve) as first_solved_at,
        min(occurred_at) filter (where sequence = last_solve) as last_solved_at,
        min(occurred_at) filter (where sequence = first_reply) as first_replied_at,
        min(team_id) filter (where sequence = first_team) as first_team_id,
        min(team_id) filter (where sequence = first_reply) as first_reply_team_id,
        min(team_id) filter (where sequence = first_solve) as first_solve_team_id,
        min(team_id) filter (where sequence = last_solve) as last_solve_team_id,
        min(status) filter (where sequence = last_event) as status,
        count(*) filter (where is_agent_reply) as agent_replies,
        count(*) filter (where is_reassignment) as reassignments,
        count(*) filter (where is_counted_reopen) as reopens,
        count(*) filter (where is_counted_reopen and is_within_window) as reopens_within_window

    from judged

    group by ticket_id

),

joined as (

    select
        tickets.ticket_id,
        tickets.source,
        {{ kf_customer('people', 'tickets.identity_id') }} as customer_id,
        {{ kf_customer_confidence('people', 'tickets.identity_id') }} as customer_confidence,
        tickets.identity_id,
        tickets.related_ticket_id,
        tickets.call_reference,
        tickets.channel,
        tickets.priority,
        coalesce(lives.status, tickets.status) as status,
        tickets.team_id,
        tickets.agent_id,
        tickets.created_by_kind,
        tickets.excluded_reason,
        tickets.excluded_reason is not null as is_excluded,
        tickets.created_at,
        coalesce(lives.first_replied_at, tickets.reported_first_replied_at) as first_replied_at,
        coalesce(lives.first_solved_at, tickets.reported_first_solved_at) as first_solved_at,
        -- solved for good, as far as is known: an unsolved ticket has no last solve
        case
            when coalesce(lives.status, tickets.status) in ('solved', 'closed')
                then coalesce(lives.last_solved_at, tickets.reported_last_solved_at)
        end as last_solved_at,
        coalesce(lives.first_team_id, tickets.team_id) as first_team_id,
        coalesce(lives.first_reply_team_id, lives.first_team_id, tickets.team_id) as first_reply_team_id,
        coalesce(lives.first_solve_team_id, tickets.team_id) as first_solve_team_id,
        coalesce(lives.last_solve_team_id, tickets.team_id) as last_solve_team_id,
        coalesce(tickets.reported_agent_replies, lives.agent_replies, 0) as agent_replies,
        coalesce(tickets.reported_reassignments, lives.reassignments, 0) as reassignments,
        coalesce(tickets.reported_reopens, lives.reopens, 0) as reopens,
        case
            when tickets.reported_reopens is not null then tickets.reported_reopens > 0
            else coalesce(lives.reopens_within_window, 0) > 0
        end as was_reopened_in_window,
        tickets.has_reply_record,
        tickets.has_assignment_record,
        tickets.has_reopen_record

    from tickets
    left join lives on tickets.ticket_id = lives.ticket_id
    {{ kf_customer_join('people', 'tickets.identity_id', 'tickets.created_at') }}

)

select
    joined.*,
    -- the reporting days KPIs are booked on
    {{ kf_local_date('joined.created_at') }} as created_date,
    {{ kf_local_date('joined.first_replied_at') }} as first_reply_date,
    {{ kf_local_date('joined.first_solved_at') }} as first_solve_date,
    {{ kf_local_date('joined.last_solved_at') }} as last_solve_date

from joined
cross join build

-- One row per ticket and reporting day on which the ticket entered (1) or left (-1) a team's pile of open tickets, by
-- the state at the end of the day; and one (0) for every pile it was seen in that day, so that a pile is known from
-- its first ticket on, also where that was solved the same day. Those of 1 say how long the ticket stayed in the pile,
-- so that how old what lies in it is can be counted on any day; those of 0 whether that day ended its work.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

tickets as (

    select * from {{ ref('fct_tickets') }}
    where not is_excluded and {{ kf_touched('ticket', 'ticket_id') }}

),

events as (

    select
        events.ticket_id,
        tickets.source,
        tickets.channel,
        tickets.created_date,
        {{ kf_local_date('events.occurred_at') }} as service_date,
        events.team_id,
        events.priority,
        events.status not in ('solved', 'closed', 'deleted') as is_open,
        events.status in ('solved', 'closed') as is_solved,
        row_number() over (
            partition by events.ticket_id, {{ kf_local_date('events.occurred_at') }}
            order by events.sequence desc
        ) as from_end_of_day

    from {{ ref('fct_ticket_events') }} as events
    inner join tickets on events.ticket_id = tickets.ticket_id
    cross join build

    where {{ kf_touched('ticket', 'events.ticket_id') }}

),

days as (

    select
        ticket_id,
        source,
        channel,
        created_date,
        service_date,
        team_id,
        priority,
        is_open,
        -- open the day before, or not there yet
        is_solved
        and coalesce(lag(is_open) over (partition by ticket_id order by service_date nulls last), true) as was_solved,
        lead(service_date) over (partition by ticket_id order by service_date nulls last) as next_date

    from events

    where {{ kf_first('from_end_of_day') }}

),

-- every pile a ticket was seen in that day; only the last of them can have ended its work
seen as (

    select
        ticket_id,
        source,
        channel,
        team_id,
        priority,
        service_date,
        created_date,
        case when was_solved then 1 else 0 end as solved

    from days

    union all

    select
        ticket_id,
        source,
        channel,
        team_id,
        priority,
        service_date,
        created_date,
        0 as solved

    from events

    where from_end_of_day > 1

)

select
    ticket_id,
    source,
    channel,
    team_id,
    priority,
    service_date,
    cast(1 as bigint) as change,
    created_date,
    next_date as until_date,
    cast(0 as bigint) as solved

from days

where is_open

union all

select
    ticket_id,
    source,
    channel,
    team_id,
    priority,
    next_date as service_date,
    cast(-1 as bigint) as change,
    created_date,
    cast(null as date) as until_date,
    cast(0 as bigint) as solved

from days

where is_open and next_date is not null

union all

select
    ticket_id,
    source,
    channel,
    team_id,
    priority,
    service_date,
    cast(0 as bigint) as change,
    created_date,
    cast(null as date) as until_date,
    cast(max(solved) as bigint) as solved

from seen

group by 1, 2, 3, 4, 5, 6, 7, 8, 9

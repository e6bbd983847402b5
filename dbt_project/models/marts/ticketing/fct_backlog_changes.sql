-- One row per ticket and reporting day on which the ticket entered or left a team's pile of open tickets, by the state
-- at the end of the day: what happens within one day leaves no trace.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

tickets as (

    select * from {{ ref('fct_tickets') }}
    where not is_excluded

),

events as (

    select
        events.ticket_id,
        tickets.source,
        tickets.channel,
        {{ kf_local_date('events.occurred_at') }} as service_date,
        events.team_id,
        events.priority,
        events.status not in ('solved', 'closed', 'deleted') as is_open,
        row_number() over (
            partition by events.ticket_id, {{ kf_local_date('events.occurred_at') }}
            order by events.sequence desc
        ) as from_end_of_day

    from {{ ref('fct_ticket_events') }} as events
    inner join tickets on events.ticket_id = tickets.ticket_id
    cross join build

),

days as (

    select
        ticket_id,
        source,
        channel,
        service_date,
        team_id,
        priority,
        is_open,
        lead(service_date) over (partition by ticket_id order by service_date) as next_date

    from events

    where from_end_of_day = 1

)

select
    ticket_id,
    source,
    channel,
    team_id,
    priority,
    service_date,
    cast(1 as bigint) as change

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
    cast(-1 as bigint) as change

from days

where is_open and next_date is not null

-- The pile of the last day is what came less what left, counted another way: tickets now open.
with

known as (

    select max(service_date) as last_date from {{ ref('kpi_backlog_daily') }}

),

piled as (

    select {{ kf_sum('backlog.open_tickets') }} as open_tickets
    from {{ ref('kpi_backlog_daily') }} as backlog
    inner join known on backlog.service_date = known.last_date

),

counted as (

    select count(*) as open_tickets
    from {{ ref('fct_tickets') }} as tickets
    where
        not tickets.is_excluded
        and tickets.status not in ('solved', 'closed', 'deleted')
        and tickets.ticket_id in (select events.ticket_id from {{ ref('fct_ticket_events') }} as events)

)

select
    piled.open_tickets as piled,
    counted.open_tickets as counted

from piled
cross join counted

where piled.open_tickets <> counted.open_tickets

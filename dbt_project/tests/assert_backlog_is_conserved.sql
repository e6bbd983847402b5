-- The pile of the last day is what came less what left, counted another way: tickets now open.
with

known as (

    select max(service_date) as last_date from {{ ref('kpi_backlog_daily') }}

),

piled as (

    select coalesce(sum(open_tickets), 0) as open_tickets
    from {{ ref('kpi_backlog_daily') }} as backlog
    inner join known on backlog.service_date = known.last_date

),

counted as (

    select count(*) as open_tickets
    from {{ ref('fct_tickets') }} as tickets
    where
        not tickets.is_excluded
        and tickets.status not in ('solved', 'closed', 'deleted')
        and exists (select 1 from {{ ref('fct_ticket_events') }} as events where events.ticket_id = tickets.ticket_id)

)

select
    piled.open_tickets as piled,
    counted.open_tickets as counted

from piled
cross join counted

where piled.open_tickets <> counted.open_tickets

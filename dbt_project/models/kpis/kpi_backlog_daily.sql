-- Open tickets at the end of every reporting day, from the first ticket on, up to the last day any ticket changed:
-- what lies beyond it the sources have not told yet.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

changes as (

    select
        source,
        channel,
        team_id,
        priority,
        service_date,
        sum(change) as change

    from {{ ref('fct_backlog_changes') }}

    group by source, channel, team_id, priority, service_date

),

known as (

    select
        {{ kf_local_date('max(events.occurred_at)') }} as last_date

    from {{ ref('fct_ticket_events') }} as events
    cross join build

    group by build.reporting_zone

),

-- From the day a pile had its first ticket on: nothing open at its end is a backlog of 0, not an unknown one.
piles as (

    select
        tickets.source,
        tickets.channel,
        events.team_id,
        events.priority,
        min({{ kf_local_date('events.occurred_at') }}) as first_date

    from {{ ref('fct_ticket_events') }} as events
    inner join {{ ref('fct_tickets') }} as tickets on events.ticket_id = tickets.ticket_id
    cross join build

    where not tickets.is_excluded

    group by tickets.source, tickets.channel, events.team_id, events.priority

),

days as (

    select
        piles.source,
        piles.channel,
        piles.team_id,
        piles.priority,
        dates.service_date

    from piles
    cross join known
    inner join {{ ref('dim_date') }} as dates
        on dates.service_date between piles.first_date and known.last_date

),

counted as (

    select
        days.service_date,
        days.source,
        days.channel,
        days.team_id,
        days.priority,
        cast(sum(coalesce(changes.change, 0)) over (
            partition by days.source, days.channel, days.team_id, days.priority
            order by days.service_date
            rows between unbounded preceding and current row
        ) as bigint) as open_tickets

    from days
    left join changes
        on
            days.source = changes.source
            and days.channel = changes.channel
            and days.team_id = changes.team_id
            and days.priority = changes.priority
            and days.service_date = changes.service_date

)

select * from counted

-- Open tickets at the end of every reporting day, from the first ticket on, up to the last day any ticket changed:
-- what lies beyond it the sources have not told yet. A pile that nothing is left in has a backlog of 0, not an unknown
-- one. Where only the last days change, the count goes on from the last day that stays. Beside it what was solved in
-- the last days (backlog_rate_days): a solve comes in on its day and goes out again so many days later.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

{% if is_incremental() -%}
kept as (

    select max(service_date) as last_date from {{ this }}

),

opening as (

    select
        piled.source,
        piled.channel,
        piled.team_id,
        piled.priority,
        piled.service_date,
        piled.open_tickets as change,
        piled.solved_recently as solved

    from {{ this }} as piled
    inner join kept on piled.service_date = kept.last_date

),

{% endif -%}
moves as (

    select
        source,
        channel,
        team_id,
        priority,
        service_date,
        change,
        solved

    from {{ ref('fct_backlog_changes') }}
    {%- if is_incremental() %}

    where service_date > coalesce((select kept.last_date from kept), cast('0001-01-01' as date))

    union all

    select * from opening
    {%- endif %}

    union all

    select
        solves.source,
        solves.channel,
        solves.team_id,
        solves.priority,
        {{ kf_add_days('solves.service_date', 'build.backlog_rate_days') }} as service_date,
        cast(0 as bigint) as change,
        -solves.solved as solved

    from {{ ref('fct_backlog_changes') }} as solves
    cross join build

    where
        solves.solved > 0
        {%- if is_incremental() %}
        and solves.service_date > {{ kf_add_days(
            "coalesce((select kept.last_date from kept), cast('0001-12-31' as date))", '-build.backlog_rate_days'
        ) }}
        {%- endif %}

),

changes as (

    select
        source,
        channel,
        team_id,
        priority,
        service_date,
        {{ kf_sum('change') }} as change,
        {{ kf_sum('solved') }} as solved

    from moves

    group by source, channel, team_id, priority, service_date

),

known as (

    select
        min(service_date) as first_date,
        max(service_date) as last_date

    from {{ ref('fct_backlog_changes') }}

),

piles as (

    select
        source,
        channel,
        team_id,
        priority,
        min(service_date) as first_date

    from changes

    group by source, channel, team_id, priority

),

days as (

    select
        piles.source,
        piles.channel,
        piles.team_id,
        piles.priority,
        dates.service_date,
        cast(0 as bigint) as change,
        cast(0 as bigint) as solved

    from piles
    inner join {{ ref('dim_date') }} as dates
        on dates.service_date between piles.first_date and (select known.last_date from known)

    union all

    select
        source,
        channel,
        team_id,
        priority,
        service_date,
        change,
        solved

    from changes

),

moved as (

    select
        service_date,
        source,
        channel,
        team_id,
        priority,
        {{ kf_sum('change') }} as change,
        {{ kf_sum('solved') }} as solved

    from days

    group by service_date, source, channel, team_id, priority

),

counted as (

    select
        service_date,
        source,
        channel,
        team_id,
        priority,
        cast(sum(change) over (
            partition by source, channel, team_id, priority
            order by service_date nulls last
            rows between unbounded preceding and current row
        ) as bigint) as open_tickets,
        cast(sum(solved) over (
            partition by source, channel, team_id, priority
            order by service_date nulls last
            rows between unbounded preceding and current row
        ) as bigint) as solved_recently

    from moved

)

select
    counted.service_date,
    counted.source,
    counted.channel,
    counted.team_id,
    counted.priority,
    counted.open_tickets,
    counted.solved_recently,
    -- while fewer days are known, the solves are the mean of those
    counted.open_tickets * least(
        build.backlog_rate_days, {{ kf_days_between('known.first_date', 'counted.service_date') }} + 1
    ) as open_ticket_days

from counted
cross join build
cross join known

where
    -- some solves go out only after the last day that is known
    counted.service_date <= known.last_date
    {%- if is_incremental() %}
    and counted.service_date > coalesce((select kept.last_date from kept), cast('0001-01-01' as date))
    {%- endif %}

-- Open tickets at the end of every reporting day, from the first ticket on, up to the last day any ticket changed:
-- what lies beyond it the sources have not told yet. A pile that nothing is left in has a backlog of 0, not an unknown
-- one. Where only the last days change, the count goes on from the last day that stays.
with

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
        piled.open_tickets as change

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
        change

    from {{ ref('fct_backlog_changes') }}
    {%- if is_incremental() %}

    where service_date > coalesce((select kept.last_date from kept), cast('0001-01-01' as date))

    union all

    select * from opening
    {%- endif %}

),

changes as (

    select
        source,
        channel,
        team_id,
        priority,
        service_date,
        {{ kf_sum('change') }} as change

    from moves

    group by source, channel, team_id, priority, service_date

),

known as (

    select max(service_date) as last_date from {{ ref('fct_backlog_changes') }}

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
        cast(0 as bigint) as change

    from piles
    cross join known
    inner join {{ ref('dim_date') }} as dates
        on dates.service_date between piles.first_date and known.last_date

    union all

    select
        source,
        channel,
        team_id,
        priority,
        service_date,
        change

    from changes

),

moved as (

    select
        service_date,
        source,
        channel,
        team_id,
        priority,
        {{ kf_sum('change') }} as change

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
        ) as bigint) as open_tickets

    from moved

)

select * from counted
{%- if is_incremental() %}

where service_date > coalesce((select kept.last_date from kept), cast('0001-01-01' as date))
{%- endif %}

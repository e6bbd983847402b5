{#-
The CTEs from `dates` to `pieces`: the legs of the CTE `legs` (leg_id, agent_id, team_id, source, started_at, ended_at,
first_date, last_date) by the reporting days on which they began and ended. A leg over midnight is split there (E06, E16),
whatever the clocks did that night.
-#}
{% macro kf_leg_pieces() -%}
dates as (

    select first_date as service_date from legs
    union
    select last_date as service_date from legs

),

edges as (

    select service_date as edge_date from dates
    union
    select {{ kf_add_days('service_date', 1) }} as edge_date from dates

),

-- the first instant at which the zone's clock shows the date
midnights as (

    select
        edges.edge_date,
        min(
            greatest(
                {{ kf_add_seconds('cast(edges.edge_date as timestamp)', '-zones.offset_seconds') }},
                zones.starts_at
            )
        ) as begins_at

    from edges
    cross join build
    inner join {{ ref('canonical_zone_offsets') }} as zones on build.reporting_zone = zones.zone

    where {{ kf_add_seconds('cast(edges.edge_date as timestamp)', '-zones.offset_seconds') }} < zones.ends_at

    group by edges.edge_date

),

days as (

    select
        dates.service_date,
        today.begins_at,
        tomorrow.begins_at as ends_at

    from dates
    inner join midnights as today on dates.service_date = today.edge_date
    inner join midnights as tomorrow on {{ kf_add_days('dates.service_date', 1) }} = tomorrow.edge_date

),

-- the days between are those of a timer somebody forgot (E24)
leg_days as (

    select
        leg_id,
        agent_id,
        team_id,
        source,
        started_at,
        ended_at,
        first_date as service_date

    from legs

    union all

    select
        leg_id,
        agent_id,
        team_id,
        source,
        started_at,
        ended_at,
        last_date as service_date

    from legs

    where last_date <> first_date

),

pieces as (

    select
        leg_days.leg_id,
        leg_days.agent_id,
        leg_days.team_id,
        leg_days.source,
        leg_days.service_date,
        leg_days.agent_id || ' ' || cast(leg_days.service_date as {{ kf_text() }}) as work_day_id,
        greatest(leg_days.started_at, days.begins_at) as started_at,
        least(leg_days.ended_at, days.ends_at) as ended_at

    from leg_days
    inner join days on leg_days.service_date = days.service_date

    where leg_days.started_at < days.ends_at and leg_days.ended_at > days.begins_at

)
{%- endmacro %}

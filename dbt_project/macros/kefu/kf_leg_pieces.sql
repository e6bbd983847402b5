{#-
The CTEs from `crossings` to `pieces`: the legs of the CTE `legs` (leg_id, agent_id, team_id, source, started_at,
ended_at, first_date, last_date) by the reporting days on which they began and ended. A leg over midnight is split there
(E06, E16), whatever the clocks did that night; only such legs are asked when midnight was.
-#}
{% macro kf_leg_pieces() -%}
crossings as (

    select * from legs
    where last_date > first_date

),

edges as (

    select {{ kf_add_days('first_date', 1) }} as edge_date from crossings
    union
    select last_date as edge_date from crossings

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

-- the days between are those of a timer somebody forgot (E24)
placed as (

    select
        leg_id,
        agent_id,
        team_id,
        source,
        first_date as service_date,
        started_at,
        ended_at

    from legs

    where last_date <= first_date

    union all

    select
        crossings.leg_id,
        crossings.agent_id,
        crossings.team_id,
        crossings.source,
        crossings.first_date as service_date,
        crossings.started_at,
        midnights.begins_at as ended_at

    from crossings
    inner join midnights on {{ kf_add_days('crossings.first_date', 1) }} = midnights.edge_date

    union all

    select
        crossings.leg_id,
        crossings.agent_id,
        crossings.team_id,
        crossings.source,
        crossings.last_date as service_date,
        midnights.begins_at as started_at,
        crossings.ended_at

    from crossings
    inner join midnights on crossings.last_date = midnights.edge_date

),

pieces as (

    select
        *,
        agent_id || ' ' || cast(service_date as {{ kf_text() }}) as work_day_id

    from placed

    where ended_at > started_at

)
{%- endmacro %}

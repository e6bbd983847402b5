-- One row per agent, team and reporting day: how long the agent was busy with contacts, and with how many at a time
-- (E15). A leg over midnight is split there (E06, E16), whatever the clocks did that night.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

legs as (

    select
        spans.*,
        {{ kf_local_date('spans.started_at') }} as first_date,
        {{ kf_local_date('spans.ended_at') }} as last_date

    from {{ ref('fct_contact_legs') }} as spans
    cross join build

    where
        spans.agent_id is not null
        and spans.ended_at > spans.started_at
        and (
            {{ kf_touched('agent_work_day', 'spans.work_day_id') }}
            or {{ kf_touched('agent_work_day', 'spans.last_work_day_id') }}
        )

),

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

),

-- what lies before the latest end so far has been counted
counted as (

    select
        *,
        max(ended_at) over (
            partition by work_day_id, team_id order by started_at nulls last, ended_at nulls last, leg_id
            rows between unbounded preceding and 1 preceding
        ) as busy_until_at

    from pieces

    where {{ kf_touched('agent_work_day', 'work_day_id') }}

)

select
    work_day_id,
    team_id,
    min(agent_id) as agent_id,
    min(source) as source,
    min(service_date) as service_date,
    {{ kf_sum(kf_seconds_between('started_at', 'ended_at')) }} as slot_seconds,
    {{ kf_sum(
        'greatest(' ~ kf_seconds_between('greatest(started_at, coalesce(busy_until_at, started_at))', 'ended_at') ~ ', 0)'
    ) }} as busy_seconds

from counted

group by work_day_id, team_id

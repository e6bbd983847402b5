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

    from {{ ref('fct_elapsed_legs') }} as spans
    cross join build

    where
        spans.agent_id is not null
        and spans.ended_at > spans.started_at
        and (
            {{ kf_touched('agent_work_day', 'spans.work_day_id') }}
            or {{ kf_touched('agent_work_day', 'spans.last_work_day_id') }}
        )

),

{{ kf_leg_pieces() }},

-- what lies before the latest end so far has been counted
counted as (

    select
        *,
        max(ended_at) over (
            partition by work_day_id, team_id order by started_at nulls last, ended_at nulls last, leg_id nulls last
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

{%- set parts = kf_second_parts() -%}
-- Who had to share an agent (E15): one row per leg and reporting day on which the agent had other contacts in hand
-- beside it. Of a second with k contacts each has 1/k. Legs that had their agent to themselves, on a telephone all,
-- have no row and cost no more than the look at their neighbours.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

spans as (

    select
        leg_id,
        agent_id,
        team_id,
        source,
        service_date as contact_date,
        started_at,
        ended_at,
        {{ kf_epoch('started_at') }} as from_second,
        {{ kf_epoch('ended_at') }} as to_second

    from {{ ref('fct_elapsed_legs') }}

    where
        agent_id is not null
        and ended_at > started_at
        and (
            {{ kf_touched('agent_work_day', 'work_day_id') }}
            or {{ kf_touched('agent_work_day', 'last_work_day_id') }}
        )

),

neighbours as (

    select
        *,
        max(to_second) over (
            partition by agent_id order by from_second nulls last, to_second nulls last, leg_id nulls last
            rows between unbounded preceding and 1 preceding
        ) as busy_to_second,
        lead(from_second) over (
            partition by agent_id order by from_second nulls last, to_second nulls last, leg_id nulls last
        ) as next_from_second

    from spans

    where to_second > from_second

),

legs as (

    select
        neighbours.*,
        {{ kf_local_date('neighbours.started_at') }} as first_date,
        {{ kf_local_date('neighbours.ended_at') }} as last_date

    from neighbours
    cross join build

    where
        neighbours.busy_to_second > neighbours.from_second
        or neighbours.next_from_second < neighbours.to_second

),

{{ kf_leg_pieces() }},

counted as (

    select
        leg_id,
        work_day_id,
        agent_id,
        {{ kf_epoch('started_at') }} as from_second,
        {{ kf_epoch('ended_at') }} as to_second

    from pieces

    where {{ kf_touched('agent_work_day', 'work_day_id') }}

),

turns as (

    select
        work_day_id,
        from_second as at_second,
        1 as turn
    from counted

    union all

    select
        work_day_id,
        to_second as at_second,
        -1 as turn
    from counted

),

changes as (

    select
        work_day_id,
        at_second,
        {{ kf_sum('turn') }} as turn

    from turns

    group by work_day_id, at_second

),

held as (

    select
        work_day_id,
        at_second,
        lead(at_second) over (partition by work_day_id order by at_second nulls last) as next_second,
        cast(sum(turn) over (
            partition by work_day_id order by at_second nulls last
            rows between unbounded preceding and current row
        ) as bigint) as contacts

    from changes

),

-- A clock of the agent's that runs at half the pace with two contacts in hand, at a third with three, and stands still
-- without any: what passes on it while a leg lasts is the leg's share.
clocks as (

    select
        work_day_id,
        at_second,
        cast(coalesce(
            sum(case
                when contacts > 0
                    then {{ kf_idiv('(next_second - at_second) * ' ~ parts, 'contacts') }}
            end) over (
                partition by work_day_id order by at_second nulls last
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bigint) as clock_parts

    from held

),

shares as (

    select
        counted.leg_id,
        counted.work_day_id,
        counted.agent_id,
        counted.to_second - counted.from_second as elapsed_seconds,
        ends.clock_parts - begins.clock_parts as share_parts

    from counted
    inner join clocks as begins
        on counted.work_day_id = begins.work_day_id and counted.from_second = begins.at_second
    inner join clocks as ends
        on counted.work_day_id = ends.work_day_id and counted.to_second = ends.at_second

)

select
    shares.leg_id,
    shares.work_day_id,
    shares.agent_id,
    legs.source,
    legs.contact_date as service_date,
    shares.elapsed_seconds,
    shares.share_parts

from shares
inner join legs on shares.leg_id = legs.leg_id

where shares.share_parts < shares.elapsed_seconds * {{ parts }}

-- One row per agent leg: what one agent did for one contact. Its handle time is its share of the agent's time (E15):
-- where the agent had other contacts in hand, handling by the clock goes down by what of its span was theirs, to whole
-- seconds, halves up. A leg that had its agent to itself keeps every second.
with

legs as (

    select * from {{ ref('fct_elapsed_legs') }}

),

shares as (

    select
        leg_id,
        work_day_id,
        elapsed_seconds * {{ kf_second_parts() }} - share_parts as others_parts

    from {{ ref('fct_leg_shares') }}

),

shared as (

    select
        legs.*,
        coalesce(first_days.others_parts, 0) + coalesce(last_days.others_parts, 0) as others_parts,
        {{ kf_seconds_between('legs.started_at', 'legs.ended_at') }} * {{ kf_second_parts() }} as span_parts

    from legs
    left join shares as first_days
        on legs.leg_id = first_days.leg_id and legs.work_day_id = first_days.work_day_id
    left join shares as last_days
        on
            legs.leg_id = last_days.leg_id
            and legs.last_work_day_id = last_days.work_day_id
            and legs.last_work_day_id <> legs.work_day_id

)

select
    leg_id,
    interaction_id,
    leg_number,
    source,
    channel,
    direction,
    queue_id,
    team_id,
    agent_id,
    outcome,
    ended_by,
    has_end_record,
    was_abandoned_on_hold,
    is_stuck,
    talk_seconds,
    hold_seconds,
    wrap_seconds,
    case
        when others_parts = 0 then elapsed_handle_seconds
        else
            elapsed_handle_seconds
            - {{ kf_idiv('(2 * elapsed_handle_seconds * others_parts + span_parts - 1)', '(2 * span_parts)') }}
    end as handle_seconds,
    elapsed_handle_seconds,
    started_at,
    ended_at,
    work_day_id,
    last_work_day_id,
    service_date,
    service_hour

from shared

-- One row per agent leg, by the clock: what one agent did for one contact, whatever else they had in hand. Legs still
-- running, or cut off in the log, have no talk. What somebody forgot to end (E24) counts up to the parameter of its
-- kind.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

contacts as (

    select * from {{ ref('fct_contacts') }}
    where {{ kf_touched('interaction', 'interaction_id') }}

),

segments as (

    select * from {{ ref('canonical_interaction_segments') }}
    where {{ kf_touched('interaction', 'interaction_id') }}

),

capped as (

    select
        segments.*,
        case segments.segment_type
            when 'wrap' then build.stuck_wrap_seconds
            when 'hold' then build.stuck_hold_seconds
            else build.stuck_state_seconds
        end as longest_seconds

    from segments
    cross join build

    where segments.leg_number is not null

),

counted as (

    select
        capped.*,
        coalesce(capped.duration_seconds > capped.longest_seconds, false) as is_cut,
        case
            when capped.duration_seconds > capped.longest_seconds then capped.longest_seconds
            else capped.duration_seconds
        end as counted_seconds,
        case
            when capped.duration_seconds > capped.longest_seconds
                then {{ kf_add_seconds('capped.started_at', 'capped.longest_seconds') }}
            else capped.ended_at
        end as counted_to_at

    from capped

),

legs as (

    select
        interaction_id,
        leg_number,
        min(queue_id) filter (where segment_type = 'talk') as queue_id,
        min(team_id) filter (where segment_type = 'talk') as team_id,
        min(agent_id) filter (where segment_type = 'talk') as agent_id,
        min(outcome) filter (where segment_type = 'talk') as outcome,
        min(ended_by) filter (where segment_type = 'talk') as ended_by,
        bool_or(segment_type = 'hold' and outcome = 'abandoned') as was_abandoned_on_hold,
        bool_or(is_cut) as is_stuck,
        min(started_at) filter (where segment_type = 'talk') as started_at,
        max(counted_to_at) as ended_at,
        cast(sum(counted_seconds) filter (where segment_type = 'talk') as bigint) as talk_seconds,
        cast(sum(counted_seconds) filter (where segment_type = 'hold') as bigint) as hold_seconds,
        cast(sum(counted_seconds) filter (where segment_type = 'wrap') as bigint) as wrap_seconds

    from counted

    group by interaction_id, leg_number

)

select
    legs.interaction_id || '-' || legs.leg_number as leg_id,
    legs.interaction_id,
    legs.leg_number,
    contacts.source,
    contacts.channel,
    contacts.direction,
    coalesce(legs.queue_id, 'none') as queue_id,
    coalesce(legs.team_id, 'none') as team_id,
    legs.agent_id,
    legs.outcome,
    legs.ended_by,
    legs.outcome = 'transferred' or legs.ended_by is not null as has_end_record,
    legs.was_abandoned_on_hold,
    legs.is_stuck,
    legs.talk_seconds,
    legs.hold_seconds,
    legs.wrap_seconds,
    legs.talk_seconds + coalesce(legs.hold_seconds, 0) + coalesce(legs.wrap_seconds, 0) as elapsed_handle_seconds,
    legs.started_at,
    legs.ended_at,
    legs.agent_id || ' ' || cast({{ kf_local_date('legs.started_at') }} as {{ kf_text() }}) as work_day_id,
    legs.agent_id || ' ' || cast({{ kf_local_date('legs.ended_at') }} as {{ kf_text() }}) as last_work_day_id,
    contacts.service_date,
    contacts.service_hour

from legs
cross join build
inner join contacts on legs.interaction_id = contacts.interaction_id

-- One row per agent leg: what one agent did for one contact. Legs still running, or cut off in the log, have no talk.
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
        min(started_at) filter (where segment_type = 'talk') as started_at,
        max(ended_at) as ended_at,
        cast(sum(duration_seconds) filter (where segment_type = 'talk') as bigint) as talk_seconds,
        cast(sum(duration_seconds) filter (where segment_type = 'hold') as bigint) as hold_seconds,
        cast(sum(duration_seconds) filter (where segment_type = 'wrap') as bigint) as wrap_seconds

    from segments

    where leg_number is not null

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
    legs.talk_seconds,
    legs.hold_seconds,
    legs.wrap_seconds,
    legs.talk_seconds + coalesce(legs.hold_seconds, 0) + coalesce(legs.wrap_seconds, 0) as handle_seconds,
    legs.started_at,
    legs.ended_at,
    legs.agent_id || ' ' || cast({{ kf_local_date('legs.started_at') }} as {{ kf_text() }}) as work_day_id,
    legs.agent_id || ' ' || cast({{ kf_local_date('legs.ended_at') }} as {{ kf_text() }}) as last_work_day_id,
    contacts.service_date,
    contacts.service_hour

from legs
cross join build
inner join contacts on legs.interaction_id = contacts.interaction_id

-- One row per contact on a live channel. The wait is that of the customer until an agent first answered, over every
-- queue visited before; waits after a transfer belong to the queue, not to the contact.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

interactions as (

    select * from {{ ref('canonical_interactions') }}
    where {{ kf_touched('interaction', 'interaction_id') }}

),

segments as (

    select
        interaction_id,
        sequence,
        segment_type,
        outcome,
        team_id,
        agent_id,
        ended_at,
        duration_seconds,
        min(case when segment_type = 'queue' and outcome = 'answered' then sequence end) over (
            partition by interaction_id
        ) as answered_sequence

    from {{ ref('canonical_interaction_segments') }}

    where {{ kf_touched('interaction', 'interaction_id') }}

),

measured as (

    select
        interaction_id,
        cast(sum(duration_seconds) filter (
            where segment_type = 'queue' and sequence <= coalesce(answered_sequence, sequence)
        ) as bigint) as wait_seconds,
        min(team_id) filter (where sequence = answered_sequence) as answering_team_id,
        min(agent_id) filter (where sequence = answered_sequence) as first_agent_id,
        count(*) filter (where segment_type = 'talk') as agent_legs,
        count(*) filter (where segment_type = 'talk' and outcome = 'transferred') as transferred_legs,
        count(*) filter (where segment_type = 'ivr') as menus,
        count(*) filter (where segment_type = 'ivr' and outcome = 'abandoned') as menus_abandoned,
        max(ended_at) filter (where segment_type = 'ivr' and outcome = 'queued') as asked_for_person_at

    from segments

    group by interaction_id

),

joined as (

    select
        interactions.*,
        {{ kf_customer('people', 'interactions.identity_id') }} as customer_id,
        {{ kf_customer_confidence('people', 'interactions.identity_id') }} as customer_confidence,
        measured.wait_seconds,
        coalesce(measured.answering_team_id, interactions.team_id) as contact_team_id,
        measured.first_agent_id,
        coalesce(measured.agent_legs, 0) as agent_legs,
        greatest(coalesce(measured.transferred_legs, 0), interactions.reported_transfers) as transfers,
        coalesce(measured.menus, 0) > 0 as was_in_menu,
        coalesce(measured.menus_abandoned, 0) > 0 as is_menu_abandoned,
        -- A08: the clock starts where the customer asks for a person, which may be before the queue
        measured.wait_seconds + greatest(
            coalesce({{ kf_seconds_between('measured.asked_for_person_at', 'interactions.queued_at') }}, 0), 0
        ) as human_wait_seconds,
        {{ kf_business_is_open('day_of_arrival', 'interactions.started_at') }} as is_in_hours,
        case
            when interactions.channel in ('chat', 'messaging') then build.short_abandon_seconds_chat
            else build.short_abandon_seconds
        end as short_abandon_seconds,
        case
            when interactions.channel in ('chat', 'messaging') then build.target_answer_seconds_chat
            else build.target_answer_seconds
        end as target_answer_seconds,
        build.human_answer_seconds,
        {{ kf_zone_date('zone_of_queue', 'interactions.started_at') }} as queue_date,
        {{ kf_local_from_utc('interactions.started_at', 'build.reporting_zone') }} as started_local

    from interactions
    cross join build
    left join measured on interactions.interaction_id = measured.interaction_id
    left join {{ ref('canonical_team_schedules') }} as team_schedules
        on interactions.team_id = team_schedules.team_id
    {{ kf_business_join('day_of_arrival', 'team_schedules.schedule_id', 'interactions.started_at') }}
    {{ kf_zone_join('zone_of_queue', 'team_schedules.zone', 'interactions.started_at') }}
    {{ kf_customer_join('people', 'interactions.identity_id', 'interactions.started_at') }}

    where interactions.started_at <= build.as_of_at

)

select
    interaction_id,
    source,
    channel,
    direction,
    customer_id,
    customer_confidence,
    identity_id,
    substring(interaction_id from length(source) + 2) as call_reference,
    coalesce(first_queue_id, 'none') as queue_id,
    contact_team_id as team_id,
    team_id as first_team_id,
    first_agent_id as agent_id,
    outcome,
    direction = 'inbound' and queue_visits > 0 as is_offered,
    outcome = 'answered' as is_answered,
    outcome = 'abandoned' as is_abandoned,
    -- E01: nobody could have answered; its own outcome, out of the denominators
    coalesce(outcome = 'abandoned' and wait_seconds < short_abandon_seconds, false) as is_short_abandoned,
    coalesce(outcome = 'answered' and wait_seconds <= target_answer_seconds, false) as is_answered_in_target,
    -- what some published definitions credit too: an end of the wait within the target, whatever the end
    coalesce(wait_seconds <= target_answer_seconds, false) as is_in_target,
    wait_seconds,
    human_wait_seconds,
    coalesce(outcome = 'answered' and human_wait_seconds <= human_answer_seconds, false) as is_human_answered_in_time,
    was_in_menu,
    is_menu_abandoned,
    not is_in_hours as is_after_hours,
    agent_legs,
    case when outcome = 'answered' then greatest(agent_legs, reported_transfers + 1) end as touches,
    transfers,
    has_transfer_record,
    queue_visits,
    started_at,
    queued_at,
    ended_at,
    queue_date,
    cast(started_local as date) as service_date,
    {{ kf_hour('started_local') }} as service_hour

from joined

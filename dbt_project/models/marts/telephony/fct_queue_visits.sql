-- One row per entry of a contact into a queue. What a contact is to the organisation once (fct_contacts) is to each
-- queue it saw a demand of its own (E03): a wait after a transfer counts here, on the day and in the hour of the entry.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

contacts as (

    select * from {{ ref('fct_contacts') }}
    where {{ kf_touched('interaction', 'interaction_id') }}

),

visits as (

    select
        *,
        row_number() over (partition by interaction_id order by sequence) as visit_number

    from {{ ref('canonical_interaction_segments') }}

    where segment_type = 'queue' and {{ kf_touched('interaction', 'interaction_id') }}

),

joined as (

    select
        visits.segment_id as visit_id,
        visits.interaction_id,
        visits.visit_number,
        contacts.source,
        contacts.channel,
        contacts.direction,
        coalesce(visits.queue_id, 'none') as queue_id,
        visits.team_id,
        visits.outcome,
        visits.duration_seconds as wait_seconds,
        contacts.channel in ('chat', 'messaging') as is_chat,
        coalesce(visits.started_at, contacts.started_at) as entered_at

    from visits
    inner join contacts on visits.interaction_id = contacts.interaction_id

)

select
    joined.visit_id,
    joined.interaction_id,
    joined.visit_number,
    joined.source,
    joined.channel,
    joined.direction,
    joined.queue_id,
    joined.team_id,
    joined.outcome,
    coalesce(
        joined.outcome = 'abandoned' and joined.wait_seconds < case
            when joined.is_chat then build.short_abandon_seconds_chat else build.short_abandon_seconds
        end,
        false
    ) as is_short_abandoned,
    coalesce(
        joined.outcome = 'answered' and joined.wait_seconds <= case
            when joined.is_chat then build.target_answer_seconds_chat else build.target_answer_seconds
        end,
        false
    ) as is_answered_in_target,
    joined.wait_seconds,
    joined.entered_at,
    {{ kf_local_date('joined.entered_at') }} as service_date,
    {{ kf_hour(kf_local_from_utc('joined.entered_at', 'build.reporting_zone')) }} as service_hour

from joined
cross join build

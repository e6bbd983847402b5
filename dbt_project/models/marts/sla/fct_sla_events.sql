-- What has happened to clocks by the as-of time: a breach that is still to come is not here.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

policies as (

    select
        policy_version_id,
        policy_id

    from {{ ref('canonical_sla_policies') }}

)

select
    events.sla_event_id,
    events.clock_id,
    events.sequence,
    events.ticket_id,
    events.source,
    policies.policy_id,
    events.policy_version_id,
    events.sla_metric,
    events.clock_number,
    events.sla_event,
    events.ended_by,
    events.priority,
    events.target_seconds,
    events.is_business,
    events.elapsed_seconds,
    events.occurred_at

from {{ ref('canonical_sla_events') }} as events
cross join build
left join policies on events.policy_version_id = policies.policy_version_id

where events.occurred_at <= build.as_of_at and {{ kf_touched('sla_ticket', 'events.ticket_id') }}

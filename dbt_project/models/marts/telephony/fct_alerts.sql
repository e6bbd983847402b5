-- One row per ringing at an agent (E25): a miss is the agent's and no abandon, and the customer goes on waiting.
with

contacts as (

    select * from {{ ref('fct_contacts') }}
    where {{ kf_touched('interaction', 'interaction_id') }}

),

alerts as (

    select * from {{ ref('canonical_interaction_segments') }}
    where segment_type = 'alert' and {{ kf_touched('interaction', 'interaction_id') }}

)

select
    alerts.segment_id as alert_id,
    alerts.interaction_id,
    contacts.source,
    contacts.channel,
    contacts.direction,
    coalesce(alerts.queue_id, 'none') as queue_id,
    alerts.team_id,
    alerts.agent_id,
    alerts.outcome,
    alerts.duration_seconds as ring_seconds,
    alerts.started_at,
    contacts.service_date,
    contacts.service_hour

from alerts
inner join contacts on alerts.interaction_id = contacts.interaction_id

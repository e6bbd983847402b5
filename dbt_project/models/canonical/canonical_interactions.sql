-- depends_on: {{ ref('canonical_evaluations') }}
{{ config(post_hook=[
    "{{ kf_announce_through('interaction', ref('canonical_evaluations'), 'interaction_id', 'evaluation', 'evaluation_id') }}",
]) }}
with

stacked as (

    {{ stack('interactions', ['asterisk', 'files']) }}

),

segments as (

    select * from {{ ref('canonical_interaction_segments') }}

),

teams as (

    select * from {{ ref('canonical_teams') }}

),

queue_visits as (

    select
        interaction_id,
        queue_id,
        outcome,
        started_at,
        row_number() over (partition by interaction_id order by sequence, segment_id) as from_first,
        row_number() over (partition by interaction_id order by sequence desc, segment_id desc) as from_last

    from segments

    where segment_type = 'queue'

),

queued as (

    select
        interaction_id,
        min(queue_id) filter (where from_first = 1) as first_queue_id,
        min(started_at) filter (where from_first = 1) as queued_at,
        bool_or(outcome = 'answered') as was_answered,
        min(outcome) filter (where from_last = 1) as last_outcome,
        count(*) as queue_visits

    from queue_visits

    group by interaction_id

)

select
    stacked.interaction_id,
    stacked.source,
    stacked.channel,
    stacked.direction,
    stacked.customer_id,
    coalesce(teams.team_id, 'none') as team_id,
    queued.first_queue_id,
    case
        when queued.was_answered then 'answered'
        when queued.interaction_id is not null then queued.last_outcome
        else coalesce(stacked.unqueued_outcome, 'unfinished')
    end as outcome,
    coalesce(queued.queue_visits, 0) as queue_visits,
    stacked.has_transfer_record,
    stacked.reported_transfers,
    stacked.started_at,
    queued.queued_at,
    stacked.ended_at

from stacked
left join queued on stacked.interaction_id = queued.interaction_id
left join teams on stacked.source_team_id = teams.source_team_id

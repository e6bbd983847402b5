-- Two sources may have a queue of the same name.
with

queues as (

    select distinct
        queue_id,
        source,
        substring(queue_id from length(source) + 2) as queue

    from {{ ref('canonical_interaction_segments') }}

    where queue_id is not null and queue_id <> source || '-none'

    union all

    select
        'none' as queue_id,
        'none' as source,
        'none' as queue

)

select
    queues.queue_id,
    {{ kf_own_name('queues.queue', 'queues.source') }} as queue

from queues

select distinct
    queue_id,
    substring(queue_id from length(source) + 2) as queue

from {{ ref('canonical_interaction_segments') }}

where queue_id is not null and queue_id <> source || '-none'

union all

select
    'none' as queue_id,
    'none' as queue

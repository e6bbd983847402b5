-- Which outcomes a kind of leg may have; anything else is a source we misread.
select
    segment_id,
    segment_type,
    outcome

from {{ ref('canonical_interaction_segments') }}

where not (
    segment_type = 'ivr' and outcome in ('queued', 'abandoned', 'self_served')
    or segment_type = 'queue'
    and outcome in (
        'answered', 'abandoned', 'overflowed', 'callback_requested', 'voicemail', 'closed', 'unfinished'
    )
    or segment_type = 'alert' and outcome in ('answered', 'not_answered')
    or segment_type = 'talk' and outcome in ('completed', 'transferred', 'unfinished')
    or segment_type = 'hold' and outcome in ('resumed', 'abandoned')
    or segment_type = 'wrap' and outcome = 'completed'
)

-- Which outcomes a kind of leg may have, and who can have ended it; anything else is a source we misread.
select
    segment_id,
    segment_type,
    outcome,
    ended_by

from {{ ref('canonical_interaction_segments') }}

where not (
    segment_type = 'ivr' and outcome in ('queued', 'abandoned', 'self_served')
    or segment_type = 'bot' and outcome in ('queued', 'abandoned', 'self_served')
    or segment_type = 'queue'
    and outcome in (
        'answered', 'abandoned', 'overflowed', 'callback_requested', 'voicemail', 'closed', 'unfinished'
    )
    or segment_type = 'alert' and outcome in ('answered', 'not_answered', 'cancelled')
    or segment_type = 'talk' and outcome in ('completed', 'transferred', 'unfinished')
    or segment_type = 'hold' and outcome in ('resumed', 'abandoned')
    or segment_type = 'consult' and outcome in ('completed', 'unfinished')
    or segment_type = 'transfer' and outcome in ('completed', 'failed')
    or segment_type = 'wrap' and outcome = 'completed'
    or segment_type = 'callback' and outcome in ('connected', 'not_connected')
    or segment_type = 'voicemail' and outcome in ('left', 'abandoned')
)
or ended_by is not null and segment_type <> 'talk'

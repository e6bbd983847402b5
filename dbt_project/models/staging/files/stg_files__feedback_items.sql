-- What a customer said, without the words: those never leave raw.
select
    source || '-' || feedback_id as feedback_id,
    source,
    {{ canonical_channel("coalesce(channel, 'other')") }} as channel,
    {{ kf_identity('account', 'customer', 'coalesce(system, source)') }} as identity_id,
    coalesce(system, source) || '-' || ticket_id as ticket_id,
    coalesce(system, source) || '-' || call_id as interaction_id,
    coalesce(system, source) || '-' || agent as agent_id,
    source || '-' || team as source_team_id,
    lower(language) as language,
    cast(length(comment) as bigint) as characters,
    {{ kf_utc('occurred_at') }} as occurred_at

from {{ source('files', 'feedback') }}

where {{ kf_changed_file('feedback', 'feedback_id') }}

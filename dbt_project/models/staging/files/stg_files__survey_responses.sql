select
    source || '-' || response_id || '-' || coalesce(question, metric) as response_id,
    source || '-' || response_id as submission_id,
    source,
    coalesce(question, metric) as question_id,
    source || '-' || invitation_id as invitation_id,
    source || '-' || coalesce(survey, 'survey') as survey_id,
    case when metric in ('csat', 'nps', 'ces', 'fcr', 'other') then metric else 'unmapped' end as metric,
    scale as scale_id,
    cast(value as decimal(18, 6)) as answer,
    {{ kf_identity('account', 'customer', 'source') }} as identity_id,
    source || '-' || agent as agent_id,
    source || '-' || team as source_team_id,
    source || '-' || ticket_id as ticket_id,
    source || '-' || call_id as interaction_id,
    {{ canonical_channel("coalesce(channel, 'other')") }} as channel,
    segment,
    coalesce(is_complete, true) as is_complete,
    {{ kf_utc('coalesce(responded_at, contact_at)') }} as responded_at

from {{ source('files', 'survey_responses') }}

where {{ kf_changed_file('submission', 'response_id') }}

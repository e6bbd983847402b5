select
    source || '-' || invitation_id as invitation_id,
    source,
    source || '-' || coalesce(survey, 'survey') as survey_id,
    {{ kf_identity('account', 'customer', 'source') }} as identity_id,
    source || '-' || agent as agent_id,
    source || '-' || team as source_team_id,
    source || '-' || ticket_id as ticket_id,
    source || '-' || call_id as interaction_id,
    {{ canonical_channel("coalesce(channel, 'other')") }} as channel,
    segment,
    coalesce(lower(status), 'delivered') as status,
    {{ kf_utc('sent_at') }} as sent_at

from {{ source('files', 'survey_invitations') }}

where {{ kf_changed_file('invitation', 'invitation_id') }}

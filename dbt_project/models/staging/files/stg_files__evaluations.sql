select
    source || '-' || evaluation_id as evaluation_id,
    source,
    coalesce(system, source) || '-' || call_id as interaction_id,
    coalesce(system, source) || '-' || ticket_id as ticket_id,
    coalesce(system, source) || '-' || agent as agent_id,
    source || '-' || team as source_team_id,
    source || '-' || evaluator as evaluator_id,
    source || '-' || coalesce(form, 'form') as form_id,
    form_version,
    {{ canonical_channel("coalesce(channel, 'other')") }} as channel,
    {{ same_words('kind', ['human', 'automatic', 'mystery']) }} as kind,
    {{ same_words('selection', ['random', 'targeted', 'all']) }} as selection,
    coalesce(is_calibration, false) as is_calibration,
    source || '-' || rescored_of as rescored_of_id,
    model_version,
    {{ kf_utc('contact_at') }} as contact_at,
    {{ kf_utc('evaluated_at') }} as evaluated_at

from {{ source('files', 'evaluations') }}

where {{ kf_changed_file('evaluation', 'evaluation_id') }}

-- The roster: who an agent was from when on, for a source's own names or those of another (`system`).
select
    coalesce(system, source) || '-' || agent as agent_id,
    source,
    true as is_roster,
    source || '-' || team as source_team_id,
    {{ canonical_word("coalesce(role, 'agent')", {
        'agent': ['agent'],
        'lead': ['lead'],
        'manager': ['manager'],
        'admin': ['admin'],
        'customer': ['customer'],
        'other': ['other'],
    }) }} as role,
    coalesce(is_active, true) as is_active,
    {{ kf_utc('valid_from') }} as valid_from_at,
    coalesce({{ kf_utc('valid_to') }}, {{ kf_for_ever() }}) as valid_to_at

from {{ source('files', 'agents') }}

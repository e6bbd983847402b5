-- depends_on: {{ ref('canonical_evaluations') }}
-- depends_on: {{ ref('canonical_agent_state_intervals') }}
-- depends_on: {{ ref('canonical_agent_schedules') }}
-- depends_on: {{ ref('canonical_handling_intervals') }}
{{ config(post_hook=[
    "{{ kf_announce_through('agent', ref('canonical_evaluations'), 'agent_id', 'evaluation', 'evaluation_id') }}",
    "{{ kf_announce_through('agent', ref('canonical_agent_state_intervals'), 'agent_id', 'agent_day', 'agent_day_id') }}",
    "{{ kf_announce_through('agent', ref('canonical_agent_state_intervals'), 'agent_id', 'agent_day', 'last_agent_day_id') }}",
    "{{ kf_announce_through('agent', ref('canonical_agent_schedules'), 'agent_id', 'agent_day', 'agent_day_id') }}",
    "{{ kf_announce_through('agent', ref('canonical_agent_schedules'), 'agent_id', 'agent_day', 'last_agent_day_id') }}",
    "{{ kf_announce_through('agent', ref('canonical_handling_intervals'), 'agent_id', 'agent_day', 'agent_day_id') }}",
    "{{ kf_announce_through('agent', ref('canonical_handling_intervals'), 'agent_id', 'agent_day', 'last_agent_day_id') }}",
]) }}
-- Who an agent was, and when. What a roster says of an agent outweighs what the agent's own system does; an agent of
-- whom nobody tells more than the name is one since ever. A version ends where the next one begins.
with

told as (

    select
        agent_id,
        source,
        is_roster,
        source_team_id,
        role,
        is_active,
        valid_from_at,
        valid_to_at
    from {{ ref('stg_zendesk__agent_versions') }}

    union all

    select
        agent_id,
        source,
        is_roster,
        source_team_id,
        role,
        is_active,
        valid_from_at,
        valid_to_at
    from {{ ref('stg_files__agent_versions') }}

),

rostered as (

    select
        *,
        bool_or(is_roster) over (partition by agent_id) as has_roster

    from told

),

-- of two rosters that speak of the same agent and instant, the one of the first source by name
chosen as (

    select
        agent_id,
        source,
        source_team_id,
        role,
        is_active,
        valid_from_at,
        valid_to_at,
        row_number() over (
            partition by agent_id, valid_from_at
            order by
                source nulls last, source_team_id nulls last, role nulls last, is_active nulls last,
                valid_to_at nulls last
        ) as choice

    from rostered

    where is_roster = has_roster

    group by agent_id, source, source_team_id, role, is_active, valid_from_at, valid_to_at

),

dated as (

    select
        agent_id,
        source,
        source_team_id,
        role,
        is_active,
        valid_from_at,
        least(
            valid_to_at,
            lead(valid_from_at, 1, {{ kf_for_ever() }}) over (partition by agent_id order by valid_from_at nulls last)
        ) as valid_to_at

    from chosen

    where {{ kf_first('choice') }}

),

named as (

    select
        agents.agent_id,
        agents.source,
        cast(null as {{ kf_text() }}) as source_team_id,
        'agent' as role,
        agents.is_active,
        {{ kf_ever() }} as valid_from_at,
        {{ kf_for_ever() }} as valid_to_at

    from {{ ref('canonical_agents') }} as agents

    where agents.agent_id not in (select told.agent_id from told)

),

stacked as (

    select * from dated
    where valid_from_at < valid_to_at
    union all
    select * from named

),

numbered as (

    select
        agent_id,
        valid_from_at,
        min(source) as source,
        min(source_team_id) as source_team_id,
        min(role) as role,
        bool_or(is_active) as is_active,
        min(valid_to_at) as valid_to_at,
        row_number() over (partition by agent_id order by valid_from_at nulls last) as version

    from stacked

    group by agent_id, valid_from_at

)

select
    numbered.agent_id || '-' || numbered.version as agent_version_id,
    numbered.agent_id,
    cast(numbered.version as integer) as version,
    numbered.source,
    coalesce(teams.team_id, 'none') as team_id,
    numbered.role,
    numbered.is_active,
    numbered.valid_from_at,
    numbered.valid_to_at

from numbered
left join {{ ref('canonical_teams') }} as teams on numbered.source_team_id = teams.source_team_id

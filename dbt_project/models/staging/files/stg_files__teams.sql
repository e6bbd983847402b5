with

teams as (

    select
        source,
        coalesce(team, queue) as team_name
    from {{ source('files', 'calls') }}
    union
    select
        source,
        team as team_name
    from {{ source('files', 'tickets') }}
    union
    select
        source,
        team as team_name
    from {{ source('files', 'ticket_events') }}
    union
    select
        source,
        team as team_name
    from {{ source('files', 'survey_responses') }}
    union
    select
        source,
        team as team_name
    from {{ source('files', 'survey_invitations') }}
    {%- for entity in ['agents', 'agent_states', 'shifts', 'evaluations', 'feedback'] %}
    union
    select
        source,
        team as team_name
    from {{ source('files', entity) }}
    {%- endfor %}

)

select
    source || '-' || team_name as source_team_id,
    source,
    team_name

from teams

where team_name is not null

with

agents as (

    select
        source,
        agent
    from {{ source('files', 'calls') }}
    union
    select
        source,
        agent
    from {{ source('files', 'tickets') }}
    union
    select
        source,
        agent
    from {{ source('files', 'ticket_events') }}
    union
    select
        source,
        agent
    from {{ source('files', 'survey_responses') }}
    union
    select
        source,
        agent
    from {{ source('files', 'survey_invitations') }}
    {%- for entity in ['agents', 'agent_states', 'shifts', 'evaluations', 'feedback'] %}
    union
    select
        source,
        agent
    from {{ source('files', entity) }}
    where system is null
    {%- endfor %}

)

select
    source || '-' || agent as agent_id,
    source,
    agent,
    true as is_active

from agents

where agent is not null

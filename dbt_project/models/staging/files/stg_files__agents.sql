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

)

select
    source || '-' || agent as agent_id,
    source,
    agent,
    true as is_active

from agents

where agent is not null

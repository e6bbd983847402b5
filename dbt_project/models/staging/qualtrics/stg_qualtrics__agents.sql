with

agents as (

    select agent from {{ source('qualtrics', 'responses') }}
    union
    select agent from {{ source('qualtrics', 'invitations') }}

)

select
    'qualtrics-' || agent as agent_id,
    'qualtrics' as source,
    agent,
    true as is_active

from agents

where agent is not null

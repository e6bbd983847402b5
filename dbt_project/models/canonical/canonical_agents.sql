with

stacked as (

    {{ stack('agents', ['zendesk', 'asterisk', 'qualtrics', 'files']) }}

)

select
    agent_id,
    source,
    agent,
    is_active

from stacked

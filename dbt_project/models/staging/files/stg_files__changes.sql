with

stacked as (

    select
        'interaction' as entity,
        source,
        call_id as root,
        _loaded_at
    from {{ source('files', 'calls') }}

    union all

    select
        'ticket' as entity,
        source,
        ticket_id as root,
        _loaded_at
    from {{ source('files', 'tickets') }}

    union all

    select
        'ticket' as entity,
        source,
        ticket_id as root,
        _loaded_at
    from {{ source('files', 'ticket_events') }}

    union all

    select
        'invitation' as entity,
        source,
        invitation_id as root,
        _loaded_at
    from {{ source('files', 'survey_invitations') }}

    union all

    select
        'submission' as entity,
        source,
        response_id as root,
        _loaded_at
    from {{ source('files', 'survey_responses') }}

    union all

    select
        'agent' as entity,
        source,
        agent as root,
        _loaded_at
    from {{ source('files', 'agents') }}

    union all

    select
        'agent_state' as entity,
        source,
        state_id as root,
        _loaded_at
    from {{ source('files', 'agent_states') }}

    union all

    select
        'shift' as entity,
        source,
        shift_id as root,
        _loaded_at
    from {{ source('files', 'shifts') }}

    union all

    select
        'evaluation' as entity,
        source,
        evaluation_id as root,
        _loaded_at
    from {{ source('files', 'evaluations') }}

    union all

    select
        'evaluation' as entity,
        source,
        evaluation_id as root,
        _loaded_at
    from {{ source('files', 'evaluation_answers') }}

    union all

    select
        'feedback' as entity,
        source,
        feedback_id as root,
        _loaded_at
    from {{ source('files', 'feedback') }}

    union all

    select
        case table_name
            when 'calls' then 'interaction'
            when 'survey_invitations' then 'invitation'
            when 'survey_responses' then 'submission'
            when 'agents' then 'agent'
            when 'agent_states' then 'agent_state'
            when 'shifts' then 'shift'
            when 'evaluations' then 'evaluation'
            when 'evaluation_answers' then 'evaluation'
            when 'feedback' then 'feedback'
            else 'ticket'
        end as entity,
        source,
        root,
        _loaded_at
    from {{ source('files', 'removed') }}

)

select
    entity,
    source,
    root,
    source || '-' || root as id,
    _loaded_at as loaded_at

from stacked

union all

-- an agent of another source
select
    'agent' as entity,
    source,
    coalesce(system || '-', '') || agent as root,
    coalesce(system, source) || '-' || agent as id,
    _loaded_at as loaded_at

from {{ source('files', 'agents') }}

where system is not null

union all

-- gone: whether it was one of another source its root says, but not which part of it is the name
select
    'agent' as entity,
    source,
    root,
    root as id,
    _loaded_at as loaded_at

from {{ source('files', 'removed') }}

where table_name = 'agents'

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
        'customer' as entity,
        source,
        customer as root,
        _loaded_at
    from {{ source('files', 'customers') }}

    union all

    select
        case table_name
            when 'calls' then 'interaction'
            when 'survey_invitations' then 'invitation'
            when 'survey_responses' then 'submission'
            when 'customers' then 'customer'
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
    -- customers leave raw under a pseudonym only
    case
        when entity = 'customer' then {{ kf_identity('account', 'root', 'source') }}
        else source || '-' || root
    end as id,
    _loaded_at as loaded_at

from stacked

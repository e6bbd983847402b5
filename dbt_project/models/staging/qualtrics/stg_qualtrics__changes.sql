-- A row belongs to its submission; an invitation is a root of its own, and part of the submission that answered it.
with

stacked as (

    select
        'submission' as entity,
        response_id as root,
        _loaded_at
    from {{ source('qualtrics', 'responses') }}

    union all

    select
        'submission' as entity,
        response_id as root,
        _loaded_at
    from {{ source('qualtrics', 'answers') }}

    union all

    select
        'submission' as entity,
        response_id as root,
        _loaded_at
    from {{ source('qualtrics', 'invitations') }}
    where response_id is not null

    union all

    select
        'invitation' as entity,
        distribution_id || '-' || contact_id as root,
        _loaded_at
    from {{ source('qualtrics', 'invitations') }}

    union all

    select
        case when table_name = 'invitations' then 'invitation' else 'submission' end as entity,
        root,
        _loaded_at
    from {{ source('qualtrics', 'removed') }}

)

select
    entity,
    'qualtrics' as source,
    root,
    'qualtrics-' || root as id,
    _loaded_at as loaded_at

from stacked

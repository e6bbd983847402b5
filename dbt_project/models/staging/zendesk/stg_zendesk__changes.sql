-- A row belongs to its ticket; a user's row to the tickets the user opened or wrote in, for it says who was speaking;
-- a ticket's row to its rating, which takes the channel from it.
with

people as (

    select
        id,
        _loaded_at
    from {{ source('zendesk', 'users') }}

    union all

    select
        id,
        _loaded_at
    from {{ source('zendesk', 'user_versions') }}

),

staff as (

    select id
    from {{ source('zendesk', 'users') }}
    where role in ('agent', 'admin')

    union

    select id
    from {{ source('zendesk', 'user_versions') }}
    where role in ('agent', 'admin')

),

stacked as (

    select
        'ticket' as entity,
        id as root,
        _loaded_at
    from {{ source('zendesk', 'tickets') }}

    union all

    select
        'ticket' as entity,
        ticket_id as root,
        _loaded_at
    from {{ source('zendesk', 'ticket_events') }}

    union all

    select
        'ticket' as entity,
        tickets.id as root,
        people._loaded_at
    from people
    inner join {{ source('zendesk', 'tickets') }} as tickets on people.id = tickets.submitter_id

    union all

    select
        'ticket' as entity,
        events.ticket_id as root,
        people._loaded_at
    from people
    inner join {{ source('zendesk', 'ticket_events') }} as events on people.id = events.updater_id

    union all

    select
        'ticket' as entity,
        events.ticket_id as root,
        people._loaded_at
    from people
    inner join {{ source('zendesk', 'ticket_events') }} as events on people.id = events.author_id

    union all

    select
        'invitation' as entity,
        ticket_id as root,
        _loaded_at
    from {{ source('zendesk', 'satisfaction_ratings') }}

    union all

    select
        'submission' as entity,
        id as root,
        _loaded_at
    from {{ source('zendesk', 'satisfaction_ratings') }}

    union all

    select
        'invitation' as entity,
        ratings.ticket_id as root,
        tickets._loaded_at
    from {{ source('zendesk', 'tickets') }} as tickets
    inner join {{ source('zendesk', 'satisfaction_ratings') }} as ratings on tickets.id = ratings.ticket_id

    union all

    select
        'submission' as entity,
        ratings.id as root,
        tickets._loaded_at
    from {{ source('zendesk', 'tickets') }} as tickets
    inner join {{ source('zendesk', 'satisfaction_ratings') }} as ratings on tickets.id = ratings.ticket_id

    union all

    -- who is, or was, one of the staff
    select
        'agent' as entity,
        people.id as root,
        people._loaded_at
    from people
    inner join staff on people.id = staff.id

    union all

    select
        case when table_name = 'satisfaction_ratings' then 'invitation' else 'ticket' end as entity,
        cast(root as bigint) as root,
        _loaded_at
    from {{ source('zendesk', 'removed') }}

)

select
    entity,
    'zendesk' as source,
    cast(root as {{ kf_text() }}) as root,
    'zendesk-' || root as id,
    _loaded_at as loaded_at

from stacked

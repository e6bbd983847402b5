-- A trigger gave the ticket another schedule. No schedule means the account's own again.
with

source as (

    select
        *,
        row_number() over (partition by event_id order by child_number desc) as from_last

    from {{ source('zendesk', 'ticket_events') }}

    where field = 'schedule_id' and {{ kf_changed('ticket', 'zendesk', 'ticket_id', 'bigint') }}

)

select
    'zendesk-' || ticket_id as ticket_id,
    cast(event_id as bigint) as sequence,
    'zendesk-' || nullif(value, '') as schedule_id,
    {{ kf_utc('created_at') }} as occurred_at

from source

where {{ kf_first('from_last') }}

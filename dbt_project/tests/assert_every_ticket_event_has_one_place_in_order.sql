-- The state machine reads events in order; two with one number would make the order chance.
select
    ticket_id,
    sequence,
    count(*) as events

from {{ ref('canonical_ticket_events') }}

group by ticket_id, sequence

having count(*) > 1

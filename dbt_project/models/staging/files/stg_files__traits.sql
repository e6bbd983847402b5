-- What a source keeps a record of shows in its events as a whole: where nobody ever comments, replies are unknown.
select
    source,
    bool_or(event_type = 'comment') as has_reply_record,
    bool_or(team is not null or agent is not null) as has_assignment_record,
    bool_or(status is not null) as has_status_record

from {{ source('files', 'ticket_events') }}

group by source

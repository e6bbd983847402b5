-- Wrap-up is a site's own convention in this log: where nobody ever logs it, it is unknown, not zero.
select coalesce(bool_or(event = 'PAUSE' and lower(data1) = 'wrapup'), false) as has_wrap_up_record

from {{ source('asterisk', 'queue_log') }}

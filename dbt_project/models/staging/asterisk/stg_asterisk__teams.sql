-- The phone system knows queues, not teams; a queue is worked by one team (kefu.toml says which).
select distinct
    'asterisk-' || queue as source_team_id,
    'asterisk' as source,
    queue as team_name

from {{ source('asterisk', 'queue_log') }}

where queue is not null and queue <> 'NONE'

select
    parameter,
    named_id

from {{ source('kefu', 'names') }}

select
    parameter,
    named_id

from {{ ref('stg_kefu__names') }}

select
    zone_name,
    zone

from {{ source('kefu', 'zones') }}

select
    zone,
    utc_from as starts_at,
    utc_to as ends_at,
    offset_seconds

from {{ source('kefu', 'zone_offsets') }}

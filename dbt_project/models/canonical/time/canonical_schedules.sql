with

stacked as (

    {{ stack('schedules', ['zendesk', 'kefu']) }}

),

zones as (

    select * from {{ ref('stg_kefu__zones') }}

)

select
    stacked.schedule_version_id,
    stacked.schedule_id,
    stacked.source,
    stacked.schedule_en,
    stacked.schedule_zh,
    stacked.zone_name,
    coalesce(zones.zone, 'unmapped') as zone,
    stacked.is_default,
    stacked.valid_from_at,
    stacked.valid_to_at

from stacked
left join zones on stacked.zone_name = zones.zone_name

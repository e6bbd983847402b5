select
    'kefu-' || schedule_id || '-' || {{ kf_epoch('valid_from') }} as schedule_version_id,
    'kefu-' || schedule_id as schedule_id,
    'kefu' as source,
    schedule_en,
    schedule_zh,
    zone as zone_name,
    is_default,
    valid_from as valid_from_at,
    valid_to as valid_to_at

from {{ source('kefu', 'schedules') }}

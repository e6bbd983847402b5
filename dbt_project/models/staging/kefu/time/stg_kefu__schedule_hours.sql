select
    'kefu-' || schedule_id || '-' || {{ kf_epoch('valid_from') }} as schedule_version_id,
    iso_weekday,
    from_second,
    to_second

from {{ source('kefu', 'schedule_hours') }}

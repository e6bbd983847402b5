select
    'kefu-' || schedule_id || '-' || {{ kf_epoch('valid_from') }}
    || '-' || {{ kf_epoch('cast(local_date as timestamp)') }}
    || '-' || kind || '-' || from_second || '-' || to_second as exception_id,
    'kefu-' || schedule_id || '-' || {{ kf_epoch('valid_from') }} as schedule_version_id,
    local_date as first_date,
    local_date as last_date,
    kind as exception_kind,
    from_second,
    to_second,
    name as exception_name

from {{ source('kefu', 'schedule_days') }}

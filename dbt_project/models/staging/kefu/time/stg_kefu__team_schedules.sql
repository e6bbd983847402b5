select
    team_id,
    'kefu-' || schedule_id as schedule_id,
    zone

from {{ source('kefu', 'team_schedules') }}

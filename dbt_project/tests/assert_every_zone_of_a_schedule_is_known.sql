-- Without its zone a schedule would never be open. Names of zones: src/kefu/zones.py.
select
    schedules.schedule_id,
    schedules.zone_name

from {{ ref('canonical_schedules') }} as schedules
left join {{ ref('canonical_zone_offsets') }} as known on schedules.zone = known.zone

where known.zone is null

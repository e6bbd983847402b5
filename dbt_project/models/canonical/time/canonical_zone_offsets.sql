-- What a zone's clock shows is UTC plus its offset. Beyond what is known the nearest offset goes on.
with

offsets as (

    select * from {{ ref('stg_kefu__zone_offsets') }}

),

horizon as (

    select
        cast({{ kf_add_days('min(calendar_date)', -2) }} as timestamp) as first_at,
        cast({{ kf_add_days('max(calendar_date)', 3) }} as timestamp) as last_at

    from {{ ref('canonical_calendar_days') }}

),

in_horizon as (

    select
        offsets.*,
        row_number() over (partition by offsets.zone order by offsets.starts_at) as from_first,
        row_number() over (partition by offsets.zone order by offsets.starts_at desc) as from_last

    from offsets
    inner join horizon
        on
            offsets.starts_at < horizon.last_at
            and offsets.ends_at > horizon.first_at

)

select
    zone,
    case when from_first = 1 then {{ kf_ever() }} else starts_at end as starts_at,
    case when from_last = 1 then {{ kf_for_ever() }} else ends_at end as ends_at,
    offset_seconds

from in_horizon

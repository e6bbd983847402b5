with

stacked as (

    {{ stack('schedule_hours', ['zendesk', 'kefu']) }}

)

select
    schedule_version_id,
    iso_weekday,
    from_second,
    to_second

from stacked

with

stacked as (

    {{ stack('schedule_exceptions', ['zendesk', 'kefu']) }}

)

select
    exception_id,
    schedule_version_id,
    first_date,
    last_date,
    exception_kind,
    from_second,
    to_second,
    exception_name

from stacked

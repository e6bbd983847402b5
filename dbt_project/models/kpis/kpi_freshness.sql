-- How old the newest thing known of every source was at the end of each reporting day, on the last one at the as-of
-- time. What counts is what KPIs are made of, by when it happened: a function of the raw rows and the as-of time,
-- whenever they were loaded. Between two days of a source the older one's last moment goes on ageing.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

known as (

    {%- for table in ['kpi_telephony_hourly', 'kpi_tickets_daily', 'kpi_satisfaction_daily', 'kpi_quality_daily'] %}
    select
        source,
        service_date,
        max(last_at) as last_at
    from {{ ref(table) }}
    where last_at is not null
    group by source, service_date
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

days as (

    select
        source,
        service_date,
        max(last_at) as last_at,
        lead(service_date, 1, cast({{ kf_for_ever() }} as date)) over (
            partition by source order by service_date nulls last
        ) as next_date

    from known

    group by source, service_date

)

select
    dates.service_date,
    days.source,
    days.last_at,
    cast(1 as bigint) as sources,
    {{ kf_seconds_between(
        'days.last_at',
        'least(build.as_of_at, '
        ~ kf_utc_from_local('cast(' ~ kf_add_days('dates.service_date', 1) ~ ' as timestamp)', 'build.reporting_zone')
        ~ ')'
    ) }} as age_seconds

from days
cross join build
inner join {{ ref('dim_date') }} as dates
    on
        days.service_date <= dates.service_date
        and days.next_date > dates.service_date

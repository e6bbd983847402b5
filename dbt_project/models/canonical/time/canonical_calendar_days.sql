-- From a week before the first ticket or contact to 400 days after the as-of time: as far as business time is known.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

firsts as (

    select min(created_at) as first_at from {{ ref('canonical_tickets') }}
    union all
    select min(started_at) as first_at from {{ ref('canonical_interactions') }}

),

known as (

    -- of what happened before 1970, or later than it is, nothing is known
    select least(max(build.as_of_at), greatest(min(firsts.first_at), timestamp '1970-01-15 00:00:00')) as first_at
    from build
    cross join firsts

),

bounds as (

    select
        {{ kf_add_days('cast(known.first_at as date)', -7) }} as first_date,
        {{ kf_add_days('cast(build.as_of_at as date)', 400) }} as last_date

    from build
    cross join known

),

spine as (

    {{ kf_date_spine('bounds', 'first_date', 'last_date') }}

)

select service_date as calendar_date

from spine

-- From the first event any source knows to the reporting day of the as-of time.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

instants as (

    select min(started_at) as first_at from {{ ref('canonical_interactions') }}
    union all
    select min(created_at) as first_at from {{ ref('canonical_tickets') }}
    union all
    select min(responded_at) as first_at from {{ ref('canonical_survey_responses') }}
    union all
    select min(sent_at) as first_at from {{ ref('canonical_survey_invitations') }}

),

bounds as (

    select
        least(
            {{ kf_local_date('coalesce(min(instants.first_at), build.as_of_at)') }},
            {{ kf_local_date('build.as_of_at') }}
        ) as first_date,
        {{ kf_local_date('build.as_of_at') }} as last_date

    from build
    cross join instants

    group by build.reporting_zone, build.as_of_at

)

{{ kf_date_spine('bounds', 'first_date', 'last_date') }}

with

surveys as (

    select
        survey_id,
        source

    from {{ ref('canonical_survey_responses') }}

    union

    select
        survey_id,
        source

    from {{ ref('canonical_survey_invitations') }}

),

-- two sources may have a survey of the same name
named as (

    select
        survey_id,
        min(source) as source,
        substring(survey_id from length(min(source)) + 2) as survey

    from surveys

    group by survey_id

)

select
    named.survey_id,
    named.source,
    {{ kf_own_name('named.survey', 'named.source') }} as survey

from named

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

)

select
    survey_id,
    min(source) as source,
    substring(survey_id from length(min(source)) + 2) as survey

from surveys

group by survey_id

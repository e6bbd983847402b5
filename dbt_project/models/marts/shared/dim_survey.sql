select
    survey_id,
    min(source) as source,
    substring(survey_id from length(min(source)) + 2) as survey

from {{ ref('canonical_survey_responses') }}

group by survey_id

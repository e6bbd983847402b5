-- What a survey follows, calls or something else, only its answers tell.
select
    survey_id,
    bool_or({{ kf_json('embedded', 'call_id') }} is not null) as follows_calls

from {{ source('qualtrics', 'responses') }}

group by survey_id

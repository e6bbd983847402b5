-- Raw to ledger: every invitation, and every answer to a question that measures something. What is left out has a name:
-- previews, tests and spam (status other than 0), and questions without a metric.
with

expected as (

    select
        'invitation' as entity,
        'qualtrics-' || distribution_id || '-' || contact_id as id
    from {{ source('qualtrics', 'invitations') }}
    where {{ kf_changed('invitation', 'qualtrics', "distribution_id || '-' || contact_id") }}

    union all

    select
        'answer' as entity,
        'qualtrics-' || answers.response_id || '-' || answers.question_id as id
    from {{ source('qualtrics', 'answers') }} as answers
    inner join {{ source('qualtrics', 'responses') }} as responses
        on
            answers.survey_id = responses.survey_id
            and answers.response_id = responses.response_id
    inner join {{ source('qualtrics', 'questions') }} as questions
        on
            answers.survey_id = questions.survey_id
            and answers.question_id = questions.question_id
    where
        responses.status = 0
        and questions.metric is not null
        and {{ kf_changed('submission', 'qualtrics', 'answers.response_id') }}

),

found as (

    select
        'invitation' as entity,
        invitation_id as id
    from {{ ref('canonical_survey_invitations') }}
    where source = 'qualtrics'

    union all

    select
        'answer' as entity,
        response_id as id
    from {{ ref('canonical_survey_responses') }}
    where source = 'qualtrics'

)

select
    expected.entity,
    expected.id

from expected
left join found
    on
        expected.entity = found.entity
        and expected.id = found.id

where found.id is null

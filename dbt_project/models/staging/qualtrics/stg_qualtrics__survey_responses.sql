-- One row per answer to one question. Previews, tests and spam are kept in raw only.
with

responses as (

    select * from {{ source('qualtrics', 'responses') }}

    where status = 0 and {{ kf_changed('submission', 'qualtrics', 'response_id') }}

),

answers as (

    select * from {{ source('qualtrics', 'answers') }}
    where {{ kf_changed('submission', 'qualtrics', 'response_id') }}

),

questions as (

    select
        survey_id,
        question_id,
        metric,
        scale

    from {{ source('qualtrics', 'questions') }}

    where metric is not null

),

invitations as (

    select
        response_id,
        min('qualtrics-' || distribution_id || '-' || contact_id) as invitation_id

    from {{ source('qualtrics', 'invitations') }}

    where response_id is not null and {{ kf_changed('submission', 'qualtrics', 'response_id') }}

    group by response_id

)

select
    'qualtrics-' || responses.response_id || '-' || answers.question_id as response_id,
    'qualtrics-' || responses.response_id as submission_id,
    'qualtrics' as source,
    answers.question_id,
    -- a second answer to one invitation is known only by what the survey passes along
    coalesce(
        'qualtrics-' || {{ kf_json('responses.embedded', 'distribution_id') }}
        || '-' || {{ kf_json('responses.embedded', 'contact_id') }},
        invitations.invitation_id
    ) as invitation_id,
    'qualtrics-' || responses.survey_id as survey_id,
    questions.metric,
    questions.scale as scale_id,
    case
        when {{ kf_matches('answers.value', '^-?[0-9]+([.][0-9]+)?$') }} then cast(answers.value as decimal(18, 6))
    end as answer,
    {{ kf_identity('reference', 'responses.contact_reference') }} as identity_id,
    'qualtrics-' || responses.agent as agent_id,
    'qualtrics-' || responses.team as source_team_id,
    responses.ticket_id,
    {{ kf_json('responses.embedded', 'call_id') }} as interaction_id,
    case
        when {{ kf_json('responses.embedded', 'call_id') }} is not null then 'voice'
        else 'other'
    end as channel,
    cast(null as {{ kf_text() }}) as segment,
    coalesce(responses.finished, false) as is_complete,
    {{ kf_utc('responses.recorded_at') }} as responded_at

from responses
inner join answers
    on
        responses.survey_id = answers.survey_id
        and responses.response_id = answers.response_id
inner join questions
    on
        answers.survey_id = questions.survey_id
        and answers.question_id = questions.question_id
left join invitations on responses.response_id = invitations.response_id

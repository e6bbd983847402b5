select
    source || '-' || evaluation_id || '-' || question as evaluation_answer_id,
    source || '-' || evaluation_id as evaluation_id,
    source,
    question as question_id,
    section,
    cast(coalesce(weight, 1) as decimal(18, 6)) as weight,
    cast(score as decimal(18, 6)) as score,
    cast(coalesce(max_score, 1) as decimal(18, 6)) as max_score,
    passed as has_passed,
    coalesce(is_applicable, true) as is_applicable,
    coalesce(is_critical, false) as is_critical,
    critical_area

from {{ source('files', 'evaluation_answers') }}

where {{ kf_changed_file('evaluation', 'evaluation_id') }}

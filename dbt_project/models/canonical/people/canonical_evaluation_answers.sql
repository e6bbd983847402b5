with

stacked as (

    {{ stack('evaluation_answers', ['files']) }}

)

select
    stacked.evaluation_answer_id,
    stacked.evaluation_id,
    stacked.source,
    stacked.question_id,
    stacked.section,
    stacked.weight,
    stacked.score,
    stacked.max_score,
    stacked.has_passed,
    stacked.is_applicable,
    stacked.is_critical,
    stacked.critical_area

from stacked
-- items may come before the evaluation they are of: they wait for it
inner join {{ ref('canonical_evaluations') }} as evaluations on stacked.evaluation_id = evaluations.evaluation_id

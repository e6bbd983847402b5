-- An item counts once it applied and was judged: what did not apply leaves the base, never lowers the score. An item
-- that is only passed or failed scores all or nothing.
with

answers as (

    select * from {{ ref('canonical_evaluation_answers') }}
    where {{ kf_touched('evaluation', 'evaluation_id') }}

),

judged as (

    select
        answers.*,
        coalesce(score, case when has_passed then max_score when not has_passed then 0 end) as points,
        is_applicable and max_score > 0 and (score is not null or has_passed is not null) as is_counted

    from answers

)

select
    judged.evaluation_answer_id,
    judged.evaluation_id,
    judged.source,
    judged.question_id,
    judged.section,
    judged.is_counted,
    judged.weight,
    case
        when judged.is_counted
            then cast(judged.weight * {{ kf_share('judged.points', 'judged.max_score', 6) }} as decimal(18, 6))
    end as earned_weight,
    judged.is_critical,
    judged.critical_area,
    coalesce(
        judged.is_critical and judged.is_counted
        and not coalesce(judged.has_passed, judged.points > 0),
        false
    ) as is_critical_failure

from judged

-- Whose work it was is who the agent was when the contact took place; where no roster says, the team whose contact the
-- agent took, which after an overflow or a transfer is not the first one. A rescored evaluation gives way to the one
-- that replaces it; one that only compares evaluators (a calibration) counts nowhere.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

evaluations as (

    select * from {{ ref('canonical_evaluations') }}
    where {{ kf_touched('evaluation', 'evaluation_id') }}

),

replaced as (

    select distinct later.rescored_of_id

    from {{ ref('canonical_evaluations') }} as later
    cross join build

    where
        later.rescored_of_id is not null
        and not later.is_calibration
        and later.evaluated_at <= build.as_of_at
        and {{ kf_touched('evaluation', 'later.rescored_of_id') }}

),

scored as (

    select
        evaluation_id,
        cast(count(case when is_counted then 1 end) as bigint) as items,
        cast(coalesce(sum(case when is_counted then weight end), 0) as decimal(18, 6)) as applicable_weight,
        cast(coalesce(sum(earned_weight), 0) as decimal(18, 6)) as earned_weight,
        bool_or(is_critical_failure) as has_critical_failure,
        bool_or(is_critical_failure and critical_area = 'customer') as has_customer_failure,
        bool_or(is_critical_failure and critical_area = 'business') as has_business_failure,
        bool_or(is_critical_failure and critical_area = 'compliance') as has_compliance_failure

    from {{ ref('fct_evaluation_answers') }}

    where {{ kf_touched('evaluation', 'evaluation_id') }}

    group by evaluation_id

),

-- where the agent took the contact
served as (

    select
        evaluations.evaluation_id,
        min(segments.team_id) as team_id

    from evaluations
    inner join {{ ref('canonical_interaction_segments') }} as segments
        on
            evaluations.interaction_id = segments.interaction_id
            and evaluations.agent_id = segments.agent_id

    where segments.segment_type = 'talk' and segments.team_id <> 'none'

    group by evaluations.evaluation_id

),

linked as (

    select
        evaluations.*,
        contacts.started_at as interaction_started_at,
        contacts.team_id as contact_team_id,
        contacts.channel as contact_channel,
        coalesce(evaluations.contact_at, contacts.started_at, evaluations.evaluated_at) as credited_at

    from evaluations
    left join {{ ref('canonical_interactions') }} as contacts on evaluations.interaction_id = contacts.interaction_id

)

select
    linked.evaluation_id,
    linked.source,
    linked.interaction_id,
    linked.ticket_id,
    linked.agent_id,
    coalesce(
        nullif(linked.team_id, 'none'), nullif(versions.team_id, 'none'), served.team_id, linked.contact_team_id, 'none'
    ) as team_id,
    coalesce(linked.contact_channel, linked.channel) as channel,
    linked.evaluator_id,
    linked.form_id,
    linked.form_version,
    linked.kind,
    linked.selection,
    linked.model_version,
    linked.is_calibration,
    replaced.rescored_of_id is not null as is_rescored,
    not linked.is_calibration and replaced.rescored_of_id is null and coalesce(scored.items, 0) > 0 as is_counted,
    coalesce(scored.items, 0) as items,
    coalesce(scored.applicable_weight, 0) as applicable_weight,
    coalesce(scored.earned_weight, 0) as earned_weight,
    {{ kf_share('scored.earned_weight', 'scored.applicable_weight', 6) }} as score,
    coalesce(scored.has_critical_failure, false) as has_critical_failure,
    coalesce(scored.has_customer_failure, false) as has_customer_failure,
    coalesce(scored.has_business_failure, false) as has_business_failure,
    coalesce(scored.has_compliance_failure, false) as has_compliance_failure,
    linked.credited_at as contact_at,
    linked.evaluated_at,
    {{ kf_local_date('linked.evaluated_at') }} as service_date,
    {{ kf_local_date('linked.interaction_started_at') }} as contact_date

from linked
cross join build
left join scored on linked.evaluation_id = scored.evaluation_id
left join served on linked.evaluation_id = served.evaluation_id
left join replaced on linked.evaluation_id = replaced.rescored_of_id
left join {{ ref('canonical_agent_versions') }} as versions
    on
        linked.agent_id = versions.agent_id
        and linked.credited_at >= versions.valid_from_at
        and linked.credited_at < versions.valid_to_at

where linked.evaluated_at <= build.as_of_at

-- A policy under its last name, with its id where another has that name; what it promised when is in dim_sla_target.
with

ranked as (

    select
        *,
        row_number() over (
            partition by policy_id order by valid_from_at desc, valid_to_at desc, policy_version_id desc
        ) as from_last

    from {{ ref('canonical_sla_policies') }}

),

named as (

    -- a policy that is gone keeps the name it had
    select
        *,
        row_number() over (
            partition by policy_id
            order by
                case when policy_en = policy_id then 1 else 0 end asc nulls last,
                valid_from_at desc,
                policy_version_id desc
        ) as from_last_name

    from {{ ref('canonical_sla_policies') }}

)

select
    ranked.policy_id,
    ranked.source,
    {{ kf_own_name('named.policy_en', 'ranked.policy_id') }} as policy_en,
    {{ kf_own_name('named.policy_zh', 'ranked.policy_id') }} as policy_zh,
    ranked.place_in_order,
    ranked.is_applicable,
    ranked.obstacle,
    promises.named_id is not null as is_public

from ranked
inner join named
    on
        ranked.policy_id = named.policy_id
        and {{ kf_first('named.from_last_name') }}
left join {{ ref('canonical_names') }} as promises
    on
        ranked.policy_id = promises.named_id
        and promises.parameter = 'public_promises'

where {{ kf_first('ranked.from_last') }}

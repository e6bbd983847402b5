{#-
The spells of clocks with the promise they are judged by, as the parameter sla_rebase has it: the one in force when the
clock got its first target, or at each moment the one in force then. Where a spell has none (the clock has ended, or no
policy applies any more) the last one stands, and `due_at` and `overdue_at` are null.
-#}
{% macro kf_sla_judged(touched) -%}
    select
        carried.*,
        case
            when shown in ('ended', 'cancelled') and lag(shown) over in_order = 'cancelled' then 'cancelled'
            else shown
        end as shown_state

    from (
        select
            numbered.*,
            {%- for column in ['policy_version_id', 'priority', 'target_seconds'] %}
            max(judged_{{ column }}) over (partition by clock_id, promise) as {{ column }},
            {%- endfor %}
            coalesce(max(case when is_judged_business then 1 else 0 end) over (partition by clock_id, promise), 0) = 1
                as is_business

        from (
            select
                chosen.*,
                case
                    when state in ('running', 'paused') and judged_target_seconds is null then 'cancelled'
                    else state
                end as shown,
                count(judged_target_seconds) over (
                    partition by clock_id order by spell_number rows between unbounded preceding and current row
                ) as promise

            from (
                select
                    spells.*,
                    build.as_of_at,
                    {%- for column in ['policy_version_id', 'priority', 'target_seconds'] %}
                    case
                        when spells.state not in ('running', 'paused') then null
                        when build.sla_rebase = 'start' then spells.start_{{ column }}
                        when spells.current_target_seconds is not null then spells.current_{{ column }}
                    end as judged_{{ column }},
                    {%- endfor %}
                    {%- for column in ['due_at', 'overdue_at'] %}
                    case
                        when build.sla_rebase = 'start' then spells.start_{{ column }}
                        else spells.current_{{ column }}
                    end as {{ column }},
                    {%- endfor %}
                    case
                        when spells.state not in ('running', 'paused') then false
                        when build.sla_rebase = 'start' then spells.is_start_business
                        else coalesce(spells.is_current_business, false)
                    end as is_judged_business

                from {{ ref('canonical_sla_spells') }} as spells
                cross join {{ ref('stg_kefu__build') }} as build

                where spells.is_applied and {{ touched }}
            ) as chosen
        ) as numbered
    ) as carried

    window in_order as (partition by clock_id order by spell_number)
{%- endmacro %}

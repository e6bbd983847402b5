{#-
Business seconds of intervals in tickets' lives, one row per `key` of the relation (null ends left out):
`business_seconds` under whatever schedule was in force at each second, `last_schedule_business_seconds` as if the one in
force at the end had been so all the time, which is how Zendesk counts. Null where a schedule is not known.
-#}
{% macro kf_ticket_business_seconds(relation, key, ticket_id='ticket_id', start='started_at', finish='ended_at') -%}
    {%- set begins = 'greatest(intervals.' ~ start ~ ', spells.valid_from_at)' -%}
    {%- set ends = 'least(intervals.' ~ finish ~ ', spells.valid_to_at)' -%}
    {%- set is_last = 'spells.valid_to_at > intervals.' ~ finish -%}
    {%- set seconds = kf_business_seconds('spell_start', begins, 'spell_finish', ends) %}
    select
        intervals.{{ key }},
        case
            when count(*) = count(spell_start.schedule_id) and count(*) = count(spell_finish.schedule_id)
                then cast(sum({{ seconds }}) as bigint)
        end as business_seconds,
        max(
            case
                when {{ is_last }} and spells.valid_from_at > intervals.{{ start }}
                    then {{ kf_business_seconds('whole_start', 'intervals.' ~ start, 'spell_finish', ends) }}
                when {{ is_last }} then {{ seconds }}
            end
        ) as last_schedule_business_seconds

    from {{ relation }} as intervals
    inner join {{ ref('canonical_ticket_schedules') }} as spells
        on
            intervals.{{ ticket_id }} = spells.ticket_id
            and intervals.{{ finish }} >= spells.valid_from_at
            and intervals.{{ start }} < spells.valid_to_at
    {{ kf_business_join('spell_start', 'spells.schedule_id', begins) }}
    {{ kf_business_join('spell_finish', 'spells.schedule_id', ends) }}
    -- only where the last schedule did not hold from the start
    left join {{ ref('canonical_business_days') }} as whole_start
        on
            spells.schedule_id = whole_start.schedule_id
            and cast(intervals.{{ start }} as date) = whole_start.calendar_date
            and spells.valid_from_at > intervals.{{ start }}
            and {{ is_last }}

    group by intervals.{{ key }}
{%- endmacro %}

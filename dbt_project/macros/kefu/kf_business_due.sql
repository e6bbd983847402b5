{#-
The way back: when a schedule has been open for so many seconds. `position` is a running total as kf_business_position
gives it, so that business seconds `n` after an instant are `kf_business_position(...) + n`. The first instant at which
so much has passed: the close of a window rather than the opening of the next. Null beyond the calendar's horizon.
-#}
{% macro kf_business_due_join(alias, schedule_id, position) -%}
    left join {{ ref('canonical_due_windows') }} as {{ alias }}
        on
            {{ schedule_id }} = {{ alias }}.schedule_id
            and {{ kf_idiv('(' ~ position ~ ' - 1)', kf_business_stretch()) }} = {{ alias }}.stretch
            and {{ position }} > {{ alias }}.open_before_seconds
            and {{ position }} <= {{ alias }}.open_before_seconds + {{ alias }}.open_seconds
{%- endmacro %}

{% macro kf_business_due(alias, position) -%}
    {{ kf_add_seconds(alias ~ '.opens_at', '(' ~ position ~ ' - ' ~ alias ~ '.open_before_seconds)') }}
{%- endmacro %}

{#- The rows of a relation with `due_at`: their start plus business seconds; at once if these are none. -#}
{% macro kf_business_dues(relation, schedule_id='schedule_id', start='started_at', seconds='target_seconds') -%}
    select
        placed.*,
        case
            when placed.{{ seconds }} <= 0 then placed.{{ start }}
            else {{ kf_business_due('due', 'placed.due_position') }}
        end as due_at

    from (
        select
            clocks.*,
            {{ kf_business_position('day_of_start', 'clocks.' ~ start) }} + clocks.{{ seconds }} as due_position

        from {{ relation }} as clocks
        {{ kf_business_join('day_of_start', 'clocks.' ~ schedule_id, 'clocks.' ~ start) }}
    ) as placed
    {{ kf_business_due_join('due', 'placed.' ~ schedule_id, 'placed.due_position') }}
{%- endmacro %}

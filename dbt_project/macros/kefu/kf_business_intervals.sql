{#- The rows of a relation with `business_seconds` of their interval, both look-ups included. -#}
{% macro kf_business_intervals(relation, schedule_id='schedule_id', start='started_at', finish='ended_at') -%}
    select
        intervals.*,
        {{ kf_business_seconds('day_of_start', 'intervals.' ~ start, 'day_of_finish', 'intervals.' ~ finish) }} as business_seconds

    from {{ relation }} as intervals
    {{ kf_business_join('day_of_start', 'intervals.' ~ schedule_id, 'intervals.' ~ start) }}
    {{ kf_business_join('day_of_finish', 'intervals.' ~ schedule_id, 'intervals.' ~ finish) }}
{%- endmacro %}

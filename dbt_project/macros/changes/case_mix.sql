{#-
Before a model in which every rating is compared with all those of its reporting month: one that comes, goes or changes
touches every day of its month.
-#}
{% macro kf_touch_months_of_ratings() -%}
    {%- set month = "date_trunc('month', listed.at)" %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        select distinct '{{ kf_slot() }}', 'case_mix_day', cast(days.service_date as text)
        from ({{ kf_date_spine(
            '(' ~ kf_worklist('survey_day', 'id', 'timestamp') ~ ') as listed (at)',
            month, month ~ " + interval '1 month' - interval '1 day'"
        ) }}) as days
        on conflict do nothing
{%- endmacro %}

{#-
Joins the calendar row of an instant as `alias`: one equality on schedule and UTC day. No row, and so a null, outside
the calendar's horizon (canonical_calendar_days) and where there is no schedule.
-#}
{% macro kf_business_join(alias, schedule_id, at) -%}
    left join {{ ref('canonical_business_days') }} as {{ alias }}
        on
            {{ schedule_id }} = {{ alias }}.schedule_id
            and cast({{ at }} as date) = {{ alias }}.calendar_date
{%- endmacro %}

{#-
Whether the schedule was open at an instant; `alias` is the row that kf_business_join found for it. Null without one.
-#}
{% macro kf_business_is_open(alias, at) -%}
    case
        when {{ alias }}.schedule_id is null then null
        else
            {%- for place in range(1, kf_business_windows() + 1) %}
            {%- set window = alias ~ '.window_' ~ place %}
            coalesce({{ at }} >= {{ window }}_opens_at and {{ at }} < {{ window }}_closes_at, false)
            {{- ' or' if not loop.last }}
            {%- endfor %}
    end
{%- endmacro %}

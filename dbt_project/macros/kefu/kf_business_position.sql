{#-
How many seconds the schedule was open before an instant, from the first day of the calendar; `alias` is the row that
kf_business_join found for it.
-#}
{% macro kf_business_position(alias, at) -%}
    case
        {%- for place in range(kf_business_windows(), 0, -1) %}
        {%- set window = alias ~ '.window_' ~ place %}
        when {{ at }} >= {{ window }}_opens_at
            then {{ window }}_before_seconds + {{ kf_seconds_between(window ~ '_opens_at', 'least(' ~ at ~ ', ' ~ window ~ '_closes_at)') }}
        {%- endfor %}
        else {{ alias }}.open_before_seconds
    end
{%- endmacro %}

{#-
Business seconds from one instant to another, each with the row that kf_business_join found for it: a difference of two
look-ups. Negative when they are the wrong way round, as calendar seconds are.
-#}
{% macro kf_business_seconds(start_alias, start, finish_alias, finish) -%}
    ({{ kf_business_position(finish_alias, finish) }} - {{ kf_business_position(start_alias, start) }})
{%- endmacro %}

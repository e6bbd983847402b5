{#-
Whether a row is the first by its number (`row_number()`). Not written as `= 1`: of what equals a number it has never seen
Postgres' planner expects one row in two hundred, and then joins what comes of it by comparing each row with each.
-#}
{% macro kf_first(number) -%}{{ number }} <= 1{%- endmacro %}

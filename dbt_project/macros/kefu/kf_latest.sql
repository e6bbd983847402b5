{#-
Of the texts of a group, the one with the highest number (0 or more, no two alike); rows without a text are passed over.
One aggregate where a window would have the rows sorted again; a row without a text costs nothing.
-#}
{% macro kf_latest(value, number) -%}
    substring(max(case when {{ value }} is not null then lpad(cast({{ number }} as {{ kf_text() }}), 19, '0') || {{ value }} end), 20)
{%- endmacro %}

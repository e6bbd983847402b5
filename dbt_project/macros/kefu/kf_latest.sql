{#-
Of the texts of a group, or of a window's rows, the one with the highest number (0 or more, no two alike); rows without
a text are passed over. One aggregate where a window, or one a column, would have the rows sorted again.
-#}
{% macro kf_latest(value, number, over='') -%}
    substring(max(lpad(cast({{ number }} as {{ kf_text() }}), 19, '0') || ({{ value }})){{ ' over ' ~ over if over }}, 20)
{%- endmacro %}

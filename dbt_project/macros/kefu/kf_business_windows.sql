{#- How many open windows of a UTC day the calendar has columns for; a test fails on a day that needs more. -#}
{% macro kf_business_windows() -%}{{ return(6) }}{%- endmacro %}

{#- How many business seconds a stretch of canonical_due_windows is long: the key by which an instant is found again. -#}
{% macro kf_business_stretch() -%}{{ return(28800) }}{%- endmacro %}

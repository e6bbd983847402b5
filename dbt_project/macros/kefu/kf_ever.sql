{#- The ends of time, within what every reader of timestamps can hold. -#}
{% macro kf_ever() -%}timestamp '1900-01-01 00:00:00'{%- endmacro %}

{% macro kf_for_ever() -%}timestamp '2200-01-01 00:00:00'{%- endmacro %}

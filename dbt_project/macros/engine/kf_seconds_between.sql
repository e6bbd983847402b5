{#- Whole seconds from one naive UTC timestamp to another, as bigint; negative when they are the wrong way round. -#}
{% macro kf_seconds_between(start, finish) -%}
    ({{ kf_epoch(finish) }} - {{ kf_epoch(start) }})
{%- endmacro %}

{#-
A name no other row has: where several share one, what tells them apart stands behind it. Who groups by names must not
add two teams or queues up.
-#}
{% macro kf_own_name(name, told_apart_by) -%}
    case
        when count(*) over (partition by {{ name }}) > 1 then {{ name }} || ' (' || {{ told_apart_by }} || ')'
        else {{ name }}
    end
{%- endmacro %}

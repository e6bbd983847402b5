{#-
The band of a duration, by which percentiles roll up: all whole seconds with the same leading three digits are one band,
called after its middle. Exact below 1,000 s, from there on within 0.5 %; in whole numbers, the same on every engine.
Null below zero: no duration. With `exact_below` 100 the leading two, within 5 %.
-#}
{% macro kf_band(seconds, exact_below=1000) -%}
    cast(
        case
            when {{ seconds }} < 0 then null
            when {{ seconds }} < {{ exact_below }} then {{ seconds }}
            {%- for digits in range(1, 7) %}
            when {{ seconds }} < {{ exact_below * 10 ** digits }}
                then {{ kf_idiv('(' ~ seconds ~ ')', 10 ** digits) }} * {{ 10 ** digits }} + {{ 5 * 10 ** (digits - 1) }}
            {%- endfor %}
            else {{ kf_idiv('(' ~ seconds ~ ')', 10 ** 7) }} * {{ 10 ** 7 }} + {{ 5 * 10 ** 6 }}
        end as bigint
    )
{%- endmacro %}

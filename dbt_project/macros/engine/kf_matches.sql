{#- Whether a text matches a regular expression. Write [0-9] and [.] rather than a backslash. -#}
{% macro kf_matches(column, pattern) -%}{{ return(adapter.dispatch('kf_matches')(column, pattern)) }}{%- endmacro %}

{% macro postgres__kf_matches(column, pattern) -%}({{ column }} ~ '{{ pattern }}'){%- endmacro %}

{% macro spark__kf_matches(column, pattern) -%}({{ column }} rlike r'{{ pattern }}'){%- endmacro %}

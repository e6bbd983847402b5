{% macro kf_matches(column, pattern) -%}{{ return(adapter.dispatch('kf_matches')(column, pattern)) }}{%- endmacro %}

{% macro postgres__kf_matches(column, pattern) -%}({{ column }} ~ '{{ pattern }}'){%- endmacro %}

{#- Parts of a second in which shares of it are counted: every number up to 16 divides it, so that shares are exact. -#}
{% macro kf_second_parts() -%}{{ return(720720) }}{%- endmacro %}

{#- The staging models of one entity, source by source, stacked: they share names and order of columns. -#}
{% macro stack(entity, sources) %}
    {%- for source in sources -%}
    select * from {{ ref('stg_' ~ source ~ '__' ~ entity) }}
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor -%}
{% endmacro %}

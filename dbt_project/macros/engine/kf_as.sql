{#-
Between the name of a common table expression and its query, where it matters how Postgres goes about one that is read
several times: it would be written down once, of which nothing is known any more, no index and no statistics.
-#}

{#- As if its query stood wherever it is read. -#}
{% macro kf_as_inlined() -%}{{ return(adapter.dispatch('kf_as_inlined')()) }}{%- endmacro %}

{% macro postgres__kf_as_inlined() -%}as not materialized{%- endmacro %}

{% macro spark__kf_as_inlined() -%}as{%- endmacro %}

{#- Made once, whoever reads it: what is joined to it is not drawn into making it. -#}
{% macro kf_as_made_once() -%}{{ return(adapter.dispatch('kf_as_made_once')()) }}{%- endmacro %}

{% macro postgres__kf_as_made_once() -%}as materialized{%- endmacro %}

{% macro spark__kf_as_made_once() -%}as{%- endmacro %}

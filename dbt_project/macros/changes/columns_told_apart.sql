{#-
Of a kpi table only what its rows are told apart by is looked at by Postgres, in brackets: it is all they are searched,
joined and grouped by. To sort a sample of each of the hundred parts beside it takes as long as making the table.
-#}
{% macro kf_columns_told_apart() -%}
    {%- set columns = [] -%}
    {%- if this.schema.startswith('kpis_') -%}
        {%- for index in config.get('indexes', []) -%}
            {%- for column in index['columns'] if column not in columns -%}{%- do columns.append(column) -%}{%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if columns %} ({{ columns | join(', ') }}){% endif -%}
{%- endmacro %}

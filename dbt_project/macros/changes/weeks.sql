{#-
Before kpi_weeks: the weeks of all days on the worklist that a kpi table of the catalogue is made by. Where everything
from a day on is made anew, those of whatever there was and is from then on.
-#}
{% macro kf_touch_weeks() -%}
    {%- set entities = [] -%}
    {%- set days = [] -%}
    {%- for table in kpi_tables(replaced=true) -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == table -%}
            {%- set root = node.config.meta.root -%}
            {%- set listed = kf_worklist(root.entity, 'id', 'date') -%}
            {%- if root.entity not in entities -%}
                {%- do entities.append(root.entity) -%}
                {%- do days.append(listed) -%}
            {%- endif -%}
            {%- if root.get('onwards') -%}
                {%- set first = '(select min(listed.id) from (' ~ listed ~ ') as listed (id))' -%}
                {%- do days.append(
                    'select distinct ' ~ root.column ~ ' from ' ~ ref(table) ~ ' where ' ~ root.column ~ ' >= ' ~ first
                ) -%}
                {%- do days.append('select distinct week_start from ' ~ this ~ ' where week_start >= ' ~ first) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        select distinct '{{ kf_slot() }}', 'kpi_week', cast(cast(date_trunc('week', days.day) as date) as text)
        from (
            {{ days | join('\n            union all\n            ') }}
        ) as days (day)
        on conflict do nothing
{%- endmacro %}

{#- The days of the weeks that a query gives the Mondays of. -#}
{% macro kf_days_of_weeks(mondays) -%}
    select {{ kf_add_days('weeks.week_start', 'places.place') }} as service_date
    from ({{ mondays }}) as weeks (week_start)
    cross join (values (0), (1), (2), (3), (4), (5), (6)) as places (place)
{%- endmacro %}

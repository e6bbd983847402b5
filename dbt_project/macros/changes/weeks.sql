{#-
What kpi_weeks makes anew together: the KPIs of one week that come from the same kind of day. Its name in the worklist and
in the table is `<Monday> <entity of the day>`.
-#}
{% macro kf_week_with(monday, entity) -%}
    cast({{ monday }} as text) || ' {{ entity }}'
{%- endmacro %}

{#-
Before kpi_weeks: the weeks of all days on the worklist that a kpi table of the catalogue is made by. Where everything
from a day on is made anew, those of whatever there was and is from then on.
-#}
{% macro kf_touch_weeks() -%}
    {%- set days = {} -%}
    {%- for table in kpi_tables(replaced=true) -%}
        {%- set root = kf_root_of_model(table) -%}
        {%- set listed = kf_worklist(root.entity, 'id', 'date') -%}
        {%- set of_entity = days.setdefault(root.entity, [listed]) -%}
        {%- if root.get('onwards') -%}
            {%- set first = '(select min(listed.id) from (' ~ listed ~ ') as listed (id))' -%}
            {%- do of_entity.append(
                'select distinct ' ~ root.column ~ ' from ' ~ ref(table) ~ ' where ' ~ root.column ~ ' >= ' ~ first
            ) -%}
            {%- do of_entity.append(
                'select distinct week_start from ' ~ this ~ ' where week_start >= ' ~ first
                ~ " and made_with like '% " ~ root.entity ~ "'"
            ) -%}
        {%- endif -%}
    {%- endfor %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        {%- for entity, selects in days.items() %}
        select distinct
            '{{ kf_slot() }}', 'kpi_week', {{ kf_week_with("cast(date_trunc('week', days.day) as date)", entity) }}
        from (
            {{ selects | join('\n            union all\n            ') }}
        ) as days (day)
        {{ 'union all' if not loop.last }}
        {%- endfor %}
        on conflict do nothing
{%- endmacro %}

{#- The days of the weeks this build makes anew, each with its kind. -#}
{% macro kf_days_of_touched_weeks() -%}
    select
        {{ kf_add_days('weeks.week_start', 'places.place') }} as service_date,
        weeks.entity
    from (
        select
            cast(substring(listed.id from 1 for 10) as date) as week_start,
            substring(listed.id from 12) as entity
        from ({{ kf_worklist('kpi_week', list='kf_roots') }}) as listed
    ) as weeks
    cross join (values (0), (1), (2), (3), (4), (5), (6)) as places (place)
{%- endmacro %}

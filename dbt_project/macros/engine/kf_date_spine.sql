{#- Every date from one to another (both expressions of one row of `relation`), one row a day, column service_date. -#}
{% macro kf_date_spine(relation, first, last) -%}{{ return(adapter.dispatch('kf_date_spine')(relation, first, last)) }}{%- endmacro %}

{% macro postgres__kf_date_spine(relation, first, last) -%}
    select cast(days.service_date as date) as service_date
    from {{ relation }}
    cross join lateral generate_series(
        cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day'
    ) as days (service_date)
{%- endmacro %}

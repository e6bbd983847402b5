{#-
E06: the reporting day of an instant where somebody is. kf_zone_join joins the offset of the zone at the instant as
`alias`; kf_zone_date is the date its clocks show. An unknown zone has no offset, so give one that is known.
-#}
{% macro kf_zone_join(alias, zone, at) -%}
    left join {{ ref('canonical_zone_offsets') }} as {{ alias }}
        on
            {{ zone }} = {{ alias }}.zone
            and {{ at }} >= {{ alias }}.starts_at
            and {{ at }} < {{ alias }}.ends_at
{%- endmacro %}

{% macro kf_zone_date(alias, at) -%}
    cast({{ kf_add_seconds(at, alias ~ '.offset_seconds') }} as date)
{%- endmacro %}

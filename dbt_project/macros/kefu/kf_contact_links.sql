{#-
The contacts that rows of another system speak of. That system knows a ticket or a call by its own key, without the
source in front, or the mapping has put it there: `said` is looked for as it is and behind the name of every source.
One row per word that means a contact of `known`; its id is null where it means several. (Those are not left out: of a
condition on a count Postgres expects next to nothing to come through, and goes through all of it for every row.)
-#}
{% macro kf_contact_links(relation, said, known, key) %}
    select
        wanted.said,
        case when count(*) = 1 then min(known_contacts.{{ key }}) end as id

    from (
        select
            {{ said }} as said,
            {{ said }} as candidate
        from {{ relation }}
        where {{ said }} is not null

        union

        select
            sayings.{{ said }} as said,
            prefixes.source || '-' || sayings.{{ said }} as candidate
        from {{ relation }} as sayings
        cross join (select distinct source from {{ ref('canonical_teams') }}) as prefixes
        where sayings.{{ said }} is not null
    ) as wanted
    inner join {{ known }} as known_contacts on wanted.candidate = known_contacts.{{ key }}

    group by wanted.said
{%- endmacro %}

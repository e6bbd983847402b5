{#-
Hooks around every model from canonical on. One with `meta.root` is incremental: what it holds of the roots on the
worklist goes before, is made anew, and what came out otherwise than it was is announced to the models above. Which
roots these are is settled before (`kf_roots`): what a model beside it announces meanwhile would else be made anew but
not have gone.

meta:
  root: {entity: ticket, column: ticket_id}    whose rows are replaced together; type: date if it is one;
                                               onwards: true if everything from the first one on has to go;
                                               derived: true if in the ledger, too, models put it on the worklist
  announces: {invitation: [invitation_key]}    other roots touched where a row of this model changed
  hangs_on: [{entity: ticket, relation: canonical_survey_responses, by: ticket_id, column: invitation_key}]
                                               roots of this model touched where one of another entity is: those
                                               (`column`) of the relation's rows that name it (`by`)
  spreads: kf_some_macro                       what, before anything goes, puts more roots on the worklist
  due: [{entity: ticket, column: ticket_id, at: occurred_at}]   roots that change by themselves at an instant to come
-#}

{% macro kf_before() -%}
    {%- set meta = config.get('meta', {}) if execute else {} -%}
    {%- set root = meta.get('root') -%}
    {%- if root and is_incremental() -%}
        {%- for other in meta.get('hangs_on', []) %}
        {{ kf_touch_through(root.entity, ref(other.relation), other.column, other.entity, other.by) }};
        {%- endfor %}
        {%- if meta.get('spreads') %}{{ context[meta.spreads]() }};
        {% endif -%}
        create temporary table kf_roots on commit drop as
        select id, root, source from {{ source('kefu', 'worklist') }}
        where slot = {{ kf_slot_of_build() }} and entity = '{{ root.entity }}';
        analyze kf_roots;
        create temporary table kf_before on commit drop as
        select * from {{ this }} where {{ kf_is_on_worklist(root) }};
        delete from {{ this }} where {{ kf_is_on_worklist(root) }}
    {%- endif -%}
{%- endmacro %}

{% macro kf_after() -%}
    {%- set meta = config.get('meta', {}) if execute else {} -%}
    {%- if execute and config.get('materialized') == 'view' -%}
    {%- elif execute and kf_is_full() -%}
        analyze {{ this }}{{ kf_columns_told_apart() }};
    {%- elif meta.get('announces') and is_incremental() -%}
        create temporary table kf_now on commit drop as
        select * from {{ this }} where {{ kf_is_on_worklist(meta.root) }};
        create temporary table kf_difference on commit drop as
        (select * from kf_before except all select * from kf_now)
        union all
        (select * from kf_now except all select * from kf_before);
        {#- Always in the same order: two models that announce the same roots at once never lock each other out. -#}
        {%- for entity in meta.announces | sort %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        select distinct slots.slot, '{{ entity }}', announced.id
        from (
            {%- for column in meta.announces[entity] %}
            select cast(kf_difference.{{ column }} as text) from kf_difference
            {{ 'union all' if not loop.last }}
            {%- endfor %}
        ) as announced (id)
        cross join {{ kf_slots_concerned() }}
        where announced.id is not null
        order by 1, 3
        on conflict do nothing;
        {%- endfor -%}
    {%- endif -%}
    {%- if meta.get('due') -%}
        {%- if kf_is_full() %}
        delete from {{ source('kefu', 'due') }}
        where model = '{{ this.identifier }}' and slot in (select slots.slot from {{ kf_slots_concerned() }});
        {%- endif %}
        {%- for due in meta.due %}
        insert into {{ source('kefu', 'due') }} (slot, model, entity, id, due_at)
        select distinct slots.slot, '{{ this.identifier }}', '{{ due.entity }}', {{ due.column }}, {{ due.at }}
        from {{ this }}
        cross join {{ kf_slots_concerned() }}
        where {{ due.at }} > (select as_of_at from {{ source('kefu', 'build') }})
        {%- if not kf_is_full() %} and {{ kf_is_on_worklist(meta.root) }}{% endif %}
        on conflict do nothing;
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- The slots that have to hear of what changed here: the ledger is one for both. -#}
{% macro kf_slots_concerned() -%}
    (values {{ "('a'), ('b')" if this.schema == 'canonical' else "('" ~ kf_slot() ~ "')" }}) as slots (slot)
{%- endmacro %}

{#-
Puts on the worklist the roots (`column` of `relation`) whose rows name a root of another entity that is on it (`by`),
with the source in front or without it (kf_contact_links).
-#}
{% macro kf_touch_through(entity, relation, column, of_entity, by) -%}
    {%- set ids = kf_worklist(of_entity, only_from_raw=this.schema == 'canonical') -%}
    insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
    select distinct slots.slot, '{{ entity }}', related.{{ column }}
    from {{ relation }} as related
    cross join {{ kf_slots_concerned() }}
    where related.{{ by }} in (
        {{ ids }}
        union all
        select substring(listed.id from position('-' in listed.id) + 1) from ({{ ids }}) as listed
    )
    on conflict do nothing
{%- endmacro %}

{#- Roots of another entity that hang on this model's: those of `relation` whose `by` is a root on the worklist. -#}
{% macro kf_announce_through(of_entity, relation, by, entity, column) -%}
    {%- if execute and not kf_is_full() -%}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        select distinct slots.slot, '{{ entity }}', related.{{ column }}
        from {{ relation }} as related
        cross join {{ kf_slots_concerned() }}
        where related.{{ by }} in ({{ kf_worklist(of_entity, only_from_raw=true) }})
            and related.{{ column }} is not null
        on conflict do nothing
    {%- endif -%}
{%- endmacro %}

{#- Whether a row of this model, or (to a test) of another `relation`, belongs to a root on the worklist. -#}
{% macro kf_is_on_worklist(root, relation=none) -%}
    {%- set is_ledger = (relation or this).schema == 'canonical' and not root.get('derived') -%}
    {%- set list = 'kf_roots' if relation is none else none -%}
    {%- set ids = kf_worklist(root.entity, 'id', root.get('type', 'text'), is_ledger, list=list) -%}
    {%- if root.get('onwards') -%}{{ root.column }} >= (select min(listed.id) from ({{ ids }}) as listed (id))
    {%- else -%}{{ root.column }} in ({{ ids }})
    {%- endif -%}
{%- endmacro %}

{#- dbt asks this what a test reads of a model: of an incremental one, in an incremental build, what was made anew. -#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [config.get('where')] if config.get('where') else [] -%}
    {%- if execute and not kf_is_full() -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and node.alias == relation.identifier and node.schema == relation.schema
            and node.config.get('meta', {}).get('root') -%}
            {%- do conditions.append(kf_is_on_worklist(node.config.meta.root, relation)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if conditions -%}(select * from {{ relation }} where {{ conditions | join(' and ') }}) as touched
    {%- else -%}{{ relation }}
    {%- endif -%}
{%- endmacro %}

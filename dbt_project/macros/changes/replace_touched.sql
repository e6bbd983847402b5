{#-
What a model with `meta.root` does with the roots on the worklist (materializations/incremental.sql): what it holds of
them goes, is made anew, and what came out otherwise than it was is announced to the models above. Which roots these are
is settled before: what a model beside it announces meanwhile would else be made anew but not have gone.

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

{#- Settles the roots of this model (table kf_roots) and says whether there are any. -#}
{% macro kf_settle_roots() -%}
    {%- set meta = config.get('meta') -%}
    {%- set settled -%}
        {%- for other in meta.get('hangs_on', []) %}
        {{ kf_touch_through(meta.root.entity, ref(other.relation), other.column, other.entity, other.by) }};
        {%- endfor %}
        {%- if meta.get('spreads') %}{{ context[meta.spreads]() }};
        {% endif -%}
        create temporary table kf_roots on commit drop as
        select id, root, source from {{ source('kefu', 'worklist') }}
        where slot = {{ kf_slot_of_build() }} and entity = '{{ meta.root.entity }}';
        analyze kf_roots;
        select exists ({{ kf_roots_of(meta.root) }})
    {%- endset -%}
    {%- call statement('settled', fetch_result=True) -%}{{ settled }}{%- endcall -%}
    {{ return(load_result('settled')['data'][0][0]) }}
{%- endmacro %}

{#- Takes away what the model holds of its roots; what it was is kept (kf_before) if others hear of what changed. -#}
{% macro kf_take_away() -%}
    {%- set meta = config.get('meta') -%}
    {%- call statement() -%}
        {%- if meta.get('announces') %}
        create temporary table kf_before on commit drop as
        select * from {{ this }} where {{ kf_is_on_worklist(meta.root) }};
        {%- endif %}
        delete from {{ this }} where {{ kf_is_on_worklist(meta.root) }}
    {%- endcall -%}
{%- endmacro %}

{#-
Tells others what came out: models above of what is otherwise than it was (of a table made as a whole they need not be
told), later builds of what will be due.
-#}
{% macro kf_tell(is_whole) -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set told -%}
        {%- if meta.get('announces') and not is_whole -%}
        create temporary table kf_difference on commit drop as
        with kf_now as materialized (select * from {{ this }} where {{ kf_is_on_worklist(meta.root) }})
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
        {%- if is_whole %}
        delete from {{ source('kefu', 'due') }}
        where model = '{{ this.identifier }}' and slot in (select slots.slot from {{ kf_slots_concerned() }});
        {%- endif %}
        {%- for due in meta.due %}
        insert into {{ source('kefu', 'due') }} (slot, model, entity, id, due_at)
        select distinct slots.slot, '{{ this.identifier }}', '{{ due.entity }}', {{ due.column }}, {{ due.at }}
        from {{ this }}
        cross join {{ kf_slots_concerned() }}
        where {{ due.at }} > (select as_of_at from {{ source('kefu', 'build') }})
        {%- if not is_whole %} and {{ kf_is_on_worklist(meta.root) }}{% endif %}
        on conflict do nothing;
        {%- endfor -%}
        {%- endif -%}
    {%- endset -%}
    {%- if told | trim -%}
        {%- call statement() -%}{{ told }}{%- endcall -%}
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
    {%- set ids = kf_roots_of(root, relation) -%}
    {%- if root.get('onwards') -%}{{ root.column }} >= (select min(listed.id) from ({{ ids }}) as listed (id))
    {%- else -%}{{ root.column }} in ({{ ids }})
    {%- endif -%}
{%- endmacro %}

{#- The roots on the worklist whose rows a model replaces: this one's, settled before, or those of another `relation`. -#}
{% macro kf_roots_of(root, relation=none) -%}
    {%- set is_ledger = (relation or this).schema == 'canonical' and not root.get('derived') -%}
    {%- set list = 'kf_roots' if relation is none else none -%}
    {{ kf_worklist(root.entity, 'id', root.get('type', 'text'), is_ledger, list=list) }}
{%- endmacro %}

{#- dbt asks this what a test reads of a model: of an incremental one, in an incremental build, what was made anew. -#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [config.get('where')] if config.get('where') else [] -%}
    {%- if execute and not kf_is_full() -%}
        {%- set root = kf_root_of_model(kf_layer_prefix(relation.schema) ~ relation.identifier) -%}
        {%- if root -%}{%- do conditions.append(kf_is_on_worklist(root, relation)) -%}{%- endif -%}
    {%- endif -%}
    {%- if conditions -%}(select * from {{ relation }} where {{ conditions | join(' and ') }}) as touched
    {%- else -%}{{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- `meta.root` of a model, if it has one. Asked for by its key: whatever is looked at here dbt describes anew. -#}
{% macro kf_root_of_model(name) -%}
    {%- set node = graph.nodes.get('model.' ~ project_name ~ '.' ~ name) if execute else none -%}
    {{ return(node.config.get('meta', {}).get('root') if node else none) }}
{%- endmacro %}

{#-
What a build works on (docs/adr/0009-only-what-changed.md). Before an incremental build `control.worklist` holds the
roots that changed since the slot's last one: tickets, interactions, invitations, submissions. Staging reads only
their rows, canonical and marts replace theirs, kpis the days these fell on. In a full build nothing is left out.
-#}

{% macro kf_is_full() -%}{{ return(flags.FULL_REFRESH) }}{%- endmacro %}

{% macro kf_slot() -%}{{ return(target.name | replace('slot_', '')) }}{%- endmacro %}

{% macro kf_slot_of_build() -%}
    {%- if model is defined and model.config.materialized == 'view' -%}(select slot from {{ source('kefu', 'build') }})
    {%- else -%}'{{ kf_slot() }}'
    {%- endif -%}
{%- endmacro %}

{#-
The ids on the worklist. A root without a vendor's key was put there by a model, and raw knows nothing new of it.
Staging asks the build for its slot: its views serve both, and stay from one build to the next. `list` is a relation
with those of this entity and slot alone.
-#}
{% macro kf_worklist(entity, column='id', type='text', only_from_raw=false, of_source=none, list=none) -%}
    {%- set expression = column if type == 'text' else 'cast(' ~ column ~ ' as ' ~ type ~ ')' -%}
    {%- if list -%}
    select {{ expression }} from {{ list }} where true
    {%- else -%}
    select {{ expression }} from {{ source('kefu', 'worklist') }} where slot = {{ kf_slot_of_build() }} and entity = '{{ entity }}'
    {%- endif -%}
    {%- if only_from_raw %} and root <> ''{% endif -%}
    {%- if of_source %} and source = '{{ of_source }}'{% endif -%}
{%- endmacro %}

{#- In staging: the rows of a vendor's table that belong to what changed; `column` is the vendor's key of the root. -#}
{% macro kf_changed(entity, of_source, column, type='text') -%}
    {%- if kf_is_full() -%}true
    {%- else -%}{{ column }} in ({{ kf_worklist(entity, 'root', type, true, of_source) }})
    {%- endif -%}
{%- endmacro %}

{#- The same for the tables of all file sources, which carry the source in a column. -#}
{% macro kf_changed_file(entity, column) -%}
    {%- if kf_is_full() -%}true
    {%- else -%}(source, {{ column }}) in ({{ kf_worklist(entity, 'source, root', 'text', true) }})
    {%- endif -%}
{%- endmacro %}

{#-
From canonical on: the rows to make anew. What changes by the passing of time alone is nothing new to the ledger. A
model's own roots are those settled before it (kf_settle_roots).
-#}
{% macro kf_touched(entity, column, type='text') -%}
    {%- set meta = config.get('meta', {}) if execute else {} -%}
    {%- set own = meta.get('root', {}).get('entity') -%}
    {%- if kf_is_full() -%}true
    {%- else -%}
        {%- set list = 'kf_roots' if own == entity and is_incremental() else none -%}
        {{ column }} in ({{ kf_worklist(entity, 'id', type, this.schema == 'canonical', list=list) }})
    {%- endif -%}
{%- endmacro %}

{#-
A table with `meta.root`, from canonical on. Made as a whole it is any table (kf_make_whole); else what it holds of the
roots on the worklist is replaced in place, and where there are none it stays as it is. dbt's own materialization would
first write the rows into a table of their own and ask the database a dozen questions whose answers cannot have changed:
with a changed model everything is made as a whole.

Post-hooks carry on what happened to the model's own roots: where none is touched they have nothing to say.
-#}
{% materialization incremental, default -%}
    {%- set held = load_cached_relation(this) -%}
    {%- if held is none or held.type != 'table' or should_full_refresh() -%}
        {{ return(kf_make_whole(held, sql)) }}
    {%- endif -%}

    {%- if kf_settle_roots() -%}
        {%- do kf_take_away() -%}
        {%- do kf_insert(sql) -%}
        {%- do kf_tell(is_whole=false) -%}
        {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- else -%}
        {%- call noop_statement('main', 'UNTOUCHED', 'UNTOUCHED', rows_affected=0) -%}{%- endcall -%}
    {%- endif -%}
    {%- do adapter.commit() -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{%- endmaterialization %}

{#-
A table that every build makes anew as a whole: small, or a function of everything. In an incremental build the models are
those it was made by, so its rows go and come in place, and what stands on it (views, indexes, privileges) stays.
-#}
{% materialization table, default -%}
    {%- set held = load_cached_relation(this) -%}
    {%- if held is none or held.type != 'table' or kf_is_full() -%}
        {{ return(kf_make_whole(held, sql)) }}
    {%- endif -%}

    {%- call statement() -%}truncate {{ this }}{%- endcall -%}
    {%- do kf_insert(sql) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{%- endmaterialization %}

{#- Makes a table as its contract says, beside the one there may be (`held`), and puts it in that one's place. -#}
{% macro kf_make_whole(held, sql) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set made = target if held is none else make_intermediate_relation(target) -%}
    {%- if held is not none -%}
        {%- do drop_relation_if_exists(load_cached_relation(made)) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ get_create_table_as_sql(False, made, sql) }}
    {%- endcall -%}
    {%- do create_indexes(made) -%}
    {%- if held is not none -%}
        {%- do adapter.drop_relation(held) -%}
        {%- do adapter.rename_relation(made, target) -%}
    {%- endif -%}
    {%- call statement() -%}analyze {{ target }}{{ kf_columns_told_apart() }}{%- endcall -%}
    {%- do kf_tell(is_whole=true) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target]}) }}
{%- endmacro %}

{#- The rows of the model's select into the table there is; the contract held when it was made. -#}
{% macro kf_insert(sql) -%}
    {%- call statement('main') -%}
        insert into {{ this }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
        {{ get_select_subquery(sql) }}
    {%- endcall -%}
{%- endmacro %}

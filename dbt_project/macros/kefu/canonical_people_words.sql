{#- What an agent is, and what is planned, in our words (docs/add-a-source.md); files are held to them on landing. -#}
{% macro canonical_state(column) -%}
    {{ same_words(column, [
        'available', 'on_contact', 'wrap', 'break', 'lunch', 'meeting', 'training', 'coaching', 'offline', 'other'
    ]) }}
{%- endmacro %}

{% macro canonical_activity(column) -%}
    {{ same_words(column, [
        'on_queue', 'break', 'lunch', 'meeting', 'training', 'coaching', 'absence', 'other'
    ]) }}
{%- endmacro %}

{% macro same_words(column, words) -%}
    case
        when lower({{ column }}) in ({% for word in words %}'{{ word }}'{{ ', ' if not loop.last }}{% endfor %})
            then lower({{ column }})
        else 'unmapped'
    end
{%- endmacro %}

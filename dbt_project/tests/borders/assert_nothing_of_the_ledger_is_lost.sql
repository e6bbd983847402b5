-- Ledger to marts: whatever had happened by the as-of time is a row of its fact table, once.
{%- set borders = [
    ('contact', 'interaction_id', 'canonical_interactions', 'started_at', 'fct_contacts', 'interaction'),
    ('ticket', 'ticket_id', 'canonical_tickets', 'created_at', 'fct_tickets', 'ticket'),
    ('invitation', 'invitation_id', 'canonical_survey_invitations', 'sent_at', 'fct_survey_invitations', 'invitation'),
] %}
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

compared as (

    {% for entity, key, ledger, moment, fact, root in borders -%}
    select
        '{{ entity }}' as entity,
        ledger.{{ key }} as id,
        fact.{{ key }} is not null as is_there

    from {{ ref(ledger) }} as ledger
    cross join build
    left join {{ ref(fact) }} as fact on ledger.{{ key }} = fact.{{ key }}

    where
        ledger.{{ moment }} <= build.as_of_at
        {%- if not kf_is_full() %}
        and ledger.{{ key }} in ({{ kf_worklist(root) }})
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    entity,
    id

from compared

where not is_there

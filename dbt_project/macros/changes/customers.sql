{#- Which identities, and then whose facts, a changed customer touches: a row of raw is here several steps away. -#}

{#- After canonical_customers: what is shown beside an e-mail that changed, and beside a phone that did. -#}
{% macro kf_announce_identities() -%}
    {%- if execute and is_incremental() -%}
        {%- for shown, others in {'email_id': ['phone_id', 'account_id'], 'phone_id': ['account_id']}.items() -%}
            {%- for other in others %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        select distinct slots.slot, 'identity', customers.{{ other }}
        from {{ this }} as customers
        cross join {{ kf_slots_concerned() }}
        where
            customers.{{ other }} is not null
            and customers.{{ shown }} in ({{ kf_worklist('identity') }})
        on conflict do nothing;
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- After canonical_customer_identities: every fact that shows an identity which is somebody else now. -#}
{% macro kf_announce_shown_identities() -%}
    {%- set facts = [
        ('interaction', ref('canonical_interactions'), 'interaction_id'),
        ('ticket', ref('canonical_tickets'), 'ticket_id'),
        ('invitation', ref('canonical_survey_invitations'), 'invitation_id'),
        ('invitation', ref('canonical_survey_responses'), 'invitation_key'),
    ] -%}
    {%- if execute and is_incremental() -%}
        {%- for entity, relation, column in facts %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        select distinct slots.slot, '{{ entity }}', facts.{{ column }}
        from {{ relation }} as facts
        cross join {{ kf_slots_concerned() }}
        where facts.identity_id in (select kf_difference.identity_id from kf_difference)
        on conflict do nothing;
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

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
        ('feedback', ref('canonical_feedback_items'), 'feedback_id'),
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

{#-
Before fct_issue_contacts: whose issues a contact that changed touches. Those of whoever it belonged to and belongs to,
and of everything that hangs together with it by a reference, as it was and as it is.
-#}
{% macro kf_touch_customers() -%}
        {%- set tickets, calls = ref('fct_tickets'), ref('fct_contacts') %}
        insert into {{ source('kefu', 'worklist') }} (slot, entity, id)
        with
        changed as (
            {{ kf_worklist('issue_contact') }}
        ),
        kin as (
            select kin.ticket_id, kin.interaction_id
            from {{ this }} as kin
            where kin.group_id in (
                select held.group_id from {{ this }} as held where held.ticket_id in (select id from changed)
                union
                select held.group_id from {{ this }} as held where held.interaction_id in (select id from changed)
            )
        ),
        near as (
            select id as ticket_id from changed
            union
            select ticket_id from kin where ticket_id is not null
            union
            select tickets.ticket_id
            from {{ calls }} as calls
            inner join {{ tickets }} as tickets on calls.call_reference = tickets.call_reference
            where calls.interaction_id in (select id from changed)
        ),
        children as (
            select ticket_id from near
            union
            select tickets.ticket_id from {{ tickets }} as tickets
            where tickets.related_ticket_id in (select ticket_id from near)
        ),
        grandchildren as (
            select ticket_id from children
            union
            select tickets.ticket_id from {{ tickets }} as tickets
            where tickets.related_ticket_id in (select ticket_id from children)
        ),
        spoken as (
            select id as interaction_id from changed
            union
            select interaction_id from kin where interaction_id is not null
            union
            select calls.interaction_id
            from {{ tickets }} as tickets
            inner join {{ calls }} as calls on tickets.call_reference = calls.call_reference
            where tickets.ticket_id in (select ticket_id from grandchildren)
        ),
        customers as (
            select held.customer_id from {{ this }} as held
            where held.ticket_id in (select ticket_id from grandchildren)
            union
            select held.contact_customer_id from {{ this }} as held
            where held.ticket_id in (select ticket_id from grandchildren)
            union
            select held.customer_id from {{ this }} as held
            where held.interaction_id in (select interaction_id from spoken)
            union
            select held.contact_customer_id from {{ this }} as held
            where held.interaction_id in (select interaction_id from spoken)
            union
            select calls.customer_id from {{ calls }} as calls
            where calls.interaction_id in (select interaction_id from spoken)
            union
            select tickets.customer_id from {{ tickets }} as tickets
            where tickets.ticket_id in (select ticket_id from grandchildren)
            union
            select parents.customer_id
            from {{ tickets }} as tickets
            inner join {{ tickets }} as parents on tickets.related_ticket_id = parents.ticket_id
            where tickets.ticket_id in (select ticket_id from grandchildren)
            union
            select grandparents.customer_id
            from {{ tickets }} as tickets
            inner join {{ tickets }} as parents on tickets.related_ticket_id = parents.ticket_id
            inner join {{ tickets }} as grandparents on parents.related_ticket_id = grandparents.ticket_id
            where tickets.ticket_id in (select ticket_id from grandchildren)
        )
        select '{{ kf_slot() }}', 'customer', customer_id from customers where customer_id is not null
        on conflict do nothing
{%- endmacro %}

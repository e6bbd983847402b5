{#- The id of a version of a Zendesk SLA policy, from a row with the key of raw's sla_policy_versions, updated_at in UTC. -#}
{% macro zendesk_policy_version(row) -%}
    'zendesk-' || {{ row }}.policy_id || '-' || {{ kf_epoch(row ~ '.updated_at') }} || '-' || {{ row }}.content || '-' || {{ row }}.recurrence
{%- endmacro %}

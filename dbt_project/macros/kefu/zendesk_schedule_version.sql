{#- The id of a version of a Zendesk schedule, from a row with the key of raw's schedule_versions, updated_at in UTC. -#}
{% macro zendesk_schedule_version(row) -%}
    'zendesk-' || {{ row }}.schedule_id || '-' || {{ kf_epoch(row ~ '.updated_at') }} || '-' || {{ row }}.content || '-' || {{ row }}.recurrence
{%- endmacro %}

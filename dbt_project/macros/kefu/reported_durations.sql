{#- The durations a ticketing system reports of a ticket and we measure, too, with what Zendesk calls them. -#}
{% macro reported_durations() -%}
    {{ return({
        'first_reply': 'reply_time_in_minutes',
        'first_resolution': 'first_resolution_time_in_minutes',
        'full_resolution': 'full_resolution_time_in_minutes',
        'requester_wait': 'requester_wait_time_in_minutes',
        'agent_wait': 'agent_wait_time_in_minutes',
    }) }}
{%- endmacro %}

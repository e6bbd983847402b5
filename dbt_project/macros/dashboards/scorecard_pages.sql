{#- The KPIs whose week is judged at the head of each dashboard, in the order of their cards. -#}
{% macro scorecard_pages() -%}
    {{ return({
        'director': ['service_level', 'abandon_rate', 'csat', 'nps', 'first_reply_time', 'backlog'],
        'telephony': [
            'service_level', 'abandon_rate', 'average_speed_of_answer', 'average_handle_time', 'transfer_rate', 'offered',
        ],
        'tickets': [
            'first_reply_time', 'full_resolution_time', 'reopen_rate', 'one_touch_rate', 'backlog', 'tickets_created',
        ],
        'satisfaction': ['csat', 'csat_mean', 'nps', 'response_rate'],
    }) }}
{%- endmacro %}

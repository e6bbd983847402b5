{#- A source's word for something in ours; anything unknown becomes 'unmapped', which a test rejects. -#}
{% macro canonical_word(column, words) -%}
    case
        {%- for ours, theirs in words.items() %}
        when lower({{ column }}) in ({% for word in theirs %}'{{ word }}'{{ ', ' if not loop.last }}{% endfor %}) then '{{ ours }}'
        {%- endfor %}
        else 'unmapped'
    end
{%- endmacro %}

{% macro canonical_channel(column) -%}
    {{ canonical_word(column, {
        'voice': ['voice', 'phone', 'call', 'telephone', 'voicemail', 'phone_call_inbound', 'phone_call_outbound'],
        'email': ['email', 'mail', 'e-mail'],
        'chat': ['chat', 'live_chat', 'livechat'],
        'messaging': ['messaging', 'native_messaging', 'whatsapp', 'wechat', 'line', 'instagram_dm', 'facebook', 'any_channel'],
        'web': ['web', 'web form', 'web_widget', 'help_center', 'self service', 'self-service', 'portal', 'form'],
        'social': ['social', 'twitter', 'twitter_dm', 'weibo'],
        'sms': ['sms', 'text'],
        'in_person': ['in_person', 'direct opening', 'walk-in', 'walk_in', 'visit'],
        'letter': ['letter', 'post', 'fax'],
        'api': ['api', 'rule', 'system', 'sample_ticket', 'side_conversation', 'closed_ticket', 'batch'],
        'other': ['other'],
    }) }}
{%- endmacro %}

{% macro canonical_ticket_status(column) -%}
    {{ canonical_word(column, {
        'new': ['new'],
        'open': ['open'],
        'pending': ['pending'],
        'on_hold': ['hold', 'on_hold', 'on-hold'],
        'solved': ['solved'],
        'closed': ['closed'],
        'deleted': ['deleted'],
    }) }}
{%- endmacro %}

{% macro canonical_sla_metric(column) -%}
    {{ canonical_word(column, {
        'first_reply': ['first_reply_time', 'first_reply'],
        'next_reply': ['next_reply_time', 'next_reply'],
        'requester_wait': ['requester_wait_time', 'requester_wait'],
        'agent_work': ['agent_work_time', 'agent_work'],
        'resolution': ['total_resolution_time', 'resolution'],
        'periodic_update': ['periodic_update_time', 'periodic_update'],
        'pausable_update': ['pausable_update_time', 'pausable_update'],
    }) }}
{%- endmacro %}

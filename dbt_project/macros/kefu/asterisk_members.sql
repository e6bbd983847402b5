{#- Lines of a queue log about an agent rather than a call. -#}
{% macro asterisk_member_events() -%}
    'ADDMEMBER', 'REMOVEMEMBER', 'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL', 'AGENTLOGIN', 'AGENTLOGOFF',
    'AGENTCALLBACKLOGIN', 'AGENTCALLBACKLOGOFF'
{%- endmacro %}

{#- What the spells of an agent are replaced by: those that begin on one day, in UTC. -#}
{% macro asterisk_agent_day(agent, instant) -%}
    {{ agent }} || '-' || cast(cast({{ kf_utc(instant) }} as date) as {{ kf_text() }})
{%- endmacro %}

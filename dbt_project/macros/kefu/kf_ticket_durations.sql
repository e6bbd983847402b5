{#-
Every duration of a ticket that counts, a row each; of all days, or of those on the worklist (`touched`). A measure is an
entry below: its day, its team, its seconds, and whose it is.
-#}
{% macro kf_ticket_durations(touched=false) -%}
{%- set measures = {
    'first_reply': {
        'date': 'first_reply_date', 'team': 'first_reply_team_id',
        'seconds': kf_seconds_between('created_at', 'first_replied_at'), 'where': "created_by_kind <> 'agent'"
    },
    'first_resolution': {
        'date': 'first_solve_date', 'team': 'first_solve_team_id',
        'seconds': kf_seconds_between('created_at', 'first_solved_at')
    },
    'full_resolution': {
        'date': 'last_solve_date', 'team': 'last_solve_team_id',
        'seconds': kf_seconds_between('created_at', 'last_solved_at')
    },
    'chat_first_reply': {
        'from': 'turns', 'date': 'reply_date', 'team': 'team_id', 'seconds': 'reply_seconds',
        'where': "is_first_reply and channel in ('chat', 'messaging')"
    },
} %}
with

tickets {{ kf_as_inlined() }} (

    select * from {{ ref('fct_tickets') }}
    where not is_excluded

),

turns {{ kf_as_inlined() }} (

    select * from {{ ref('fct_ticket_replies') }}
    where not is_excluded

),

measured as (

    {%- for measure, of in measures.items() %}
    select
        {{ of.date }} as service_date,
        source,
        channel,
        {{ of.team ~ ('' if of.team == 'team_id' else ' as team_id') }},
        priority,
        '{{ measure }}' as measure,
        {{ of.seconds }} as seconds
    from {{ of.get('from', 'tickets') }}
    where {{ of.date }} is not null{% if of.where %} and {{ of.where }}{% endif %}
    {%- if touched %} and {{ kf_touched('ticket_day', of.date, 'date') }}{% endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    service_date,
    source,
    channel,
    team_id,
    priority,
    measure,
    {{ kf_band('seconds') }} as band_seconds

from measured

where seconds >= 0
{%- endmacro %}

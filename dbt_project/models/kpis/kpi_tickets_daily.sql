-- Each fact is booked on the reporting day it happened and to the team that had the ticket then: a creation when
-- created, a reply when given, a solve when solved, the waits of its life when solved for good. Whether level 1 kept it
-- is told when solved, of the team it came to first. Additive parts only.
{#-
What is counted, by the fact it is booked with: rows for which a condition holds; and of durations and numbers (how many
are known, their sum, their squares). E09: what an agent opened has nobody waiting for a first reply.
-#}
{%- set counts = {
    'created': {
        'tickets_created': 'true',
        'unreplied_tickets': "has_reply_record and created_by_kind <> 'agent' and first_replied_at is null",
    },
    'replied': {},
    'solved': {
        'tickets_solved': 'true',
        'reopen_recorded': 'has_reopen_record',
        'reopened_tickets': 'has_reopen_record and was_reopened_in_window',
        'reopen_none': 'has_reopen_record and reopen_events = 0',
        'reopen_solved_again': 'has_reopen_record and was_reopened_in_window and solves > 1',
        'reopen_still_open': 'has_reopen_record and was_reopened_in_window and solves <= 1',
        'reopen_uncounted_solved_again':
            'has_reopen_record and reopen_events > 0 and not was_reopened_in_window and solves > 1',
        'reopen_uncounted_still_open':
            'has_reopen_record and reopen_events > 0 and not was_reopened_in_window and solves <= 1',
        'touch_recorded': 'has_reply_record',
        'one_touch_tickets': 'has_reply_record and agent_replies = 1',
        'touch_none': 'has_reply_record and agent_replies = 0 and customer_replies = 0',
        'touch_none_dialogue': 'has_reply_record and agent_replies = 0 and customer_replies > 0',
        'touch_one': 'has_reply_record and agent_replies = 1 and customer_replies = 0 and last_solved_at is not null',
        'touch_one_dialogue':
            'has_reply_record and agent_replies = 1 and customer_replies > 0 and last_solved_at is not null',
        'touch_one_open': 'has_reply_record and agent_replies = 1 and customer_replies = 0 and last_solved_at is null',
        'touch_one_open_dialogue':
            'has_reply_record and agent_replies = 1 and customer_replies > 0 and last_solved_at is null',
        'touch_several': 'has_reply_record and agent_replies > 1 and customer_replies = 0',
        'touch_several_dialogue': 'has_reply_record and agent_replies > 1 and customer_replies > 0',
        'touch_one_untold': 'has_reply_record and agent_replies = 1 and customer_replies is null',
        'touch_other_untold': 'has_reply_record and agent_replies <> 1 and customer_replies is null',
        'touch_one_teammate': 'customer_replies is not null and solves = 1 and agents_replied = 1',
        'touch_resolved': 'customer_replies is not null and last_solved_at is not null',
        'touch_one_comment': 'customer_replies is not null and last_solved_at is not null and agent_comments = 1',
    },
    'levelled': {
        'level_recorded': 'true',
        'first_level_solved': 'was_at_first_level and not was_escalated',
        'escalated_tickets': 'was_escalated',
    },
    'resolved': {},
    'turned': {},
} %}
{%- set is_first_in_chat = "tickets.is_first_reply and tickets.channel in ('chat', 'messaging')" %}
{%- set means = {
    'created': [],
    'replied': [
        ('first_replies', 'first_reply', 'seconds', 'first_reply_seconds', "created_by_kind <> 'agent'"),
        ('first_replies_business', 'first_reply_business', 'seconds', 'first_reply_business_seconds',
            "created_by_kind <> 'agent'"),
        ('first_replies_last_schedule', 'first_reply_last_schedule_business', 'seconds',
            'first_reply_last_schedule_business_seconds', "created_by_kind <> 'agent'"),
        ('first_replies_since_last', 'first_reply_since_last', 'seconds', 'since_last_message_seconds',
            "created_by_kind <> 'agent'"),
        ('first_replies_since_last_business', 'first_reply_since_last_business', 'seconds',
            'since_last_message_business_seconds', "created_by_kind <> 'agent'"),
        ('agent_opened_replies', 'agent_opened_reply', 'seconds', 'first_reply_seconds', "created_by_kind = 'agent'"),
        ('agent_opened_replies_business', 'agent_opened_reply_business', 'seconds', 'first_reply_business_seconds',
            "created_by_kind = 'agent'"),
    ],
    'solved': [
        ('first_resolutions', 'first_resolution', 'seconds', 'first_resolution_seconds', 'true'),
        ('first_resolutions_business', 'first_resolution_business', 'seconds', 'first_resolution_business_seconds',
            'true'),
        ('first_resolutions_last_schedule', 'first_resolution_last_schedule_business', 'seconds',
            'first_resolution_last_schedule_business_seconds', 'true'),
        ('first_resolutions_own', 'first_resolution_own', 'seconds',
            'first_resolution_seconds - tickets.first_agent_wait_seconds', 'true'),
        ('first_resolutions_own_business', 'first_resolution_own_business', 'seconds',
            'first_resolution_business_seconds - tickets.first_agent_wait_business_seconds', 'true'),
        (none, 'reopens', none, 'reopens', 'has_reopen_record'),
        (none, 'reopen_events', none, 'reopen_events', 'has_reopen_record'),
        (none, 'solve_events', none, 'solves', 'has_reopen_record'),
        (none, 'repeat_solves', none, 'solves - 1', 'has_reopen_record'),
        ('reassignment_recorded', 'reassignments', none, 'reassignments', 'has_assignment_record'),
        ('group_hop_recorded', 'group_hops', none, 'group_hops', 'true'),
        ('repliers_recorded', 'repliers', none, 'agents_replied', 'customer_replies is not null'),
        (none, 'commenters', none, 'agents_commented', 'customer_replies is not null'),
    ],
    'levelled': [],
    'resolved': [
        ('owned_tickets', 'outside', 'seconds', 'outside_seconds', 'full_resolution_seconds > 0'),
        (none, 'owned', 'seconds', 'full_resolution_seconds', 'outside_seconds is not null'),
        ('full_resolutions', 'full_resolution', 'seconds', 'full_resolution_seconds', 'true'),
        ('full_resolutions_business', 'full_resolution_business', 'seconds', 'full_resolution_business_seconds',
            'true'),
        ('full_resolutions_last_schedule', 'full_resolution_last_schedule_business', 'seconds',
            'full_resolution_last_schedule_business_seconds', 'true'),
        ('full_resolutions_own', 'full_resolution_own', 'seconds',
            'full_resolution_seconds - tickets.agent_wait_seconds', 'true'),
        ('full_resolutions_own_business', 'full_resolution_own_business', 'seconds',
            'full_resolution_business_seconds - tickets.agent_wait_business_seconds', 'true'),
        ('requester_waits', 'requester_wait', 'seconds', 'requester_wait_seconds', 'true'),
        ('requester_waits_business', 'requester_wait_business', 'seconds', 'requester_wait_business_seconds', 'true'),
        ('agent_waits', 'agent_wait', 'seconds', 'agent_wait_seconds', 'true'),
        ('agent_waits_business', 'agent_wait_business', 'seconds', 'agent_wait_business_seconds', 'true'),
    ],
    'turned': [
        ('reply_turns', 'reply', 'seconds', 'reply_seconds', 'true'),
        ('next_replies', 'next_reply', 'seconds', 'reply_seconds', 'not tickets.is_first_reply'),
        ('next_replies_business', 'next_reply_business', 'seconds', 'reply_business_seconds',
            'not tickets.is_first_reply'),
        ('chat_first_replies', 'chat_first_reply', 'seconds', 'reply_seconds', is_first_in_chat),
        ('chat_first_replies_business', 'chat_first_reply_business', 'seconds', 'reply_business_seconds',
            is_first_in_chat),
        ('chat_first_replies_since_last', 'chat_first_reply_since_last', 'seconds', 'since_last_message_seconds',
            is_first_in_chat),
        ('chat_first_replies_since_last_business', 'chat_first_reply_since_last_business', 'seconds',
            'since_last_message_business_seconds', is_first_in_chat),
    ],
} %}
{%- set products = {'resolved': {'owned_products': ('outside_seconds', 'full_resolution_seconds')}} %}
{%- set facts = {
    'created': ('created_date', 'first_team_id', 'created_at'),
    'replied': ('first_reply_date', 'first_reply_team_id', 'first_replied_at'),
    'solved': ('first_solve_date', 'first_solve_team_id', 'first_solved_at'),
    'levelled': ('first_solve_date', 'first_team_id', 'first_solved_at'),
    'resolved': ('last_solve_date', 'last_solve_team_id', 'last_solved_at'),
    'turned': ('reply_date', 'team_id', 'replied_at'),
} %}
with

{% for fact, (day, team, moment) in facts.items() -%}
{%- set columns = [] %}
{%- for part, condition in counts[fact].items() %}
{%- do columns.append(kf_count_if(condition) ~ ' as ' ~ part) %}
{%- endfor %}
{%- for part, sum, unit, column, condition in means[fact] %}
{%- set value = 'case when ' ~ condition ~ ' then tickets.' ~ column ~ ' end' %}
{%- if part %}
{%- do columns.append('count(' ~ value ~ ') as ' ~ part) %}
{%- endif %}
{%- do columns.append(kf_sum(value) ~ ' as ' ~ sum ~ ('_' ~ unit if unit else '')) %}
{%- do columns.append(kf_sum_squares(value) ~ ' as ' ~ sum ~ '_squares') %}
{%- endfor %}
{%- for part, factors in products.get(fact, {}).items() %}
{%- do columns.append(kf_sum_products('tickets.' ~ factors[0], 'tickets.' ~ factors[1]) ~ ' as ' ~ part) %}
{%- endfor %}
{{ fact }} as (

    select
        tickets.{{ day }} as service_date,
        tickets.source,
        tickets.channel,
        tickets.{{ team ~ ('' if team == 'team_id' else ' as team_id') }},
        tickets.priority,
        {{ columns | join(',\n        ') }},
        max(tickets.{{ moment }}) as last_at

    from {{ ref('fct_ticket_replies' if fact == 'turned' else 'fct_tickets') }} as tickets

    where
        not tickets.is_excluded
        and tickets.{{ moment }} is not null
        {%- if fact == 'levelled' %}
        and tickets.was_escalated is not null
        {%- endif %}
        and {{ kf_touched('ticket_day', 'tickets.' ~ day, 'date') }}

    group by 1, 2, 3, 4, 5

),

{% endfor -%}
keys as (

    {%- for fact in facts %}
    select
        service_date,
        source,
        channel,
        team_id,
        priority
    from {{ fact }}
    {{ 'union' if not loop.last }}
    {%- endfor %}

)

-- side by side, not stacked and summed: a row of sums is wide, and most of it would be zeros
{%- set parts = [] %}
{%- for fact in facts %}
{%- set columns = counts[fact].keys() | list %}
{%- for part, sum, unit, column, condition in means[fact] %}
{%- do columns.extend(([part] if part else []) + [sum ~ ('_' ~ unit if unit else ''), sum ~ '_squares']) %}
{%- endfor %}
{%- do columns.extend(products.get(fact, {}).keys()) %}
{%- for part in columns %}
{%- set type = 'decimal(38, 0)' if part.endswith(('_squares', '_products')) else 'bigint' %}
{%- do parts.append('cast(coalesce(' ~ fact ~ '.' ~ part ~ ', 0) as ' ~ type ~ ') as ' ~ part) %}
{%- endfor %}
{%- endfor %}

select
    keys.service_date,
    keys.source,
    keys.channel,
    keys.team_id,
    keys.priority,
    {{ parts | join(',\n    ') }},
    greatest({{ facts | join('.last_at, ') }}.last_at) as last_at

from keys
{% for fact in facts -%}
left join {{ fact }}
    on
        keys.service_date = {{ fact }}.service_date
        and keys.source = {{ fact }}.source
        and keys.channel = {{ fact }}.channel
        and keys.team_id = {{ fact }}.team_id
        and keys.priority = {{ fact }}.priority
{% endfor %}

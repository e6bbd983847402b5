-- fct_tickets under the column names of fivetran/dbt_zendesk's ticket_metrics: where the package is right the values
-- are its own, elsewhere ours (docs/decisions.md). Deleted and merged tickets stay in, as there.
{%- set minutes = {
    'first_reply_time_calendar': 'first_reply_seconds',
    'first_reply_time_business': 'first_reply_business_seconds',
    'total_reply_time_calendar': 'total_reply_seconds',
    'first_resolution_calendar': 'first_resolution_seconds',
    'final_resolution_calendar': 'full_resolution_seconds',
    'first_resolution_business': 'case when last_solved_at is not null then first_resolution_business_seconds end',
    'full_resolution_business': 'full_resolution_business_seconds',
    'agent_wait_time_in_calendar': 'agent_wait_seconds',
    'agent_wait_time_in_business': 'agent_wait_business_seconds',
    'requester_wait_time_in_calendar': 'requester_wait_seconds',
    'requester_wait_time_in_business': 'requester_wait_business_seconds',
    'solve_time_in_calendar': '(requester_wait_seconds + agent_wait_seconds)',
    'solve_time_in_business': '(requester_wait_business_seconds + agent_wait_business_seconds)',
    'agent_work_time_in_calendar': 'agent_work_seconds',
    'agent_work_time_in_business': 'agent_work_business_seconds',
    'on_hold_time_in_calendar': 'on_hold_seconds',
    'on_hold_time_in_business': 'on_hold_business_seconds',
} %}
select
    ticket_id,
    source as source_relation,
    status,
    created_at,
    {%- for name, seconds in minutes.items() %}
    {{ kf_ratio(seconds, 60, 4) }} as {{ name }}_minutes,
    {%- endfor %}
    solves as count_resolutions,
    case when solves > 0 then reopen_events end as count_reopens,
    agent_replies as total_agent_replies,
    agent_comments as count_public_agent_comments,
    agents_commented as count_ticket_handoffs,
    team_stations as group_stations_count,
    agent_stations as assignee_stations_count,
    last_solved_at is not null and agent_comments = 1 as is_one_touch_resolution,
    last_solved_at is not null and agent_comments = 2 as is_two_touch_resolution,
    last_solved_at is not null and agent_comments not in (1, 2) as is_multi_touch_resolution,
    first_solved_at,
    last_solved_at

from {{ ref('fct_tickets') }}

-- Each fact is booked on the reporting day it happened and to the team that had the ticket then: a creation when
-- created, a first reply when given, a solve when solved. Additive parts only.
{%- set parts = [
    'tickets_created', 'first_replies', 'first_reply_seconds', 'first_reply_squares',
    'tickets_solved', 'first_resolutions', 'first_resolution_seconds', 'first_resolution_squares',
    'full_resolutions', 'full_resolution_seconds', 'full_resolution_squares',
    'reopen_recorded', 'reopened_tickets', 'touch_recorded', 'one_touch_tickets',
    'reassignment_recorded', 'reassignments'
] %}
with

tickets as (

    select * from {{ ref('fct_tickets') }}
    where not is_excluded

),

created as (

    select
        tickets.created_date as service_date,
        tickets.source,
        tickets.channel,
        tickets.first_team_id as team_id,
        tickets.priority,
        count(*) as tickets_created

    from tickets

    where {{ kf_touched('ticket_day', 'tickets.created_date', 'date') }}

    group by 1, 2, 3, 4, 5

),

-- E09: what an agent opened has nobody waiting for a first reply
replied as (

    select
        tickets.first_reply_date as service_date,
        tickets.source,
        tickets.channel,
        tickets.first_reply_team_id as team_id,
        tickets.priority,
        count(*) as first_replies,
        {{ kf_sum(kf_seconds_between('tickets.created_at', 'tickets.first_replied_at')) }} as first_reply_seconds,
        {{ kf_sum_squares(kf_seconds_between('tickets.created_at', 'tickets.first_replied_at')) }}
            as first_reply_squares

    from tickets

    where
        tickets.first_replied_at is not null
        and tickets.created_by_kind <> 'agent'
        and {{ kf_touched('ticket_day', 'tickets.first_reply_date', 'date') }}

    group by 1, 2, 3, 4, 5

),

solved as (

    select
        tickets.first_solve_date as service_date,
        tickets.source,
        tickets.channel,
        tickets.first_solve_team_id as team_id,
        tickets.priority,
        count(*) as tickets_solved,
        count(*) as first_resolutions,
        {{ kf_sum(kf_seconds_between('tickets.created_at', 'tickets.first_solved_at')) }} as first_resolution_seconds,
        {{ kf_sum_squares(kf_seconds_between('tickets.created_at', 'tickets.first_solved_at')) }}
            as first_resolution_squares,
        {{ kf_count_if('tickets.has_reopen_record') }} as reopen_recorded,
        {{ kf_count_if('tickets.has_reopen_record and tickets.was_reopened_in_window') }} as reopened_tickets,
        {{ kf_count_if('tickets.has_reply_record') }} as touch_recorded,
        {{ kf_count_if('tickets.has_reply_record and tickets.agent_replies = 1') }} as one_touch_tickets,
        {{ kf_count_if('tickets.has_assignment_record') }} as reassignment_recorded,
        {{ kf_sum('case when tickets.has_assignment_record then tickets.reassignments end') }} as reassignments,
        {{ kf_sum_squares('case when tickets.has_assignment_record then tickets.reassignments end') }}
            as reassignments_squares

    from tickets

    where
        tickets.first_solved_at is not null
        and {{ kf_touched('ticket_day', 'tickets.first_solve_date', 'date') }}

    group by 1, 2, 3, 4, 5

),

resolved as (

    select
        tickets.last_solve_date as service_date,
        tickets.source,
        tickets.channel,
        tickets.last_solve_team_id as team_id,
        tickets.priority,
        count(*) as full_resolutions,
        {{ kf_sum(kf_seconds_between('tickets.created_at', 'tickets.last_solved_at')) }} as full_resolution_seconds,
        {{ kf_sum_squares(kf_seconds_between('tickets.created_at', 'tickets.last_solved_at')) }}
            as full_resolution_squares

    from tickets

    where
        tickets.last_solved_at is not null
        and {{ kf_touched('ticket_day', 'tickets.last_solve_date', 'date') }}

    group by 1, 2, 3, 4, 5

),

stacked as (

    {%- for booked, own in {
        'created': ['tickets_created'],
        'replied': ['first_replies', 'first_reply_seconds', 'first_reply_squares'],
        'solved': [
            'tickets_solved', 'first_resolutions', 'first_resolution_seconds', 'first_resolution_squares',
            'reopen_recorded', 'reopened_tickets', 'touch_recorded', 'one_touch_tickets',
            'reassignment_recorded', 'reassignments'
        ],
        'resolved': ['full_resolutions', 'full_resolution_seconds', 'full_resolution_squares'],
    }.items() %}
    select
        service_date,
        source,
        channel,
        team_id,
        priority,
        {%- for part in parts %}
        {{ part if part in own else '0' }} as {{ part }},
        {%- endfor %}
        {{ 'reassignments_squares' if booked == 'solved' else '0' }} as reassignments_squares
    from {{ booked }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    service_date,
    source,
    channel,
    team_id,
    priority,
    {%- for part in parts %}
    cast(sum({{ part }}) as {{ 'decimal(38, 0)' if part.endswith('_squares') else 'bigint' }}) as {{ part }},
    {%- endfor %}
    cast(sum(reassignments_squares) as decimal(38, 0)) as reassignments_squares

from stacked

group by 1, 2, 3, 4, 5

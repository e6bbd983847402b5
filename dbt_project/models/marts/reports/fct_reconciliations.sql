-- One row per ticket, duration and clock of which the source reports a figure of its own, ours beside it, both in whole
-- minutes, and why they differ. A rule explains a difference only if it gives the source's figure, or says that one of
-- the two counts what the other leaves out; all else is unexplained. Booked where the KPI of that duration is; what we
-- have no figure for, on the ticket's creation.
{%- set moments = {
    'first_reply': ('first_replied_at', 'first_reply_date', 'first_reply_team_id'),
    'first_resolution': ('first_solved_at', 'first_solve_date', 'first_solve_team_id'),
    'full_resolution': ('last_solved_at', 'last_solve_date', 'last_solve_team_id'),
    'requester_wait': ('last_solved_at', 'last_solve_date', 'last_solve_team_id'),
    'agent_wait': ('last_solved_at', 'last_solve_date', 'last_solve_team_id'),
} %}
{#- Each figure: what it is called, whether a KPI counts ours, and when there is anything to compare. -#}
{%- set figures = [] %}
{%- for duration, (moment, day, team) in moments.items() %}
{%- set is_opening = "told.created_by_kind = 'agent'" if duration == 'first_reply' else 'false' %}
{%- set is_ours = 'not told.is_excluded and not ' ~ is_opening %}
{%- for clock in ['', '_business'] %}
{%- set reported = 'told.' ~ duration ~ clock ~ '_minutes' %}
{%- set is_told = reported ~ ' is not null' %}
{#- until a ticket is solved for good, no wait is over; and a source may know of no reply or solve -#}
{%- if duration.endswith('_wait') %}
{%- set is_told = is_told ~ ' and told.last_solved_at is not null' %}
{%- elif not clock %}
{%- set is_told = is_told ~ ' or (' ~ is_ours ~ ' and told.' ~ moment ~ ' is not null)' %}
{%- endif %}
{%- set under_last = 'told.' ~ duration ~ '_last_schedule_business_seconds' %}
{%- do figures.append({
    'duration': duration, 'measure': duration ~ clock, 'day': 'told.' ~ day, 'team': 'told.' ~ team,
    'reported': reported, 'is_told': is_told, 'is_opening': is_opening, 'is_ours': is_ours,
    'seconds': 'told.' ~ duration ~ clock ~ '_seconds',
    'under_last': under_last if clock and not duration.endswith('_wait') else 'cast(null as bigint)',
    'reported_reply': 'told.first_reply_minutes' if duration == 'first_reply' else 'cast(null as bigint)',
}) %}
{%- endfor %}
{%- endfor %}
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

-- only what is compared: it is read once a figure
told as (

    select
        reported.*,
        tickets.channel,
        tickets.is_excluded,
        tickets.created_by_kind,
        tickets.created_at,
        tickets.first_replied_at,
        tickets.first_solved_at,
        tickets.last_solved_at,
        tickets.created_date,
        tickets.first_reply_date,
        tickets.first_solve_date,
        tickets.last_solve_date,
        tickets.first_team_id,
        tickets.first_reply_team_id,
        tickets.first_solve_team_id,
        tickets.last_solve_team_id,
        {%- for duration in moments %}
        tickets.{{ duration }}_seconds,
        tickets.{{ duration }}_business_seconds,
        {%- endfor %}
        tickets.first_reply_last_schedule_business_seconds,
        tickets.first_resolution_last_schedule_business_seconds,
        tickets.full_resolution_last_schedule_business_seconds

    from {{ ref('canonical_reported_durations') }} as reported
    inner join {{ ref('fct_tickets') }} as tickets on reported.ticket_id = tickets.ticket_id
    cross join build

    where
        reported.told_at <= build.as_of_at
        and {{ kf_touched('ticket', 'reported.ticket_id') }}
        and {{ kf_touched('ticket', 'tickets.ticket_id') }}

),

-- what we know of that the source did not when it reported; and the first answer of a robot
events as (

    select
        ticket_id,
        max(occurred_at) as last_event_at,
        min(case when actor_kind = 'bot' and is_public_comment and not is_creation then occurred_at end)
            as bot_replied_at

    from {{ ref('fct_ticket_events') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

    group by ticket_id

),

-- The source counts a whole interval by the schedule the ticket had at its end, or has now; it matters only where that
-- was another one before.
switched as (

    select
        schedules.ticket_id,
        min(case when schedules.valid_to_at > build.as_of_at then schedules.schedule_id end) as schedule_id

    from {{ ref('canonical_ticket_schedules') }} as schedules
    inner join told on schedules.ticket_id = told.ticket_id
    cross join build

    where
        schedules.valid_from_at <= build.as_of_at
        and schedules.valid_to_at > told.created_at

    group by schedules.ticket_id

    having count(*) > 1

),

intervals as (

    {%- for measure in ['first_reply', 'first_resolution', 'full_resolution'] %}
    select
        '{{ measure }}' as measure,
        told.ticket_id,
        switched.schedule_id,
        told.created_at as started_at,
        told.{{ moments[measure][0] }} as ended_at
    from told
    inner join switched on told.ticket_id = switched.ticket_id
    where told.{{ moments[measure][0] }} is not null

    union all
    {% endfor %}
    select
        case when spells.status = 'pending' then 'agent_wait' else 'requester_wait' end as measure,
        spells.ticket_id,
        switched.schedule_id,
        spells.started_at,
        spells.ended_at
    from {{ ref('fct_ticket_status_intervals') }} as spells
    inner join switched on spells.ticket_id = switched.ticket_id
    where
        not spells.is_running
        and spells.status in ('new', 'open', 'on_hold', 'pending')
        and {{ kf_touched('ticket', 'spells.ticket_id') }}

),

by_last_schedule as (

    select
        intervals.ticket_id,
        intervals.measure,
        cast(sum(
            {{ kf_business_seconds('start_day', 'intervals.started_at', 'end_day', 'intervals.ended_at') }}
        ) as bigint) as seconds

    from intervals
    {{ kf_business_join('start_day', 'intervals.schedule_id', 'intervals.started_at') }}
    {{ kf_business_join('end_day', 'intervals.schedule_id', 'intervals.ended_at') }}

    group by intervals.ticket_id, intervals.measure

),

stacked as (

    {%- for figure in figures %}
    select
        told.ticket_id,
        told.source,
        told.told_at,
        told.channel,
        told.is_excluded,
        told.created_at,
        '{{ figure.duration }}' as duration,
        '{{ figure.measure }}' as measure,
        {{ figure.is_opening }} as is_opened_by_agent,
        coalesce({{ figure.team }}, told.first_team_id) as team_id,
        coalesce({{ figure.day }}, told.created_date) as service_date,
        case when {{ figure.is_ours }} then {{ kf_idiv(figure.seconds, 60) }} end as our_minutes,
        {{ figure.under_last }} as last_schedule_seconds,
        {{ figure.reported }} as reported_minutes,
        {{ figure.reported_reply }} as reported_reply_minutes
    from told
    where {{ figure.is_told }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    stacked.ticket_id,
    stacked.measure,
    stacked.source,
    stacked.channel,
    stacked.team_id,
    stacked.service_date,
    stacked.told_at,
    stacked.our_minutes,
    stacked.reported_minutes,
    stacked.our_minutes - stacked.reported_minutes as difference_minutes,
    case
        when stacked.our_minutes = stacked.reported_minutes then 'equal'
        when stacked.is_excluded then 'left_out'
        when stacked.is_opened_by_agent then 'opened_by_agent'
        when events.last_event_at > stacked.told_at then 'told_before'
        when
            {{ kf_idiv(kf_seconds_between('stacked.created_at', 'events.bot_replied_at'), 60) }}
            = stacked.reported_reply_minutes
            then 'automatic_reply'
        when
            stacked.measure <> stacked.duration
            and stacked.reported_minutes in (
                {{ kf_idiv('by_last_schedule.seconds', 60) }}, {{ kf_idiv('stacked.last_schedule_seconds', 60) }}
            )
            then 'last_schedule'
        else 'unexplained'
    end as verdict

from stacked
left join events on stacked.ticket_id = events.ticket_id
left join by_last_schedule
    on
        stacked.ticket_id = by_last_schedule.ticket_id
        and stacked.duration = by_last_schedule.measure

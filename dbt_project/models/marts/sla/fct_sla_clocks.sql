-- One row per clock as it stands at the as-of time.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

judged as (

    {{ kf_sla_judged(kf_touched('sla_ticket', 'spells.ticket_id')) }}

),

visible as (

    select
        *,
        least(ended_at, as_of_at) as until_at,
        coalesce(ended_at > as_of_at, true) as is_going_on,
        case when coalesce(ended_at > as_of_at, true) then schedule_id end as asked_schedule_id,
        -- the last spell, the last one in which it was not over, and the last one in which it ran
        max(spell_number) over whole as last_number,
        max(case when shown_state in ('running', 'paused') then spell_number end) over whole as last_live_number,
        max(case when shown_state = 'running' then spell_number end) over whole as last_running_number

    from judged

    where started_at <= as_of_at

    window whole as (partition by clock_id)

),

-- a spell that goes on counts up to the as-of time
timed as (

    select
        visible.*,
        case
            when visible.state <> 'running' then 0
            when visible.is_going_on then {{ kf_seconds_between('visible.started_at', 'visible.until_at') }}
            else visible.calendar_seconds
        end as spent_seconds,
        case
            when visible.state <> 'running' then 0
            when visible.is_going_on
                then
                    {{ kf_business_seconds(
                        'day_of_start', 'visible.started_at', 'day_of_finish', 'visible.until_at'
                    ) }}
            else visible.business_seconds
        end as spent_open_seconds,
        coalesce(visible.overdue_at <= visible.until_at, false) as is_breach,
        coalesce(visible.start_overdue_at <= visible.until_at, false) as is_start_breach,
        coalesce(visible.current_overdue_at <= visible.until_at, false) as is_current_breach

    from visible
    {{ kf_business_join('day_of_start', 'visible.asked_schedule_id', 'visible.started_at') }}
    {{ kf_business_join('day_of_finish', 'visible.asked_schedule_id', 'visible.until_at') }}

),

elapsed as (

    select
        *,
        calendar_before_seconds + spent_seconds as calendar_so_far_seconds,
        open_before_seconds + coalesce(spent_open_seconds, spent_seconds) as open_so_far_seconds

    from timed

),

measured as (

    select
        *,
        case when is_business then open_so_far_seconds else calendar_so_far_seconds end as so_far_seconds

    from elapsed

),

clocks as (

    select
        clock_id,
        min(ticket_id) as ticket_id,
        min(source) as source,
        min(sla_metric) as sla_metric,
        min(clock_number) as clock_number,
        min(clock_started_at) as started_at,
        min(started_at) as applied_at,
        min(as_of_at) as as_of_at,
        min(start_target_seconds) as start_target_seconds,
        min(current_target_seconds) filter (where spell_number = last_number) as current_target_seconds,
        min(overdue_at) filter (where is_breach) as breached_at,
        min(due_at) filter (where is_breach) as breach_due_at,
        min(start_overdue_at) filter (where is_start_breach) as start_breached_at,
        min(current_overdue_at) filter (where is_current_breach) as current_breached_at,
        max(so_far_seconds - target_seconds) filter (where shown_state in ('running', 'paused')) as over_seconds,
        min(due_at) filter (where spell_number = last_running_number) as last_due_at,
        min(shown_state) filter (where spell_number = last_number) as state,
        min(started_at) filter (where spell_number > last_live_number) as finished_at,
        min(ended_by) filter (where spell_number = last_number) as ended_by,
        min(policy_version_id) filter (where spell_number = last_number) as policy_version_id,
        min(priority) filter (where spell_number = last_number) as priority,
        min(target_seconds) filter (where spell_number = last_number) as target_seconds,
        bool_or(is_business and spell_number = last_number) as is_business,
        bool_or(has_schedule and spell_number = last_live_number) as has_schedule,
        min(so_far_seconds) filter (where spell_number = last_live_number) as elapsed_seconds,
        min(calendar_so_far_seconds) filter (where spell_number = last_live_number) as elapsed_calendar_seconds,
        min(open_so_far_seconds) filter (where spell_number = last_live_number) as elapsed_open_seconds

    from measured

    group by clock_id

),

decided as (

    select
        *,
        case
            when breached_at is not null and state in ('ended', 'cancelled') then 'breached'
            when breached_at is not null then 'running_breached'
            when state = 'ended' then 'met'
            when state = 'cancelled' then 'cancelled'
            else 'running'
        end as outcome

    from clocks

),

dated as (

    select
        *,
        case
            when breached_at is not null then breached_at
            when outcome = 'met' then finished_at
        end as decided_at

    from decided

),

tickets as (

    select
        ticket_id,
        channel,
        is_excluded

    from {{ ref('fct_tickets') }}

    where {{ kf_touched('sla_ticket', 'ticket_id') }}

),

-- the team that had the ticket when the clock was decided, or has it
teams as (

    select
        dated.clock_id,
        events.team_id,
        row_number() over (
            partition by dated.clock_id order by events.ticket_id desc nulls last, events.sequence desc
        ) as from_last

    from dated
    inner join {{ ref('fct_ticket_events') }} as events
        on
            dated.ticket_id = events.ticket_id
            and events.occurred_at <= coalesce(dated.decided_at, dated.finished_at, dated.as_of_at)

),

policies as (

    select
        policy_version_id,
        policy_id

    from {{ ref('canonical_sla_policies') }}

)

select
    dated.clock_id,
    dated.ticket_id,
    dated.source,
    tickets.channel,
    coalesce(teams.team_id, 'none') as team_id,
    dated.priority,
    policies.policy_id,
    dated.policy_version_id,
    dated.sla_metric,
    dated.clock_number,
    tickets.is_excluded,
    dated.outcome,
    dated.outcome in ('running', 'running_breached') and dated.state = 'paused' as is_paused,
    dated.is_business,
    dated.ended_by,
    dated.target_seconds,
    dated.start_target_seconds,
    dated.current_target_seconds,
    dated.elapsed_seconds,
    dated.elapsed_calendar_seconds,
    case when dated.has_schedule then dated.elapsed_open_seconds end as elapsed_business_seconds,
    case
        when dated.outcome = 'running' then dated.target_seconds - dated.elapsed_seconds
    end as left_seconds,
    case when dated.breached_at is not null then dated.over_seconds end as over_seconds,
    dated.started_at,
    dated.applied_at,
    case
        when dated.breached_at is not null then dated.breach_due_at
        when dated.outcome in ('met', 'running') and dated.state <> 'paused' then dated.last_due_at
    end as due_at,
    dated.breached_at,
    dated.start_breached_at,
    dated.current_breached_at,
    dated.finished_at,
    dated.decided_at,
    case when dated.state = 'running' then {{ kf_add_seconds('dated.as_of_at', '1') }} end as changes_at,
    {{ kf_local_date('dated.decided_at') }} as decided_date

from dated
cross join build
inner join tickets on dated.ticket_id = tickets.ticket_id
left join teams
    on
        dated.clock_id = teams.clock_id
        and {{ kf_first('teams.from_last') }}
left join policies on dated.policy_version_id = policies.policy_version_id

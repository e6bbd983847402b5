-- One row per event of a ticket, with the state the ticket was in after it and what its business clock showed.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

schedules as (

    select
        ticket_id,
        schedule_id,
        valid_from_at,
        valid_to_at,
        lag(schedule_id) over (partition by ticket_id order by valid_from_at nulls last) as schedule_before,
        row_number() over (partition by ticket_id order by valid_from_at nulls last) as place

    from {{ ref('canonical_ticket_schedules') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

),

-- by how much one schedule's running total is off the one's before it at the moment it took over
handed_over as (

    select
        schedules.ticket_id,
        schedules.schedule_id,
        schedules.valid_from_at,
        schedules.valid_to_at,
        case
            when schedules.place > 1
                then
                    {{ kf_business_position('day_before', 'schedules.valid_from_at') }}
                    - {{ kf_business_position('day_after', 'schedules.valid_from_at') }}
            when schedules.schedule_id is not null then 0
        end as step_seconds

    from schedules
    {{ kf_business_join('day_before', 'schedules.schedule_before', 'schedules.valid_from_at') }}
    {{ kf_business_join('day_after', 'schedules.schedule_id', 'schedules.valid_from_at') }}

),

clocks as (

    select
        ticket_id,
        schedule_id,
        valid_from_at,
        valid_to_at,
        -- unknown from the first moment on at which it is
        case
            when count(*) over so_far = count(step_seconds) over so_far
                then cast(sum(step_seconds) over so_far as bigint)
        end as offset_seconds

    from handed_over

    window so_far as (
        partition by ticket_id order by valid_from_at nulls last
        rows between unbounded preceding and current row
    )

),

-- every event with its reading of the business clock, then everything that asks for the order of a ticket's events:
-- they are put in order once
timed as (

    select
        events.*,
        {{ kf_business_position('day_then', 'events.occurred_at') }} + clocks.offset_seconds as open_seconds

    from {{ ref('canonical_ticket_events') }} as events
    cross join build
    left join clocks
        on
            events.ticket_id = clocks.ticket_id
            and events.occurred_at >= clocks.valid_from_at
            and events.occurred_at < clocks.valid_to_at
    {{ kf_business_join('day_then', 'clocks.schedule_id', 'events.occurred_at') }}

    where events.occurred_at <= build.as_of_at and {{ kf_touched('ticket', 'events.ticket_id') }}

),

states as (

    select
        event_id,
        ticket_id,
        source,
        sequence,
        actor_kind,
        actor_id,
        is_creation,
        is_comment,
        is_public,
        to_team_id,
        to_agent_id,
        to_team_id is not null and to_team_id <> 'none' as is_team_assignment,
        to_agent_id is not null and to_agent_id <> 'none' as is_agent_assignment,
        occurred_at,
        -- from the ticket's earliest event on: where the calendar begins depends on all tickets
        open_seconds - min(open_seconds) over whole as clock_business_seconds,
        -- a value holds until the next one is set
        {{ kf_last_known('to_status') }} over so_far as status,
        {{ kf_last_known('to_team_id') }} over so_far as team_id,
        {{ kf_last_known('to_agent_id') }} over so_far as agent_id,
        {{ kf_last_known('to_priority') }} over so_far as priority,
        {{ kf_last_known('to_status') }} over before as status_before,
        {{ kf_last_known("nullif(to_team_id, 'none')") }} over before as team_before,
        {{ kf_last_known("nullif(to_agent_id, 'none')") }} over before as agent_before

    from timed

    window
        whole as (partition by ticket_id),
        so_far as (
            partition by ticket_id order by sequence
            rows between unbounded preceding and current row
        ),
        before as (
            partition by ticket_id order by sequence
            rows between unbounded preceding and 1 preceding
        )

),

compared as (

    select
        states.*,
        coalesce(status, 'new') in ('solved', 'closed') as is_solved_after,
        coalesce(status_before, 'new') in ('solved', 'closed') as was_solved_before

    from states

)

select
    event_id,
    ticket_id,
    source,
    sequence,
    occurred_at,
    clock_business_seconds,
    actor_kind,
    actor_id,
    is_creation,
    is_comment,
    is_comment and is_public as is_public_comment,
    -- the first message of a ticket an agent opened is no reply to anybody
    is_comment and is_public and actor_kind = 'agent' and not is_creation as is_agent_reply,
    is_comment and is_public and actor_kind = 'customer' as is_customer_comment,
    coalesce(status, 'new') as status,
    coalesce(team_id, 'none') as team_id,
    coalesce(agent_id, 'none') as agent_id,
    coalesce(priority, 'normal') as priority,
    is_team_assignment,
    is_agent_assignment,
    is_solved_after and not was_solved_before as is_solve,
    was_solved_before and not is_solved_after and status <> 'deleted' as is_reopen,
    -- the first assignment is routing; coming back to the same hands after nobody is none either
    is_team_assignment and coalesce(to_team_id <> team_before, false) as is_group_hop,
    (is_team_assignment and coalesce(to_team_id <> team_before, false))
    or (is_agent_assignment and coalesce(to_agent_id <> agent_before, false)) as is_reassignment

from compared

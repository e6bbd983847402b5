-- Which schedule a ticket had from when to when. A source with schedules of its own says so; its account's default
-- holds until it does. Elsewhere it is the schedule the ticket's team keeps, and changes with the team.
with

tickets as (

    select
        ticket_id,
        source,
        team_id

    from {{ ref('canonical_tickets') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

),

events as (

    select
        ticket_id,
        sequence,
        to_team_id,
        occurred_at

    from {{ ref('canonical_ticket_events') }}

    where to_team_id is not null and {{ kf_touched('ticket', 'ticket_id') }}

),

said as (

    select * from {{ ref('stg_zendesk__ticket_schedules') }}

),

-- the sources that have schedules, with the default of each
defaults as (

    select
        source,
        min(schedule_id) filter (where is_default) as schedule_id

    from {{ ref('canonical_schedules') }}

    where source <> 'kefu'

    group by source

),

team_schedules as (

    select
        team_id,
        schedule_id

    from {{ ref('canonical_team_schedules') }}

),

changes as (

    select
        tickets.ticket_id,
        said.sequence,
        coalesce(said.schedule_id, defaults.schedule_id) as schedule_id,
        said.occurred_at

    from said
    inner join tickets on said.ticket_id = tickets.ticket_id
    inner join defaults on tickets.source = defaults.source

    union all

    select
        tickets.ticket_id,
        events.sequence,
        team_schedules.schedule_id,
        events.occurred_at

    from events
    inner join tickets on events.ticket_id = tickets.ticket_id
    left join defaults on tickets.source = defaults.source
    left join team_schedules on events.to_team_id = team_schedules.team_id

    where defaults.source is null

),

ranked as (

    select
        *,
        row_number() over (partition by ticket_id order by sequence) as from_first,
        row_number() over (partition by ticket_id, occurred_at order by sequence desc) as from_last_then

    from changes

),

firsts as (

    select
        ticket_id,
        schedule_id

    from ranked

    where {{ kf_first('from_first') }}

),

states as (

    select
        tickets.ticket_id,
        case
            when defaults.source is not null then defaults.schedule_id
            when firsts.ticket_id is not null then firsts.schedule_id
            else team_schedules.schedule_id
        end as schedule_id,
        {{ kf_ever() }} as valid_from_at

    from tickets
    left join defaults on tickets.source = defaults.source
    left join firsts on tickets.ticket_id = firsts.ticket_id
    left join team_schedules on tickets.team_id = team_schedules.team_id

    union all

    select
        ticket_id,
        schedule_id,
        occurred_at as valid_from_at

    from ranked

    where {{ kf_first('from_last_then') }}

),

compared as (

    select
        *,
        row_number() over (partition by ticket_id order by valid_from_at) as place,
        lag(schedule_id) over (partition by ticket_id order by valid_from_at) as previous_schedule_id

    from states

),

-- to the same schedule is no change
changed as (

    select * from compared

    where place = 1 or schedule_id is distinct from previous_schedule_id

)

select
    ticket_id,
    schedule_id,
    valid_from_at,
    lead(valid_from_at, 1, {{ kf_for_ever() }}) over (partition by ticket_id order by valid_from_at) as valid_to_at

from changed

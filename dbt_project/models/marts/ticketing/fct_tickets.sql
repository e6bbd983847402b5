-- One row per ticket. What happened is read from its events; only where a source keeps no events, from its own figures.
-- Business time is the difference of two readings of the ticket's clock (fct_ticket_events); looked up anew only where
-- the last schedule alone gives another figure, or a moment is no event.
{%- set moments = {
    'first_reply': 'first_replied_at', 'first_resolution': 'first_solved_at', 'full_resolution': 'last_solved_at'
} %}
{%- set clocks = {
    'first_reply': 'clock_at_first_reply', 'first_resolution': 'clock_at_first_solve',
    'full_resolution': 'clock_at_last_solve'
} %}
{%- set waits = {
    'requester_wait': "'new', 'open', 'on_hold'", 'agent_wait': "'pending'", 'agent_work': "'new', 'open'",
    'on_hold': "'on_hold'"
} %}
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

tickets as (

    select tickets.*
    from {{ ref('canonical_tickets') }} as tickets
    cross join build
    where tickets.created_at <= build.as_of_at and {{ kf_touched('ticket', 'tickets.ticket_id') }}

),

-- which of its events were the ones that count; what they say is read from the events themselves
edges as (

    select
        ticket_id,
        min(case when is_solve then sequence end) as first_solve,
        max(case when is_solve then sequence end) as last_solve,
        min(case when is_agent_reply then sequence end) as first_reply,
        min(case when team_id <> 'none' then sequence end) as first_team,
        max(sequence) as last_event

    from {{ ref('fct_ticket_events') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

    group by ticket_id

),

around_reopens as (

    select
        ticket_id,
        occurred_at,
        is_reopen,
        max(case when is_solve then occurred_at end) over so_far as undone_solve_at,
        min(case when is_solve then sequence end) over from_here as next_solve,
        min(case when is_solve then occurred_at end) over from_here as next_solve_at,
        min(case when is_agent_reply then sequence end) over from_here as next_reply

    from {{ ref('fct_ticket_events') }}

    where (is_solve or is_reopen or is_agent_reply) and {{ kf_touched('ticket', 'ticket_id') }}

    window
        so_far as (partition by ticket_id order by sequence rows between unbounded preceding and current row),
        from_here as (partition by ticket_id order by sequence rows between current row and unbounded following)

),

judged as (

    select
        around_reopens.ticket_id,
        -- E04: "thanks" and solved again, no agent having replied, is no reopen
        not coalesce(
            {{ kf_seconds_between('around_reopens.occurred_at', 'around_reopens.next_solve_at') }}
            <= build.thanks_window_seconds
            and coalesce(around_reopens.next_reply > around_reopens.next_solve, true),
            false
        ) as is_counted,
        {{ kf_seconds_between('around_reopens.undone_solve_at', 'around_reopens.occurred_at') }}
        <= build.reopen_window_days * 86400 as is_within_window

    from around_reopens
    cross join build

    where around_reopens.is_reopen

),

reopens as (

    select
        ticket_id,
        count(*) filter (where is_counted) as reopens,
        count(*) filter (where is_counted and is_within_window) as reopens_within_window

    from judged

    group by ticket_id

),

lives as (

    select
        events.ticket_id,
        min(events.occurred_at) as began_at,
        min(events.clock_business_seconds) as clock_at_begin,
        {%- for moment in ['first_solve', 'last_solve', 'first_reply'] %}
        min(case when events.sequence = edges.{{ moment }} then events.occurred_at end) as {{ moment }}_at,
        min(case when events.sequence = edges.{{ moment }} then events.clock_business_seconds end)
            as clock_at_{{ moment }},
        min(case when events.sequence = edges.{{ moment }} then events.team_id end) as {{ moment }}_team_id,
        {%- endfor %}
        min(case when events.sequence = edges.first_team then events.team_id end) as first_team_id,
        min(case when events.sequence = edges.last_event then events.status end) as status,
        count(*) filter (where events.is_agent_reply) as agent_replies,
        count(*) filter (where events.is_customer_comment and not events.is_creation) as customer_replies,
        count(*) filter (where events.is_public_comment and events.actor_kind = 'agent') as agent_comments,
        count(*) filter (where events.is_team_assignment) as team_stations,
        count(*) filter (where events.is_agent_assignment) as agent_stations,
        count(*) filter (where events.is_reassignment) as reassignments,
        count(*) filter (where events.is_group_hop) as group_hops,
        count(*) filter (where events.is_solve) as solves,
        count(*) filter (where events.is_reopen) as reopen_events

    from {{ ref('fct_ticket_events') }} as events
    inner join edges on events.ticket_id = edges.ticket_id

    where {{ kf_touched('ticket', 'events.ticket_id') }}

    group by events.ticket_id

),

spoke as (

    select
        ticket_id,
        actor_id,
        bool_or(is_agent_reply) as has_replied

    from {{ ref('fct_ticket_events') }}

    where is_comment and actor_kind = 'agent' and actor_id is not null and {{ kf_touched('ticket', 'ticket_id') }}

    group by ticket_id, actor_id

),

speakers as (

    select
        ticket_id,
        count(*) as agents_commented,
        {{ kf_count_if('has_replied') }} as agents_replied

    from spoke

    group by ticket_id

),

spells as (

    select
        ticket_id,
        count(*) filter (where not is_running) as spells,
        count(duration_business_seconds) as timed_spells,
        {%- for wait, statuses in waits.items() %}
        {{ kf_sum('case when status in (' ~ statuses ~ ') then duration_seconds end') }} as {{ wait }}_seconds,
        {{ kf_sum('case when status in (' ~ statuses ~ ') then duration_business_seconds end') }}
            as {{ wait }}_business_seconds,
        {%- endfor %}
        {{ kf_sum("case when status = 'pending' and is_before_first_solve then duration_seconds end") }}
            as first_agent_wait_seconds,
        {{ kf_sum("case when status = 'pending' and is_before_first_solve then duration_business_seconds end") }}
            as first_agent_wait_business_seconds,
        max(started_at) filter (where is_running) as status_since_at

    from {{ ref('fct_ticket_status_intervals') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

    group by ticket_id

),

replies as (

    select
        ticket_id,
        cast(sum(reply_seconds) as bigint) as total_reply_seconds,
        max(case when is_first_reply then since_last_message_seconds end) as since_last_message_seconds,
        max(case when is_first_reply then since_last_message_business_seconds end)
            as since_last_message_business_seconds

    from {{ ref('fct_ticket_replies') }}

    where replied_at is not null and {{ kf_touched('ticket', 'ticket_id') }}

    group by ticket_id

),

joined as (

    select
        tickets.ticket_id,
        tickets.source,
        {{ kf_customer('people', 'tickets.identity_id') }} as customer_id,
        {{ kf_customer_confidence('people', 'tickets.identity_id') }} as customer_confidence,
        tickets.identity_id,
        tickets.related_ticket_id,
        tickets.call_reference,
        tickets.channel,
        tickets.priority,
        coalesce(lives.status, tickets.status) as status,
        tickets.team_id,
        tickets.agent_id,
        tickets.created_by_kind,
        tickets.excluded_reason,
        tickets.excluded_reason is not null as is_excluded,
        tickets.created_at,
        coalesce(
            lives.first_reply_at,
            case when tickets.reported_first_replied_at <= build.as_of_at then tickets.reported_first_replied_at end
        ) as first_replied_at,
        coalesce(
            lives.first_solve_at,
            case when tickets.reported_first_solved_at <= build.as_of_at then tickets.reported_first_solved_at end
        ) as first_solved_at,
        -- solved for good, as far as is known: an unsolved ticket has no last solve
        case
            when coalesce(lives.status, tickets.status) in ('solved', 'closed')
                then coalesce(
                    lives.last_solve_at,
                    case when tickets.reported_last_solved_at <= build.as_of_at then tickets.reported_last_solved_at end
                )
        end as last_solved_at,
        spells.status_since_at,
        coalesce(lives.first_team_id, tickets.team_id) as first_team_id,
        coalesce(lives.first_reply_team_id, lives.first_team_id, tickets.team_id) as first_reply_team_id,
        coalesce(lives.first_solve_team_id, tickets.team_id) as first_solve_team_id,
        coalesce(lives.last_solve_team_id, tickets.team_id) as last_solve_team_id,
        coalesce(tickets.reported_agent_replies, lives.agent_replies, 0) as agent_replies,
        case
            when tickets.has_reply_record and tickets.reported_agent_replies is null
                then coalesce(lives.customer_replies, 0)
        end as customer_replies,
        coalesce(lives.agent_comments, 0) as agent_comments,
        coalesce(speakers.agents_replied, 0) as agents_replied,
        coalesce(speakers.agents_commented, 0) as agents_commented,
        coalesce(lives.team_stations, 0) as team_stations,
        coalesce(lives.agent_stations, 0) as agent_stations,
        coalesce(tickets.reported_reassignments, lives.reassignments, 0) as reassignments,
        case
            when tickets.has_assignment_record and tickets.reported_reassignments is null
                then coalesce(lives.group_hops, 0)
        end as group_hops,
        coalesce(lives.solves, 0) as solves,
        coalesce(tickets.reported_reopens, lives.reopen_events, 0) as reopen_events,
        coalesce(tickets.reported_reopens, reopens.reopens, 0) as reopens,
        case
            when tickets.reported_reopens is not null then tickets.reported_reopens > 0
            else coalesce(reopens.reopens_within_window, 0) > 0
        end as was_reopened_in_window,
        tickets.has_reply_record,
        tickets.has_assignment_record,
        tickets.has_reopen_record,
        tickets.has_status_record,
        lives.clock_at_first_reply,
        lives.clock_at_first_solve,
        lives.clock_at_last_solve,
        replies.total_reply_seconds,
        replies.since_last_message_seconds,
        replies.since_last_message_business_seconds,
        {%- for wait in ['requester_wait', 'agent_wait', 'agent_work', 'on_hold', 'first_agent_wait'] %}
        case when tickets.has_status_record then spells.{{ wait }}_seconds end as {{ wait }}_seconds,
        case
            when tickets.has_status_record and lives.clock_at_begin is not null and spells.spells = spells.timed_spells
                then spells.{{ wait }}_business_seconds
        end as {{ wait }}_business_seconds,
        {%- endfor %}
        -- the clock of its events does not tell: it began at another moment, or the source only says when
        coalesce(lives.began_at <> tickets.created_at, true)
        or tickets.reported_first_replied_at is not null as is_off_clock

    from tickets
    cross join build
    left join lives on tickets.ticket_id = lives.ticket_id
    left join reopens on tickets.ticket_id = reopens.ticket_id
    left join speakers on tickets.ticket_id = speakers.ticket_id
    left join spells on tickets.ticket_id = spells.ticket_id
    left join replies on tickets.ticket_id = replies.ticket_id
    {{ kf_customer_join('people', 'tickets.identity_id', 'tickets.created_at') }}

),

switched as (

    select
        joined.ticket_id,
        min(schedules.valid_from_at) as switched_at

    from joined
    inner join {{ ref('canonical_ticket_schedules') }} as schedules on joined.ticket_id = schedules.ticket_id

    where schedules.valid_from_at > joined.created_at and {{ kf_touched('ticket', 'schedules.ticket_id') }}

    group by joined.ticket_id

),

special as (

    {%- for name, moment in moments.items() %}
    select
        '{{ name }}-' || joined.ticket_id as interval_id,
        joined.ticket_id,
        joined.created_at as started_at,
        joined.{{ moment }} as ended_at
    from joined
    left join switched on joined.ticket_id = switched.ticket_id
    where
        joined.{{ moment }} is not null
        and (joined.is_off_clock or joined.{{ moment }} >= switched.switched_at)
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

looked_up as (

    {{ kf_ticket_business_seconds('special', 'interval_id') }}

)

select
    joined.ticket_id,
    joined.source,
    joined.customer_id,
    joined.customer_confidence,
    joined.identity_id,
    joined.related_ticket_id,
    joined.call_reference,
    joined.channel,
    joined.priority,
    joined.status,
    joined.team_id,
    joined.agent_id,
    joined.created_by_kind,
    joined.excluded_reason,
    joined.is_excluded,
    joined.created_at,
    joined.first_replied_at,
    joined.first_solved_at,
    joined.last_solved_at,
    joined.status_since_at,
    joined.first_team_id,
    joined.first_reply_team_id,
    joined.first_solve_team_id,
    joined.last_solve_team_id,
    joined.agent_replies,
    joined.customer_replies,
    joined.agent_comments,
    joined.agents_replied,
    joined.agents_commented,
    joined.team_stations,
    joined.agent_stations,
    joined.reassignments,
    joined.group_hops,
    joined.solves,
    joined.reopen_events,
    joined.reopens,
    joined.was_reopened_in_window,
    joined.has_reply_record,
    joined.has_assignment_record,
    joined.has_reopen_record,
    joined.has_status_record,
    {%- for name, moment in moments.items() %}
    {{ kf_seconds_between('joined.created_at', 'joined.' ~ moment) }} as {{ name }}_seconds,
    {%- for column in ['business_seconds', 'last_schedule_business_seconds'] %}
    case
        when {{ name }}.interval_id is not null then {{ name }}.{{ column }}
        when joined.{{ moment }} is not null then joined.{{ clocks[name] }}
    end as {{ name }}_{{ column }},
    {%- endfor %}
    {%- endfor %}
    joined.total_reply_seconds,
    joined.since_last_message_seconds,
    joined.since_last_message_business_seconds,
    {%- for wait in ['requester_wait', 'agent_wait', 'agent_work', 'on_hold', 'first_agent_wait'] %}
    joined.{{ wait }}_seconds,
    joined.{{ wait }}_business_seconds,
    {%- endfor %}
    -- the reporting days KPIs are booked on
    {{ kf_local_date('joined.created_at') }} as created_date,
    {{ kf_local_date('joined.first_replied_at') }} as first_reply_date,
    {{ kf_local_date('joined.first_solved_at') }} as first_solve_date,
    {{ kf_local_date('joined.last_solved_at') }} as last_solve_date

from joined
cross join build
{%- for name in moments %}
left join looked_up as {{ name }} on '{{ name }}-' || joined.ticket_id = {{ name }}.interval_id
{%- endfor %}

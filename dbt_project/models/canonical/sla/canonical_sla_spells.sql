-- What a clock did from when to when: it runs, is paused, has ended or was cancelled, under one target and one
-- schedule. Nothing here depends on how late it is. How far the target was used up at a moment, and when more than it
-- would have passed if nothing else happened, follow from what was before: the past stays whatever comes after.
--
-- first_reply      from the creation by a customer to the first public reply of a human agent, or the solve
-- next_reply       from a customer's message that waits for an answer, later ones included, to the next such reply
-- periodic_update  from a public message of an agent to the next one, or the solve; pausable_update: but not in pending
-- agent_work       while new or open; requester_wait: on hold too; resolution: pending too. A solve ends the clock, a
--                  reopen lets the same clock go on
{%- set waits = {
    'agent_work': "'new', 'open'",
    'requester_wait': "'new', 'open', 'on_hold'",
    'resolution': "'new', 'open', 'on_hold', 'pending'",
} %}
{#- the same for the target in force when the clock got its first one, and for the one in force now #}
{%- set bases = ['start', 'current'] %}
with

metrics as (

    select distinct sla_metric from {{ ref('canonical_sla_targets') }}

),

tickets as (

    select
        ticket_id,
        source,
        created_by_kind,
        excluded_reason,
        has_reply_record,
        coalesce(reported_agent_replies, 0) as reported_agent_replies,
        reported_first_replied_at

    from {{ ref('canonical_tickets') }}

    where
        {{ kf_touched('ticket', 'ticket_id') }}
        and exists (select 1 from {{ ref('canonical_sla_targets') }})

),

policies as (

    select
        policy_version_id,
        source

    from {{ ref('canonical_sla_policies') }}

),

targets as (

    select
        targets.policy_version_id,
        targets.sla_metric,
        targets.priority,
        targets.target_seconds,
        targets.is_business,
        policies.source = 'kefu' as is_ours

    from {{ ref('canonical_sla_targets') }} as targets
    inner join policies on targets.policy_version_id = policies.policy_version_id

),

-- time never goes back from one event to the next, and counts in whole seconds
told as (

    select
        events.ticket_id,
        events.sequence,
        events.actor_kind,
        events.is_creation,
        events.is_comment and events.is_public as is_message,
        events.to_status,
        events.to_priority,
        applied.policy_version_id as to_policy_version_id,
        max({{ kf_epoch('events.occurred_at') }}) over (
            partition by events.ticket_id order by events.sequence rows between unbounded preceding and current row
        ) as happened,
        max(case when events.is_comment then 1 else 0 end) over (partition by events.ticket_id) as has_messages

    from {{ ref('canonical_ticket_events') }} as events
    inner join tickets on events.ticket_id = tickets.ticket_id
    left join {{ ref('canonical_ticket_sla_policies') }} as applied
        on
            events.ticket_id = applied.ticket_id
            and events.sequence = applied.sequence

    where {{ kf_touched('ticket', 'events.ticket_id') }}

),

-- a list of tickets names the moment of the first reply without an event
happenings as (

    select
        ticket_id,
        2 * sequence as sequence,
        actor_kind,
        is_creation,
        is_message,
        to_status,
        to_priority,
        to_policy_version_id,
        has_messages,
        happened

    from told

    union all

    select
        tickets.ticket_id,
        2 * told.sequence + 1 as sequence,
        'agent' as actor_kind,
        false as is_creation,
        true as is_message,
        cast(null as {{ kf_text() }}) as to_status,
        cast(null as {{ kf_text() }}) as to_priority,
        cast(null as {{ kf_text() }}) as to_policy_version_id,
        told.has_messages,
        {{ kf_epoch('tickets.reported_first_replied_at') }} as happened

    from tickets
    inner join told on tickets.ticket_id = told.ticket_id

    where told.is_creation and told.has_messages = 0 and tickets.reported_first_replied_at is not null

),

places as (

    select
        *,
        {{ kf_add_seconds("timestamp '1970-01-01 00:00:00'", 'happened') }} as happened_at,
        row_number() over (partition by ticket_id order by happened nulls last, sequence) as place

    from happenings

),

-- a value holds until the next one is set: number the spells, then spread each spell's value
spells as (

    select
        *,
        count(to_status) over so_far as status_spell,
        count(to_priority) over so_far as priority_spell,
        count(to_policy_version_id) over so_far as policy_spell

    from places

    window so_far as (partition by ticket_id order by place nulls last rows between unbounded preceding and current row)

),

carried as (

    select
        spells.ticket_id,
        spells.place,
        spells.happened_at,
        spells.is_creation,
        coalesce(max(spells.to_status) over (partition by spells.ticket_id, spells.status_spell), 'new') as status,
        coalesce(max(spells.to_priority) over (partition by spells.ticket_id, spells.priority_spell), 'none')
            as priority,
        coalesce(
            max(spells.to_policy_version_id) over (partition by spells.ticket_id, spells.policy_spell), 'none'
        ) as policy_version_id,
        spells.is_message and spells.actor_kind = 'agent' as is_word,
        spells.is_message and spells.actor_kind = 'agent' and not spells.is_creation as is_reply,
        spells.is_message and spells.actor_kind = 'customer' and not spells.is_creation as is_question,
        -- E09: what an agent opened has nobody waiting for a first reply
        spells.is_creation and tickets.created_by_kind <> 'agent' as is_request,
        -- a list that counts replies does not say when each was sent
        tickets.has_reply_record and (
            spells.has_messages = 1
            or tickets.reported_agent_replies = 0
            or tickets.reported_first_replied_at is not null
        ) as knows_first_reply,
        tickets.has_reply_record and (
            spells.has_messages = 1
            or tickets.reported_agent_replies = 0
            or (tickets.reported_agent_replies = 1 and tickets.reported_first_replied_at is not null)
        ) as knows_replies,
        tickets.excluded_reason

    from spells
    inner join tickets on spells.ticket_id = tickets.ticket_id

),

points as (

    select
        *,
        status in ('solved', 'closed', 'deleted') as is_over,
        (is_request or is_question) and status not in ('solved', 'closed', 'deleted') as is_ask,
        case
            when status = 'deleted' or (excluded_reason = 'merged' and status = 'closed') then 'cancelled'
            else 'ended'
        end as ending

    from carried

),

-- turns: somebody waits for an answer from the first message that asks on, however many follow
asked as (

    select
        *,
        count(case when is_ask or is_reply or is_over then 1 end) over so_far as ask_spell,
        count(case when is_word then 1 end) over so_far as word_number

    from points

    window so_far as (partition by ticket_id order by place nulls last rows between unbounded preceding and current row)

),

waiting as (

    select
        *,
        max(case when is_ask then 1 else 0 end) over (partition by ticket_id, ask_spell) as is_waiting_now,
        count(case when is_over then 1 end) over (
            partition by ticket_id, word_number
            order by place nulls last rows between unbounded preceding and current row
        ) as over_since_word

    from asked

),

compared as (

    select
        *,
        coalesce(lag(is_waiting_now) over in_order, 0) as was_waiting,
        coalesce(lag(over_since_word) over in_order, 0) as over_before

    from waiting

    window in_order as (partition by ticket_id order by place nulls last)

),

turns as (

    select
        *,
        count(case when is_waiting_now = 1 and was_waiting = 0 then 1 end) over (
            partition by ticket_id order by place nulls last rows between unbounded preceding and current row
        ) as turn_number

    from compared

),

numbered_turns as (

    select
        *,
        max(case when is_request and is_ask then 1 else 0 end) over (partition by ticket_id, turn_number) as is_first

    from turns

    where turn_number > 0 and (is_waiting_now = 1 or was_waiting = 1)

),

-- what the clock of each metric does after each event
moves as (

    select
        ticket_id,
        case when is_first = 1 then 'first_reply' else 'next_reply' end as sla_metric,
        turn_number as clock_number,
        place,
        happened_at,
        priority,
        policy_version_id,
        case when is_waiting_now = 1 then 'running' else ending end as state,
        case when is_waiting_now = 1 then null when is_reply then 'reply' else 'solve' end as ended_by

    from numbered_turns

    where knows_first_reply

    {% for metric, pauses in {'periodic_update': false, 'pausable_update': true}.items() -%}
    union all

    select
        ticket_id,
        '{{ metric }}' as sla_metric,
        word_number as clock_number,
        place,
        happened_at,
        priority,
        policy_version_id,
        case
            when is_over then ending
            {{ "when status = 'pending' then 'paused'" if pauses }}
            else 'running'
        end as state,
        case when is_over then 'solve' end as ended_by

    from turns

    where
        knows_replies
        and word_number > 0
        and not (is_word and is_over)
        and over_since_word - case when is_over then 1 else 0 end = 0

    union all

    -- the next message ends the clock of the one before
    select
        ticket_id,
        '{{ metric }}' as sla_metric,
        word_number - 1 as clock_number,
        place,
        happened_at,
        priority,
        policy_version_id,
        'ended' as state,
        'reply' as ended_by

    from turns

    where knows_replies and is_word and word_number > 1 and over_before = 0

    {% endfor -%}
    {%- for metric, statuses in waits.items() %}
    union all

    select
        ticket_id,
        '{{ metric }}' as sla_metric,
        1 as clock_number,
        place,
        happened_at,
        priority,
        policy_version_id,
        case
            when is_over then ending
            when status in ({{ statuses }}) then 'running'
            else 'paused'
        end as state,
        case when is_over then 'solve' end as ended_by

    from points
    {% endfor %}

),

-- of a clock that got going before we were told of the ticket nobody knows how long it has run
creations as (

    select ticket_id from points

    where is_creation

),

begun as (

    select
        moves.*,
        coalesce(targets.target_seconds, rest.target_seconds) as target_seconds,
        coalesce(targets.is_business, rest.is_business) as is_business,
        lag(moves.state) over in_order as state_before,
        lag(moves.policy_version_id) over in_order as policy_version_before,
        lag(moves.priority) over in_order as priority_before

    from moves
    inner join metrics on moves.sla_metric = metrics.sla_metric
    inner join creations on moves.ticket_id = creations.ticket_id
    left join targets
        on
            moves.policy_version_id = targets.policy_version_id
            and moves.sla_metric = targets.sla_metric
            and case when targets.is_ours and moves.priority = 'none' then 'normal' else moves.priority end
            = targets.priority
            and moves.state in ('running', 'paused')
    -- kefu.toml may name a target for all other priorities
    left join targets as rest
        on
            moves.policy_version_id = rest.policy_version_id
            and moves.sla_metric = rest.sla_metric
            and rest.is_ours
            and rest.priority = 'any'
            and moves.state in ('running', 'paused')

    window in_order as (
        partition by moves.ticket_id, moves.sla_metric, moves.clock_number order by moves.place nulls last
    )

),

stretches as (

    select
        ticket_id,
        sla_metric,
        clock_number,
        place,
        happened_at,
        lead(happened_at) over in_order as next_at,
        state,
        ended_by,
        priority,
        policy_version_id,
        target_seconds,
        is_business,
        min(case when target_seconds is not null then place end) over whole as first_place

    from begun

    where
        state_before is null
        or state <> state_before
        or (
            state in ('running', 'paused')
            and (policy_version_id <> policy_version_before or priority <> priority_before)
        )

    window
        whole as (partition by ticket_id, sla_metric, clock_number),
        in_order as (partition by ticket_id, sla_metric, clock_number order by place nulls last)

),

started as (

    select
        *,
        max(case when place = first_place then target_seconds end) over whole as start_target_seconds,
        max(case when place = first_place and is_business then 1 when place = first_place then 0 end) over whole
            as start_is_business,
        max(case when place = first_place then priority end) over whole as start_priority,
        max(case when place = first_place then policy_version_id end) over whole as start_policy_version_id,
        min(happened_at) over whole as clock_started_at

    from stretches

    where first_place is not null

    window whole as (partition by ticket_id, sla_metric, clock_number)

),

schedules as (

    select
        ticket_id,
        schedule_id,
        {{ kf_add_seconds("timestamp '1970-01-01 00:00:00'", kf_epoch('valid_from_at')) }} as valid_from_at,
        {{ kf_add_seconds("timestamp '1970-01-01 00:00:00'", kf_epoch('valid_to_at')) }} as valid_to_at

    from {{ ref('canonical_ticket_schedules') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

),

-- a clock that runs does so under one schedule at a time
scheduled as (

    select
        started.*,
        schedules.schedule_id,
        greatest(started.happened_at, schedules.valid_from_at) as started_at,
        case
            when started.state <> 'running' then started.next_at
            when schedules.valid_to_at < {{ kf_for_ever() }}
                then least(started.next_at, schedules.valid_to_at)
            else started.next_at
        end as ended_at,
        row_number() over (
            partition by started.ticket_id, started.sla_metric, started.clock_number
            order by started.place nulls last, schedules.valid_from_at nulls last
        ) as spell_number

    from started
    inner join schedules
        on
            started.ticket_id = schedules.ticket_id
            and started.happened_at < schedules.valid_to_at
            and (
                started.happened_at >= schedules.valid_from_at
                or (
                    started.state = 'running'
                    and coalesce(started.next_at, {{ kf_for_ever() }}) > schedules.valid_from_at
                )
            )

),

timed as (

    select
        scheduled.*,
        day_of_start.schedule_id is not null as is_scheduled,
        {{ kf_business_position('day_of_start', 'scheduled.started_at') }} as start_position,
        case
            when scheduled.state = 'running'
                then {{ kf_seconds_between('scheduled.started_at', 'scheduled.ended_at') }}
            else 0
        end as calendar_seconds,
        case
            when scheduled.state = 'running'
                then
                    {{ kf_business_seconds(
                        'day_of_start', 'scheduled.started_at', 'day_of_finish', 'scheduled.ended_at'
                    ) }}
            else 0
        end as business_seconds

    from scheduled
    {{ kf_business_join('day_of_start', 'scheduled.schedule_id', 'scheduled.started_at') }}
    {{ kf_business_join('day_of_finish', 'scheduled.schedule_id', 'scheduled.ended_at') }}

),

-- without a schedule every second is open, as the vendor has it
counted as (

    select
        *,
        cast(coalesce(sum(calendar_seconds) over before, 0) as bigint) as calendar_before_seconds,
        cast(coalesce(sum(coalesce(business_seconds, calendar_seconds)) over before, 0) as bigint)
            as open_before_seconds,
        min(case when is_scheduled then 1 else 0 end) over (
            partition by ticket_id, sla_metric, clock_number
            order by spell_number rows between unbounded preceding and current row
        ) as has_schedules

    from timed

    window before as (
        partition by ticket_id, sla_metric, clock_number
        order by spell_number rows between unbounded preceding and 1 preceding
    )

),

-- what is left of the target when the spell begins; a promise counts from when it was made
left_over as (

    select
        {%- for base in bases %}
        {%- set target = 'start_target_seconds' if base == 'start' else 'target_seconds' %}
        {%- set business = 'start_is_business = 1' if base == 'start' else 'is_business' %}
        case
            when state in ('running', 'paused') and place >= first_place
                then {{ target }} - case when {{ business }} then open_before_seconds else calendar_before_seconds end
        end as {{ base }}_left_seconds,
        case when {{ business }} and is_scheduled then schedule_id end as {{ base }}_schedule_id,
        {%- endfor %}
        *

    from counted

),

-- a clock at rest uses nothing up, but a promise made then may have been used up before it was made
counting as (

    select
        {%- for base in bases %}
        case when state = 'running' or {{ base }}_left_seconds < 0 then {{ base }}_left_seconds end
            as {{ base }}_due_left_seconds,
        {%- endfor %}
        *

    from left_over

),

-- due when it is used up; overdue in the first second beyond
placed as (

    select
        {%- for base in bases %}
        {{ base }}_due_left_seconds + 1 as {{ base }}_overdue_left_seconds,
        start_position + {{ base }}_due_left_seconds as {{ base }}_due_position,
        start_position + {{ base }}_due_left_seconds + 1 as {{ base }}_overdue_position,
        {%- endfor %}
        *

    from counting

)

select
    spells.ticket_id || '-' || spells.sla_metric || '-' || spells.clock_number as clock_id,
    cast(spells.spell_number as bigint) as spell_number,
    spells.ticket_id,
    tickets.source,
    spells.sla_metric,
    cast(spells.clock_number as bigint) as clock_number,
    spells.state,
    spells.ended_by,
    spells.place >= spells.first_place as is_applied,
    spells.schedule_id,
    spells.clock_started_at,
    spells.started_at,
    spells.ended_at,
    spells.start_policy_version_id,
    spells.start_priority,
    spells.start_target_seconds,
    spells.start_is_business = 1 as is_start_business,
    spells.policy_version_id as current_policy_version_id,
    spells.priority as current_priority,
    spells.target_seconds as current_target_seconds,
    spells.is_business as is_current_business,
    spells.calendar_before_seconds,
    spells.open_before_seconds,
    cast(spells.calendar_seconds as bigint) as calendar_seconds,
    cast(spells.business_seconds as bigint) as business_seconds,
    {%- for base in bases %}
    {%- for moment in [base ~ '_due', base ~ '_overdue'] %}
    case
        when spells.{{ moment }}_left_seconds <= 0 then spells.started_at
        when spells.{{ base }}_schedule_id is not null
            then {{ kf_business_due(moment, 'spells.' ~ moment ~ '_position') }}
        else {{ kf_add_seconds('spells.started_at', 'spells.' ~ moment ~ '_left_seconds') }}
    end as {{ moment }}_at,
    {%- endfor %}
    {%- endfor %}
    spells.has_schedules = 1 as has_schedule

from placed as spells
inner join tickets on spells.ticket_id = tickets.ticket_id
{%- for base in bases %}
{%- for moment in [base ~ '_due', base ~ '_overdue'] %}
{%- set schedule_id = 'spells.' ~ base ~ '_schedule_id' %}
{{ kf_business_due_join(moment, schedule_id, 'spells.' ~ moment ~ '_position') }}
{%- endfor %}
{%- endfor %}

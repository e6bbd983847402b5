{#- What an agent may be, and what may be planned for them, the more particular first: it holds where two overlap. -#}
{%- set away = ['lunch', 'break', 'meeting', 'training', 'coaching', 'other'] -%}
{%- set states = ['available', 'on_contact', 'wrap'] + away -%}
{%- set activities = ['absence', 'lunch', 'break', 'meeting', 'training', 'coaching', 'other', 'on_queue'] -%}
{%- set days = ['agent_day_id', 'last_agent_day_id'] -%}
{%- set whats = states + ['contact'] -%}
{%- for activity in activities -%}
{%- do whats.extend(['plan_' ~ activity, 'paid_' ~ activity]) -%}
{%- endfor -%}
{%- set turns, counts, signs = [], [], [] -%}
{%- for state in states -%}{%- do signs.append('running.' ~ state ~ '_count > 0') -%}{%- endfor -%}
{%- for what in whats -%}
{%- do turns.append(kf_sum("case when what = '" ~ what ~ "' then turn end") ~ ' as ' ~ what ~ '_turns') -%}
{%- do counts.append('cast(sum(' ~ what ~ '_turns) over so_far as bigint) as ' ~ what ~ '_count') -%}
{%- endfor -%}
-- What agents did and were to do, in sums of 15 minutes: finer no reader sees it. Every instant at which anything
-- about an agent changes cuts the agent's day; what holds between two cuts is counted once, however many contacts
-- there are at a time (E15). A contact outside the spells on record does not count: nobody knows what the agent was
-- before it. A leg is handled where it began.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

-- an agent-day sees everything that touches it; what lies outside the day goes in the end
spell_days as (

    {% for day in days -%}
    select
        states.{{ day }}{{ ' as agent_day_id' if not loop.first }},
        states.agent_id,
        states.source,
        states.team_id,
        states.state as what,
        states.is_stuck and {{ 'true' if loop.first else 'false' }} as is_stuck,
        0 as legs,
        states.started_at,
        states.counted_to_at as ended_at
    from {{ ref('canonical_agent_state_intervals') }} as states
    cross join build
    where
        states.state <> 'offline'
        and states.ended_at <= build.as_of_at
        and {{ kf_touched('agent_day', 'states.' ~ day) }}
        {{ 'and states.last_agent_day_id <> states.agent_day_id' if not loop.first }}

    union all

    select
        legs.{{ day }}{{ ' as agent_day_id' if not loop.first }},
        legs.agent_id,
        legs.source,
        legs.team_id,
        'contact' as what,
        legs.is_stuck and {{ 'true' if loop.first else 'false' }} as is_stuck,
        case when legs.kind = 'contact' then 1 else 0 end as legs,
        legs.started_at,
        legs.ended_at
    from {{ ref('canonical_handling_intervals') }} as legs
    cross join build
    where
        legs.ended_at <= build.as_of_at
        and {{ kf_touched('agent_day', 'legs.' ~ day) }}
        {{ 'and legs.last_agent_day_id <> legs.agent_day_id' if not loop.first }}

    {{ 'union all' if not loop.last }}

    {% endfor %}
),

known as (

    select
        agent_day_id,
        max(ended_at) as known_to_at,
        min(case when what <> 'contact' then source end) as source,
        min(case when what <> 'contact' then nullif(team_id, 'none') end) as team_id,
        min(case when what = 'contact' then nullif(team_id, 'none') end) as contact_team_id

    from spell_days

    group by agent_day_id

),

plan_days as (

    {% for day in days -%}
    select
        schedules.{{ day }}{{ ' as agent_day_id' if not loop.first }},
        schedules.agent_id,
        schedules.source,
        schedules.team_id,
        schedules.activity,
        schedules.is_paid,
        schedules.settled_at <= build.as_of_at as is_settled,
        schedules.started_at,
        schedules.ended_at
    from {{ ref('canonical_agent_schedules') }} as schedules
    cross join build
    where
        not schedules.is_cancelled
        and schedules.published_at <= build.as_of_at
        and (schedules.superseded_at is null or schedules.superseded_at > build.as_of_at)
        and schedules.ended_at > schedules.started_at
        and {{ kf_touched('agent_day', 'schedules.' ~ day) }}
        {{ 'and schedules.last_agent_day_id <> schedules.agent_day_id' if not loop.first }}

    {{ 'union all' if not loop.last }}

    {% endfor %}
),

-- the plan counts as far as it is known what came of it; half a day later nothing more is awaited
due as (

    select
        plan_days.agent_day_id,
        plan_days.agent_id,
        plan_days.source,
        plan_days.team_id,
        plan_days.activity,
        plan_days.is_paid,
        plan_days.started_at,
        case
            when plan_days.is_settled then plan_days.ended_at
            else least(plan_days.ended_at, known.known_to_at)
        end as ended_at

    from plan_days
    left join known on plan_days.agent_day_id = known.agent_day_id

    where plan_days.is_settled or known.known_to_at > plan_days.started_at

),

agent_days as (

    select
        listed.agent_day_id,
        min(listed.agent_id) as agent_id,
        min(listed.started_at) as first_at,
        max(listed.ended_at) as last_at,
        min(nullif(listed.team_id, 'none')) as planned_team_id,
        min(listed.planned_source) as planned_source

    from (
        select
            agent_day_id,
            agent_id,
            started_at,
            ended_at,
            cast(null as {{ kf_text() }}) as team_id,
            cast(null as {{ kf_text() }}) as planned_source
        from spell_days
        union all
        select
            agent_day_id,
            agent_id,
            started_at,
            ended_at,
            team_id,
            source as planned_source
        from due
    ) as listed

    group by listed.agent_day_id

),

digits as (

    {% for digit in range(16) -%}
    select {{ digit }} as digit
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

borders as (

    select
        agent_days.agent_day_id,
        {{ kf_add_seconds(
            "timestamp '1970-01-01 00:00:00'",
            '(' ~ kf_idiv(kf_epoch('agent_days.first_at'), 900) ~ ' + 16 * tens.digit + ones.digit) * 900'
        ) }} as cut_at

    from agent_days
    cross join digits as tens
    cross join digits as ones

    where
        (16 * tens.digit + ones.digit) * 900
        <= {{ kf_epoch('agent_days.last_at') }} - {{ kf_epoch('agent_days.first_at') }} + 900

),

-- what begins and what ends, and when
turns as (

    select
        agent_day_id,
        started_at as cut_at,
        what,
        1 as turn,
        legs
    from spell_days

    union all

    select
        agent_day_id,
        ended_at as cut_at,
        what,
        -1 as turn,
        0 as legs
    from spell_days

    union all

    select
        agent_day_id,
        started_at as cut_at,
        'plan_' || activity as what,
        1 as turn,
        0 as legs
    from due

    union all

    select
        agent_day_id,
        ended_at as cut_at,
        'plan_' || activity as what,
        -1 as turn,
        0 as legs
    from due

    union all

    select
        agent_day_id,
        started_at as cut_at,
        'paid_' || activity as what,
        1 as turn,
        0 as legs
    from due
    where is_paid

    union all

    select
        agent_day_id,
        ended_at as cut_at,
        'paid_' || activity as what,
        -1 as turn,
        0 as legs
    from due
    where is_paid

    union all

    select
        agent_day_id,
        cut_at,
        'border' as what,
        0 as turn,
        0 as legs
    from borders

),

cuts as (

    select
        agent_day_id,
        cut_at,
        {{ kf_sum('legs') }} as legs,
        {{ turns | join(',\n        ') }}

    from turns

    group by agent_day_id, cut_at

),

running as (

    select
        agent_day_id,
        cut_at,
        lead(cut_at) over (partition by agent_day_id order by cut_at nulls last) as next_at,
        legs,
        {{ counts | join(',\n        ') }}

    from cuts

    window so_far as (
        partition by agent_day_id order by cut_at nulls last rows between unbounded preceding and current row
    )

),

stretches as (

    select
        running.agent_day_id,
        running.cut_at,
        {{ kf_seconds_between('running.cut_at', 'running.next_at') }} as seconds,
        {{ kf_local_date('running.cut_at') }} as service_date,
        running.contact_count,
        running.legs,
        running.contact_count > 0 or running.on_contact_count > 0 or running.wrap_count > 0 as was_handling,
        {{ signs | join(' or\n        ') }}
            as was_signed_in,
        running.available_count > 0 as was_available,
        case
            {%- for state in away %}
            when running.{{ state }}_count > 0 then '{{ state }}'
            {%- endfor %}
        end as away_state,
        case
            {%- for activity in activities %}
            when running.plan_{{ activity }}_count > 0 then '{{ activity }}'
            {%- endfor %}
        end as planned,
        case
            {%- for activity in activities %}
            when running.plan_{{ activity }}_count > 0 then running.paid_{{ activity }}_count > 0
            {%- endfor %}
            else false
        end as was_paid

    from running
    cross join build

    where running.next_at is not null

),

-- midnight of every zone is a border: a stretch lies in one day
inside as (

    select stretches.*

    from stretches
    inner join agent_days on stretches.agent_day_id = agent_days.agent_day_id

    where agent_days.agent_id || ' ' || cast(stretches.service_date as {{ kf_text() }}) = stretches.agent_day_id

),

judged as (

    select
        inside.*,
        was_handling or was_available as was_on_queue,
        case
            when planned is null or planned = 'absence' then false
            when planned = 'on_queue' then not (was_handling or was_available)
            -- a break may be spent signed out
            when planned in ('lunch', 'break')
                then (was_handling or was_available) or coalesce(away_state not in ('lunch', 'break'), false)
            when planned = 'other' then (was_handling or was_available) or not was_signed_in
            else (was_handling or was_available) or not coalesce(away_state = planned, false)
        end as has_deviated

    from inside

    where was_signed_in or planned is not null

),

followed as (

    select
        judged.*,
        case
            when
                has_deviated
                and not coalesce(lag(has_deviated) over by_time, false)
                then 1
            else 0
        end as begins_deviation

    from judged

    window by_time as (partition by judged.agent_day_id order by judged.cut_at nulls last)

),

deviations as (

    select
        followed.*,
        cast(sum(begins_deviation) over (
            partition by agent_day_id order by cut_at nulls last rows between unbounded preceding and current row
        ) as bigint) as deviation_number

    from followed

),

lengths as (

    select
        deviations.*,
        cast(sum(case when has_deviated then seconds end) over (
            partition by agent_day_id, deviation_number
        ) as bigint) as deviation_seconds

    from deviations

),

forgiven as (

    select
        lengths.*,
        lengths.has_deviated and lengths.deviation_seconds > build.adherence_tolerance_seconds as is_exception

    from lengths
    cross join build

),

slots as (

    select
        agent_day_id,
        {{ kf_add_seconds("timestamp '1970-01-01 00:00:00'", kf_idiv(kf_epoch('cut_at'), 900) ~ ' * 900') }}
            as slot_started_at,
        min(service_date) as service_date,
        {{ kf_sum('case when was_signed_in then seconds end') }} as signed_in_seconds,
        {{ kf_sum('case when was_signed_in and was_handling then seconds end') }} as handling_seconds,
        {{ kf_sum('case when was_signed_in and was_available and not was_handling then seconds end') }} as idle_seconds,
        {{ kf_sum('case when was_signed_in then contact_count * seconds end') }} as contact_seconds,
        {{ kf_sum('case when was_signed_in and contact_count > 0 then seconds end') }} as on_contact_seconds,
        {{ kf_sum('case when was_signed_in then legs end') }} as handled_legs,
        {%- for state in away %}
        {{ kf_sum("case when not was_on_queue and away_state = '" ~ state ~ "' then seconds end") }}
            as {{ state }}_seconds,
        {%- endfor %}
        {{ kf_sum("case when planned <> 'absence' then seconds end") }} as scheduled_seconds,
        {{ kf_sum("case when planned <> 'absence' and not is_exception then seconds end") }} as adherent_seconds,
        {{ kf_sum("case when planned = 'on_queue' then seconds end") }} as scheduled_on_queue_seconds,
        {{ kf_sum('case when was_on_queue then seconds end') }} as on_queue_seconds,
        {{ kf_sum('case when planned is not null and was_paid then seconds end') }} as paid_seconds,
        {{ kf_sum("case when planned <> 'on_queue' and was_paid then seconds end") }} as planned_away_seconds,
        {{ kf_sum("case when planned = 'on_queue' and was_paid and not was_on_queue then seconds end") }}
            as unplanned_away_seconds

    from forgiven

    group by agent_day_id, {{ kf_idiv(kf_epoch('cut_at'), 900) }}

),

-- a wrap-up may be told of twice, as a state and as the work after a call: one timer
stuck as (

    select
        agent_day_id,
        {{ kf_idiv(kf_epoch('started_at'), 900) }} as slot,
        count(distinct started_at) as stuck_timers

    from spell_days

    where is_stuck

    group by agent_day_id, {{ kf_idiv(kf_epoch('started_at'), 900) }}

)

select
    slots.agent_day_id,
    agent_days.agent_id,
    coalesce(known.source, agent_days.planned_source) as source,
    coalesce(
        nullif(versions.team_id, 'none'), known.team_id, agent_days.planned_team_id, known.contact_team_id, 'none'
    ) as team_id,
    slots.slot_started_at,
    slots.service_date,
    {%- for measure in [
        'signed_in', 'handling', 'idle', 'contact', 'on_contact', 'lunch', 'break', 'meeting', 'training', 'coaching',
        'other', 'scheduled', 'adherent', 'scheduled_on_queue', 'on_queue', 'paid', 'planned_away', 'unplanned_away'
    ] %}
    slots.{{ measure }}_seconds,
    {%- endfor %}
    slots.handled_legs,
    cast(coalesce(stuck.stuck_timers, 0) as bigint) as stuck_timers

from slots
inner join agent_days on slots.agent_day_id = agent_days.agent_day_id
left join known on slots.agent_day_id = known.agent_day_id
left join {{ ref('canonical_agent_versions') }} as versions
    on
        agent_days.agent_id = versions.agent_id
        and slots.slot_started_at >= versions.valid_from_at
        and slots.slot_started_at < versions.valid_to_at
left join stuck
    on
        slots.agent_day_id = stuck.agent_day_id
        and {{ kf_idiv(kf_epoch('slots.slot_started_at'), 900) }} = stuck.slot

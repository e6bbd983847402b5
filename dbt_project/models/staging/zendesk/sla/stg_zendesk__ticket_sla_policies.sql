-- Which SLA policy a ticket was under after which update. The vendor looks at every update of a ticket: the first
-- policy in order whose conditions the ticket then meets, in the version then in force. A policy with a condition that
-- cannot be answered is left out. Only updates after which it was another one are kept; `none` is none.
{%- set fields = [
    'status', 'priority', 'type', 'group_id', 'assignee_id', 'requester_id', 'organization_id', 'brand_id', 'tags'
] %}
with

versions as (

    select
        policy_version_id,
        place_in_order,
        policy_id,
        valid_from_at,
        valid_to_at

    from {{ ref('stg_zendesk__sla_policies') }}

    where obstacle is null

),

seen as (

    select
        policy_id,
        content,
        recurrence,
        coalesce({{ kf_utc('updated_at') }}, {{ kf_ever() }}) as updated_at

    from {{ source('zendesk', 'sla_policy_versions') }}

),

conditions as (

    select
        {{ zendesk_policy_version('seen') }} as policy_version_id,
        conditions.clause,
        conditions.number,
        conditions.attribute,
        conditions.is_wanted,
        conditions.value

    from {{ source('zendesk', 'sla_policy_conditions') }} as conditions
    inner join seen
        on
            conditions.policy_id = seen.policy_id
            and conditions.content = seen.content

),

-- stretches of time in which the same versions are in force
bounds as (

    select
        source,
        valid_from_at as era_from_at
    from {{ ref('stg_zendesk__sla_policies') }}

    union

    select
        'zendesk' as source,
        {{ kf_ever() }} as era_from_at

),

eras as (

    select
        era_from_at,
        lead(era_from_at, 1, {{ kf_for_ever() }}) over (
            partition by source order by era_from_at nulls last
        ) as era_to_at

    from bounds

),

tickets as (

    select * from {{ source('zendesk', 'tickets') }}

    where
        {{ kf_changed('ticket', 'zendesk', 'id', 'bigint') }}
        and exists (select 1 from {{ source('zendesk', 'sla_policy_versions') }})

),

changes as (

    select
        ticket_id,
        event_id,
        field,
        created_at,
        coalesce(value, '') as value,
        coalesce(previous_value, '') as previous_value,
        -- a rule may set a field again in the update that set it: the last one holds
        row_number() over (partition by event_id, field order by child_number desc) as from_last,
        row_number() over (partition by ticket_id, field order by event_id, child_number) as from_first

    from {{ source('zendesk', 'ticket_events') }}

    where
        {{ kf_changed('ticket', 'zendesk', 'ticket_id', 'bigint') }}
        and exists (select 1 from {{ source('zendesk', 'sla_policy_versions') }})

),

-- beside what an update changed, what a field was before it was first changed
updates as (

    select
        ticket_id,
        event_id,
        {%- for field in fields %}
        min(value) filter (where field = '{{ field }}' and from_last = 1) as {{ field }},
        min(previous_value) filter (where field = '{{ field }}' and from_first = 1) as {{ field }}_before,
        {%- endfor %}
        min(created_at) as created_at

    from changes

    group by ticket_id, event_id

),

spells as (

    select
        {%- for field in fields %}
        count({{ field }}) over so_far as {{ field }}_spell,
        {%- endfor %}
        *

    from updates

    window so_far as (
        partition by ticket_id order by event_id rows between unbounded preceding and current row
    )

),

carried as (

    select
        ticket_id,
        event_id,
        {%- for field in fields %}
        coalesce(
            max({{ field }}) over (partition by ticket_id, {{ field }}_spell),
            max({{ field }}_before) over (partition by ticket_id)
        ) as {{ field }},
        {%- endfor %}
        {{ kf_utc('created_at') }} as occurred_at

    from spells

),

states as (

    select
        carried.ticket_id,
        carried.event_id,
        carried.occurred_at,
        {%- for field in fields if field != 'tags' %}
        {%- set now = 'cast(tickets.' ~ field ~ ' as ' ~ kf_text() ~ ')' %}
        coalesce(carried.{{ field }}, {{ now }}, '') as {{ field }},
        {%- endfor %}
        lower(coalesce(carried.tags, tickets.tags, '')) as tags,
        lower(coalesce(tickets.via_channel, '')) as via

    from carried
    inner join tickets on carried.ticket_id = tickets.id

),

in_era as (

    select
        states.*,
        eras.era_from_at,
        row_number() over (partition by states.ticket_id order by states.event_id) as place,
        {%- for field in fields %}
        lag(states.{{ field }}) over (partition by states.ticket_id order by states.event_id) as {{ field }}_before,
        {%- endfor %}
        lag(eras.era_from_at) over (partition by states.ticket_id order by states.event_id) as era_before_at

    from states
    inner join eras
        on
            states.occurred_at >= eras.era_from_at
            and states.occurred_at < eras.era_to_at

),

-- what may be under another policy than before
asked as (

    select * from in_era

    where
        place = 1
        or era_from_at <> era_before_at
        {%- for field in fields %}
        or {{ field }} <> {{ field }}_before
        {%- endfor %}

),

-- each policy then in force by each of its conditions; one without any is met
answers as (

    select
        asked.ticket_id,
        asked.event_id,
        versions.place_in_order,
        versions.policy_version_id,
        conditions.clause,
        conditions.number,
        conditions.is_wanted,
        max(case
            when conditions.attribute = 'tags'
                then case when split_part(asked.tags, '"' || conditions.value || '"', 2) <> '' then 1 else 0 end
            when conditions.value = case conditions.attribute
                {%- for field in fields if field != 'tags' %}
                when '{{ field }}' then asked.{{ field }}
                {%- endfor %}
                when 'via' then asked.via
            end then 1
            else 0
        end) as is_so

    from asked
    left join versions
        on
            asked.occurred_at >= versions.valid_from_at
            and asked.occurred_at < versions.valid_to_at
    left join conditions on versions.policy_version_id = conditions.policy_version_id

    group by
        asked.ticket_id, asked.event_id, versions.place_in_order, versions.policy_version_id, conditions.clause,
        conditions.number, conditions.is_wanted

),

judged as (

    select
        ticket_id,
        event_id,
        place_in_order,
        policy_version_id,
        min(case when clause = 'all' then case when is_wanted then is_so else 1 - is_so end end) as meets_all,
        max(case when clause = 'any' then case when is_wanted then is_so else 1 - is_so end end) as meets_any

    from answers

    group by ticket_id, event_id, place_in_order, policy_version_id

),

met as (

    select
        ticket_id,
        event_id,
        place_in_order,
        case when coalesce(meets_all, 1) = 1 and coalesce(meets_any, 1) = 1 then policy_version_id end
            as policy_version_id

    from judged

),

-- the first that is met, or none; an event stays whatever it met
ranked as (

    select
        ticket_id,
        event_id,
        coalesce(policy_version_id, 'none') as policy_version_id,
        row_number() over (
            partition by ticket_id, event_id
            order by
                case when policy_version_id is null then 1 else 0 end nulls last,
                place_in_order nulls last,
                policy_version_id nulls last
        ) as choice

    from met

),

applied as (

    select
        ticket_id,
        event_id,
        policy_version_id,
        lag(policy_version_id, 1, 'none') over (partition by ticket_id order by event_id) as policy_version_before

    from ranked

    where {{ kf_first('choice') }}

)

select
    'zendesk-' || ticket_id as ticket_id,
    cast(event_id as bigint) as sequence,
    policy_version_id

from applied

where policy_version_id <> policy_version_before

-- Which SLA policy a ticket was under from which event on. A source with policies of its own says so; elsewhere it is
-- the first policy of kefu.toml whose source, channel, team and priority are the ticket's after the event.
with

tickets as (

    select
        ticket_id,
        source,
        channel

    from {{ ref('canonical_tickets') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

),

sources_with_policies as (

    select distinct source from {{ ref('canonical_sla_policies') }}

    where source <> 'kefu'

),

versions as (

    select * from {{ ref('canonical_sla_policies') }}

    where source = 'kefu'

),

conditions as (

    select * from {{ ref('stg_kefu__sla_conditions') }}

),

spells as (

    select
        events.ticket_id,
        tickets.source,
        tickets.channel,
        events.sequence,
        events.occurred_at,
        events.to_team_id,
        events.to_priority,
        count(events.to_team_id) over so_far as team_spell,
        count(events.to_priority) over so_far as priority_spell

    from {{ ref('canonical_ticket_events') }} as events
    inner join tickets on events.ticket_id = tickets.ticket_id
    left join sources_with_policies on tickets.source = sources_with_policies.source

    where
        sources_with_policies.source is null
        and exists (select 1 from versions)

    window so_far as (
        partition by events.ticket_id order by events.sequence rows between unbounded preceding and current row
    )

),

states as (

    select
        ticket_id,
        source,
        channel,
        sequence,
        occurred_at,
        coalesce(max(to_team_id) over (partition by ticket_id, team_spell), 'none') as team,
        coalesce(max(to_priority) over (partition by ticket_id, priority_spell), 'normal') as priority

    from spells

),

-- a policy is restricted in up to four ways, in each to any of several values; one that is not is met
answers as (

    select
        states.ticket_id,
        states.sequence,
        versions.place_in_order,
        versions.policy_version_id,
        conditions.attribute,
        max(case
            when conditions.attribute is null then 1
            when conditions.value = case conditions.attribute
                when 'source' then states.source
                when 'channel' then states.channel
                when 'team' then states.team
                when 'priority' then states.priority
            end then 1
            else 0
        end) as is_so

    from states
    left join versions
        on
            states.occurred_at >= versions.valid_from_at
            and states.occurred_at < versions.valid_to_at
    left join conditions on versions.policy_version_id = conditions.policy_version_id

    group by
        states.ticket_id, states.sequence, versions.place_in_order, versions.policy_version_id, conditions.attribute

),

met as (

    select
        ticket_id,
        sequence,
        place_in_order,
        case when min(is_so) = 1 then policy_version_id end as policy_version_id

    from answers

    group by ticket_id, sequence, place_in_order, policy_version_id

),

-- the first that is met, or none; an event stays whatever it met
ranked as (

    select
        ticket_id,
        sequence,
        coalesce(policy_version_id, 'none') as policy_version_id,
        row_number() over (
            partition by ticket_id, sequence
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
        sequence,
        policy_version_id,
        lag(policy_version_id, 1, 'none') over (partition by ticket_id order by sequence) as policy_version_before

    from ranked

    where {{ kf_first('choice') }}

)

select
    ticket_id,
    sequence,
    policy_version_id

from applied

where policy_version_id <> policy_version_before

union all

select
    said.ticket_id,
    said.sequence,
    said.policy_version_id

from {{ ref('stg_zendesk__ticket_sla_policies') }} as said
inner join tickets on said.ticket_id = tickets.ticket_id

-- Who an answer is about (E08), under each published rule: one row per answer, rule, agent and team, the weights of an
-- answer under a rule being exactly 1 in all. Teams are those of the event, never those of today.
{#- What a rule goes by, and what instead where there is nothing of it. -#}
{%- set rules = {
    'time_weighted': ['hands', 'acted', 'held', 'claimed'],
    'all_agents_equal': ['acted', 'held', 'claimed'],
    'last_agent': ['acted_last', 'held', 'claimed'],
    'assignee_at_rating': ['held', 'claimed'],
} %}
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

ratings as (

    select *
    from {{ ref('fct_survey_responses') }}
    where is_rating and score is not null and {{ kf_touched('invitation', 'invitation_key') }}

),

-- the life of the ticket up to the answer; an event without an hour left to it has no seconds
events as (

    select
        ratings.response_id,
        events.sequence,
        events.actor_kind,
        events.actor_id,
        events.is_agent_reply,
        events.is_solve,
        events.status,
        events.agent_id,
        events.team_id,
        {{ kf_seconds_between(
            'events.occurred_at', 'coalesce(lead(events.occurred_at) over in_order, ratings.responded_at)'
        ) }} as spell_seconds,
        row_number() over (
            partition by ratings.response_id, events.ticket_id order by events.sequence desc
        ) as from_last

    from ratings
    inner join {{ ref('fct_ticket_events') }} as events
        on
            ratings.ticket_id = events.ticket_id
            and ratings.responded_at >= events.occurred_at

    window in_order as (partition by ratings.response_id, events.ticket_id order by events.sequence)

),

ticketed as (

    select distinct response_id from events

),

-- of a call: its agent legs that had begun, in hand by the clock as tickets are; a rating that names a ticket is about
-- the ticket
legs as (

    select
        ratings.response_id,
        legs.leg_number,
        legs.agent_id,
        legs.team_id,
        legs.elapsed_handle_seconds as handle_seconds,
        row_number() over (
            partition by ratings.response_id order by legs.leg_number desc nulls last, legs.leg_id desc nulls last
        ) as from_last

    from ratings
    inner join {{ ref('fct_elapsed_legs') }} as legs on ratings.interaction_id = legs.interaction_id
    left join ticketed on ratings.response_id = ticketed.response_id

    where
        legs.agent_id is not null
        and coalesce(legs.started_at <= ratings.responded_at, true)
        and ticketed.response_id is null

),

-- seconds in hand: an agent's while the ticket was new or open, for then it was the agent's turn
hands as (

    select
        response_id,
        agent_id,
        team_id,
        cast(sum(spell_seconds) as bigint) as parts

    from events

    where status in ('new', 'open') and agent_id <> 'none' and spell_seconds > 0

    group by response_id, agent_id, team_id

    union all

    select
        response_id,
        agent_id,
        team_id,
        cast(sum(handle_seconds) as bigint) as parts

    from legs

    where handle_seconds > 0

    group by response_id, agent_id, team_id

),

-- who replied to the customer, solved or talked, each with the team of the last time
acts as (

    select
        response_id,
        actor_id as agent_id,
        team_id,
        sequence as place

    from events

    where actor_kind = 'agent' and actor_id is not null and (is_agent_reply or is_solve)

    union

    select
        response_id,
        agent_id,
        team_id,
        leg_number as place

    from legs

),

ranked_acts as (

    select
        *,
        row_number() over (
            partition by response_id, agent_id order by place desc nulls last, team_id asc nulls last
        ) as from_own_last,
        row_number() over (
            partition by response_id order by place desc nulls last, agent_id asc nulls last, team_id asc nulls last
        ) as from_last

    from acts

),

acted as (

    select
        response_id,
        agent_id,
        team_id,
        1 as parts

    from ranked_acts

    where {{ kf_first('from_own_last') }}

),

acted_last as (

    select
        response_id,
        agent_id,
        team_id,
        1 as parts

    from ranked_acts

    where {{ kf_first('from_last') }}

),

-- who had it when it was rated; of a call, who spoke last
held as (

    select
        response_id,
        agent_id,
        team_id,
        1 as parts

    from events

    where {{ kf_first('from_last') }} and (agent_id <> 'none' or team_id <> 'none')

    union all

    select
        response_id,
        agent_id,
        team_id,
        1 as parts

    from legs

    where {{ kf_first('from_last') }}

),

-- what the survey itself says stands where the ledger knows nothing of the contact
claimed as (

    select
        response_id,
        coalesce(agent_id, 'none') as agent_id,
        team_id,
        1 as parts

    from ratings

),

candidates as (
    {%- for credit_rule, choices in rules.items() %}
    {%- set outer = loop %}
    {%- for choice in choices %}
    select
        response_id,
        '{{ credit_rule }}' as credit_rule,
        {{ loop.index }} as choice,
        agent_id,
        team_id,
        parts
    from {{ choice }}
    {{- '\n    union all' if not (loop.last and outer.last) }}
    {%- endfor %}
    {%- endfor %}
),

chosen as (

    select
        *,
        min(choice) over (partition by response_id, credit_rule) as best_choice,
        cast(sum(parts) over (partition by response_id, credit_rule, choice) as bigint) as all_parts

    from candidates

),

-- whole millionths; what rounding down leaves goes to the largest
shared as (

    select
        response_id,
        credit_rule,
        agent_id,
        team_id,
        {{ kf_idiv('parts * 1000000', 'all_parts') }} as millionths,
        row_number() over (
            partition by response_id, credit_rule
            order by parts desc nulls last, agent_id asc nulls last, team_id asc nulls last
        ) as from_largest

    from chosen

    where choice = best_choice

),

completed as (

    select
        *,
        millionths
        + case
            when from_largest = 1
                then 1000000 - cast(sum(millionths) over (partition by response_id, credit_rule) as bigint)
            else 0
        end as weight_millionths

    from shared

),

judged as (

    select
        *,
        cast(
            sum(weight_millionths) over (partition by response_id, credit_rule, agent_id) as bigint
        ) as agent_millionths

    from completed

)

select
    judged.response_id,
    ratings.invitation_key,
    judged.credit_rule,
    judged.agent_id,
    judged.team_id,
    cast(judged.weight_millionths * 0.000001 as decimal(18, 6)) as weight,
    -- E08: half a hand in it is no verdict on a person
    judged.agent_id <> 'none'
    and judged.agent_millionths >= build.survey_credit_share * 1000000 as is_agent_credit,
    ratings.contact_date,
    ratings.service_date

from judged
inner join ratings on judged.response_id = ratings.response_id
cross join build

where judged.weight_millionths > 0

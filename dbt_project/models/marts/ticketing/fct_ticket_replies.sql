-- One row per customer turn: all the customer wrote between two replies of humans. A burst of messages is one turn; its
-- clock starts at the first of them and stops at the next public reply of a human. Robots and notes stop nothing (E14).
-- Where a source's clock went back, what came after something was no earlier than it.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

tickets as (

    select
        ticket_id,
        channel,
        created_by_kind,
        excluded_reason

    from {{ ref('canonical_tickets') }}

    where {{ kf_touched('ticket', 'ticket_id') }}

),

messages as (

    select
        *,
        count(case when is_agent_reply then sequence end) over (
            partition by ticket_id order by sequence rows between unbounded preceding and 1 preceding
        ) as replies_before,
        coalesce(lag(is_agent_reply) over (partition by ticket_id order by sequence), true) as is_after_reply

    from {{ ref('fct_ticket_events') }}

    where (is_customer_comment or is_agent_reply) and {{ kf_touched('ticket', 'ticket_id') }}

),

gathered as (

    select
        ticket_id,
        replies_before,
        min(source) as source,
        min(sequence) as sequence,
        count(*) filter (where is_customer_comment) as messages,
        min(occurred_at) filter (where is_customer_comment) as started_at,
        max(occurred_at) filter (where is_customer_comment) as last_message_at,
        min(occurred_at) filter (where is_agent_reply) as replied_at,
        min(clock_business_seconds) filter (where is_customer_comment) as clock_at_start,
        max(clock_business_seconds) filter (where is_customer_comment) as clock_at_last_message,
        min(clock_business_seconds) filter (where is_agent_reply) as clock_at_reply,
        min(actor_id) filter (where is_agent_reply) as replier_id,
        min(team_id) filter (where is_agent_reply) as reply_team_id,
        min(priority) filter (where is_agent_reply) as reply_priority,
        min(team_id) filter (where is_customer_comment and is_after_reply) as asked_team_id,
        min(priority) filter (where is_customer_comment and is_after_reply) as asked_priority

    from messages

    group by ticket_id, replies_before

    -- a reply that follows another answers nobody
    having count(*) filter (where is_customer_comment) > 0

),

turns as (

    select
        ticket_id,
        replies_before,
        source,
        sequence,
        messages,
        started_at,
        last_message_at,
        case when replied_at is not null then greatest(replied_at, last_message_at) end as replied_at,
        clock_at_start,
        clock_at_last_message,
        case when clock_at_reply is not null then greatest(clock_at_reply, clock_at_last_message) end as clock_at_reply,
        replier_id,
        coalesce(reply_team_id, asked_team_id) as team_id,
        coalesce(reply_priority, asked_priority) as priority

    from gathered

)

select
    turns.ticket_id,
    turns.source,
    turns.sequence,
    tickets.channel,
    turns.team_id,
    turns.priority,
    turns.replier_id,
    tickets.excluded_reason is not null as is_excluded,
    turns.replies_before = 0 and tickets.created_by_kind <> 'agent' as is_first_reply,
    turns.messages,
    turns.started_at,
    turns.last_message_at,
    turns.replied_at,
    {{ kf_local_date('turns.replied_at') }} as reply_date,
    {{ kf_seconds_between('turns.started_at', 'turns.replied_at') }} as reply_seconds,
    turns.clock_at_reply - turns.clock_at_start as reply_business_seconds,
    {{ kf_seconds_between('turns.last_message_at', 'turns.replied_at') }} as since_last_message_seconds,
    turns.clock_at_reply - turns.clock_at_last_message as since_last_message_business_seconds

from turns
inner join tickets on turns.ticket_id = tickets.ticket_id
cross join build

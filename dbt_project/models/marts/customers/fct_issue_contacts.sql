-- One row per contact of a known customer, and the issue it is about. What refers to each other is one group, whoever
-- called: a ticket opened for a call, merged into another, following one up. Groups of one customer and team become one
-- issue where one begins before the window of those before it is over (E20, E23).
-- depends_on: {{ ref('fct_survey_responses') }}
-- (an answer that changed puts the contact it is about on the worklist, and with it the customer)
with

build as (

    select
        fcr_window_days,
        fcr_window_days_mail,
        issue_match_confidence,
        cast(0.80 as decimal(18, 2)) as team_confidence,
        cast(0.40 as decimal(18, 2)) as customer_confidence

    from {{ ref('stg_kefu__build') }}

),

-- E10: merged tickets are contacts of the surviving one; those deleted, spam or test are nobody's
all_tickets {{ kf_as_inlined() }} (

    select * from {{ ref('fct_tickets') }}
    where excluded_reason is null or excluded_reason = 'merged'

),

all_calls {{ kf_as_inlined() }} (

    select * from {{ ref('fct_contacts') }}
    where direction <> 'internal'

),

{% if kf_is_full() -%}
listed_tickets as (

    select ticket_id from all_tickets

),

listed_calls as (

    select interaction_id from all_calls

),
{%- else -%}
own_tickets as (

    select ticket_id from all_tickets
    where {{ kf_touched('customer', 'customer_id') }}

),

next_tickets as (

    select ticket_id from own_tickets
    union
    select all_tickets.ticket_id
    from own_tickets
    inner join all_tickets on own_tickets.ticket_id = all_tickets.related_ticket_id

),

listed_tickets as (

    select ticket_id from next_tickets
    union
    select all_tickets.ticket_id
    from next_tickets
    inner join all_tickets on next_tickets.ticket_id = all_tickets.related_ticket_id

),

listed_calls as (

    select interaction_id from all_calls
    where {{ kf_touched('customer', 'customer_id') }}
    union
    select all_calls.interaction_id
    from listed_tickets
    inner join all_tickets on listed_tickets.ticket_id = all_tickets.ticket_id
    inner join all_calls on all_tickets.call_reference = all_calls.call_reference

),
{%- endif %}

-- the ticket opened for a call: while it lasted, or within a day
noted as (

    select
        all_calls.interaction_id,
        min(all_tickets.ticket_id) as ticket_id

    from listed_calls
    inner join all_calls on listed_calls.interaction_id = all_calls.interaction_id
    inner join all_tickets on all_calls.call_reference = all_tickets.call_reference

    where {{ kf_seconds_between('all_calls.started_at', 'all_tickets.created_at') }} between 0 and 86400

    group by all_calls.interaction_id

),

-- two steps along references: a call, its ticket, what that was merged into
tickets as (

    select
        'ticket-' || all_tickets.ticket_id as contact_id,
        cast(null as {{ kf_text() }}) as interaction_id,
        all_tickets.ticket_id,
        'ticket-' || coalesce(grandparents.ticket_id, parents.ticket_id, all_tickets.ticket_id) as group_id,
        case
            when grandparents.ticket_id is not null then grandparents.customer_id
            when parents.ticket_id is not null then parents.customer_id
            else all_tickets.customer_id
        end as group_customer_id,
        case
            when grandparents.ticket_id is not null then grandparents.team_id
            when parents.ticket_id is not null then parents.team_id
            else all_tickets.team_id
        end as group_team_id,
        all_tickets.customer_id as contact_customer_id,
        all_tickets.customer_confidence,
        all_tickets.source,
        all_tickets.channel,
        'none' as queue_id,
        all_tickets.team_id,
        all_tickets.created_by_kind <> 'agent' as is_contact,
        all_tickets.agent_replies > 0 or not all_tickets.has_reply_record as is_human,
        all_tickets.reassignments > 0 as was_transferred,
        all_tickets.was_reopened_in_window as was_reopened,
        all_tickets.last_solved_at is null and all_tickets.excluded_reason is null as is_open,
        all_tickets.last_solved_at is not null as is_solved,
        all_tickets.created_at as started_at,
        case
            when all_tickets.excluded_reason is not null
                then coalesce(all_tickets.last_solved_at, all_tickets.created_at)
            else all_tickets.last_solved_at
        end as ended_at

    from listed_tickets
    inner join all_tickets on listed_tickets.ticket_id = all_tickets.ticket_id
    left join all_tickets as parents on all_tickets.related_ticket_id = parents.ticket_id
    left join all_tickets as grandparents on parents.related_ticket_id = grandparents.ticket_id

),

calls as (

    select
        'call-' || all_calls.interaction_id as contact_id,
        all_calls.interaction_id,
        cast(null as {{ kf_text() }}) as ticket_id,
        case
            when notes.ticket_id is null then 'call-' || all_calls.interaction_id
            else 'ticket-' || coalesce(parents.ticket_id, notes.ticket_id)
        end as group_id,
        case
            when parents.ticket_id is not null then parents.customer_id
            when notes.ticket_id is not null then notes.customer_id
            else all_calls.customer_id
        end as group_customer_id,
        case
            when parents.ticket_id is not null then parents.team_id
            when notes.ticket_id is not null then notes.team_id
            else all_calls.first_team_id
        end as group_team_id,
        all_calls.customer_id as contact_customer_id,
        all_calls.customer_confidence,
        all_calls.source,
        all_calls.channel,
        all_calls.queue_id,
        all_calls.first_team_id as team_id,
        all_calls.direction = 'inbound' as is_contact,
        all_calls.is_answered as is_human,
        all_calls.transfers > 0 as was_transferred,
        false as was_reopened,
        false as is_open,
        false as is_solved,
        all_calls.started_at,
        coalesce(all_calls.ended_at, all_calls.started_at) as ended_at

    from listed_calls
    inner join all_calls on listed_calls.interaction_id = all_calls.interaction_id
    left join noted on all_calls.interaction_id = noted.interaction_id
    left join all_tickets as notes on noted.ticket_id = notes.ticket_id
    left join all_tickets as parents on notes.related_ticket_id = parents.ticket_id

),

stacked {{ kf_as_made_once() }} (

    select * from tickets
    union all
    select * from calls

),

contacts as (

    select
        stacked.*,
        coalesce(stacked.group_customer_id, stacked.contact_customer_id) as customer_id,
        case
            when stacked.ended_at is null then {{ kf_for_ever() }}
            when stacked.channel in ('email', 'web', 'letter')
                then {{ kf_add_seconds('stacked.ended_at', 'build.fcr_window_days_mail * 86400') }}
            else {{ kf_add_seconds('stacked.ended_at', 'build.fcr_window_days * 86400') }}
        end as window_ends_at

    from stacked
    cross join build

    where
        coalesce(stacked.group_customer_id, stacked.contact_customer_id) is not null
        and {{ kf_touched('customer', 'coalesce(stacked.group_customer_id, stacked.contact_customer_id)') }}

),

-- what the parameter lets through makes contacts of one matter: the customer, the team, or only the reference
groups as (

    select
        contacts.customer_id,
        contacts.group_id,
        case
            when max(contacts.customer_confidence) < min(build.issue_match_confidence) then contacts.group_id
            when min(build.customer_confidence) >= min(build.issue_match_confidence) then 'any'
            when
                min(build.team_confidence) >= min(build.issue_match_confidence)
                and min(contacts.group_team_id) <> 'none'
                then min(contacts.group_team_id)
            else contacts.group_id
        end as matter,
        min(contacts.started_at) as first_at,
        max(contacts.window_ends_at) as window_ends_at

    from contacts
    cross join build

    group by contacts.customer_id, contacts.group_id

),

reached as (

    select
        customer_id,
        group_id,
        matter,
        first_at,
        max(window_ends_at) over (
            partition by customer_id, matter order by first_at nulls last, group_id nulls last
            rows between unbounded preceding and 1 preceding
        ) as reached_at

    from groups

),

numbered as (

    select
        customer_id,
        group_id,
        matter,
        cast(sum(case when first_at <= reached_at then 0 else 1 end) over (
            partition by customer_id, matter order by first_at nulls last, group_id nulls last
            rows between unbounded preceding and current row
        ) as bigint) as number

    from reached

),

placed as (

    select
        contacts.*,
        numbered.matter,
        numbered.number,
        row_number() over (
            partition by contacts.customer_id, numbered.matter, numbered.number
            order by
                case when contacts.is_contact then 0 else 1 end nulls last,
                contacts.started_at nulls last,
                contacts.contact_id nulls last
        ) as place

    from contacts
    inner join numbered
        on
            contacts.customer_id = numbered.customer_id
            and contacts.group_id = numbered.group_id

),

-- the first contact of an issue, told to all of them
begun as (

    select
        placed.*,
        max(case when placed.place = 1 then placed.contact_id end) over issue as first_contact_id,
        max(case when placed.place = 1 then placed.group_id end) over issue as first_group_id,
        max(case when placed.place = 1 then placed.group_team_id end) over issue as first_group_team_id,
        max(case when placed.place = 1 and placed.is_contact then 1 else 0 end) over issue as is_begun

    from placed

    window issue as (partition by placed.customer_id, placed.matter, placed.number)

)

select
    begun.contact_id,
    'issue-' || begun.first_contact_id as issue_id,
    begun.customer_id,
    begun.contact_customer_id,
    begun.interaction_id,
    begun.ticket_id,
    begun.group_id,
    begun.source,
    begun.channel,
    begun.queue_id,
    begun.team_id,
    case
        when begun.contact_id = begun.first_contact_id then 'first'
        when begun.group_id = begun.first_group_id then 'reference'
        when begun.group_team_id = begun.first_group_team_id and begun.group_team_id <> 'none' then 'team'
        else 'customer'
    end as link,
    case
        when begun.contact_id = begun.first_contact_id or begun.group_id = begun.first_group_id
            then cast(1.00 as decimal(18, 2))
        when begun.group_team_id = begun.first_group_team_id and begun.group_team_id <> 'none'
            then least(build.team_confidence, begun.customer_confidence)
        else least(build.customer_confidence, begun.customer_confidence)
    end as confidence,
    begun.is_contact,
    begun.is_human,
    begun.was_transferred,
    begun.was_reopened,
    begun.is_open,
    begun.is_solved,
    begun.started_at,
    begun.ended_at,
    begun.window_ends_at

from begun
cross join build

-- what no customer began is no issue
where begun.is_begun = 1

-- One row per issue: a matter of one customer over all channels. What it says is provisional until its window is over.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

contacts as (

    select
        contacts.*,
        case when is_contact then 0 else 1 end as kind_order,
        -- calling back is part of the contact that asked for it
        min(case when is_human then started_at end) over (partition by issue_id) as first_human_at,
        min(case when is_human then ended_at end) over (partition by issue_id) as first_human_ended_at

    from {{ ref('fct_issue_contacts') }} as contacts

    where {{ kf_touched('customer', 'contacts.customer_id') }}

),

ranked as (

    select
        contacts.*,
        row_number() over (
            partition by issue_id order by kind_order nulls last, started_at nulls last, contact_id nulls last
        ) as place

    from contacts

),

summed as (

    select
        issue_id,
        min(customer_id) as customer_id,
        min(source) filter (where place = 1) as source,
        min(channel) filter (where place = 1) as channel,
        min(queue_id) filter (where place = 1) as queue_id,
        min(team_id) filter (where place = 1) as team_id,
        min(started_at) filter (where place = 1) as first_contact_at,
        max(case when is_contact then started_at end) as last_contact_at,
        count(*) filter (where is_contact) as contacts,
        greatest(
            count(*) filter (where is_contact and is_human),
            max(case when is_human then 1 else 0 end)
        ) as human_contacts,
        count(*) filter (where is_contact and not is_human and started_at >= first_human_at) as later_contacts,
        count(*) filter (
            where is_contact and not is_human and started_at >= first_human_at
            and coalesce({{ kf_seconds_between('first_human_ended_at', 'started_at') }} <= 7 * 86400, true)
        ) as later_contacts_in_seven_days,
        count(distinct case when is_contact then channel end) as channels,
        count(ticket_id) as tickets,
        bool_or(was_transferred) as was_transferred,
        bool_or(was_reopened) as was_reopened,
        bool_or(is_open) as has_open_ticket,
        bool_or(is_solved) as has_solved_ticket,
        min(confidence) as confidence,
        max(window_ends_at) as window_ends_at

    from ranked

    group by issue_id

),

-- what customers say of it: the last answer to whether it was solved the first time
asked as (

    {%- for key in ['ticket_id', 'interaction_id'] %}
    select
        contacts.issue_id,
        responses.response_id,
        responses.responded_at,
        responses.box
    from contacts
    inner join {{ ref('fct_survey_responses') }} as responses on contacts.{{ key }} = responses.{{ key }}
    where responses.metric = 'fcr' and responses.is_counted
    {{ 'union' if not loop.last }}
    {%- endfor %}

),

answered as (

    select
        issue_id,
        box = 'top' as is_confirmed,
        row_number() over (
            partition by issue_id order by responded_at desc nulls last, response_id desc nulls last
        ) as from_last

    from asked

),

judged as (

    select
        summed.*,
        answered.is_confirmed,
        not summed.has_open_ticket and (summed.has_solved_ticket or summed.human_contacts > 0) as is_resolved,
        summed.human_contacts = 1 and summed.later_contacts = 0 and not summed.was_reopened as is_settled_at_once,
        summed.human_contacts = 1
        and summed.later_contacts_in_seven_days = 0
        and not summed.was_reopened as is_settled_for_seven_days,
        case
            when summed.channel in ('email', 'web', 'letter')
                then {{ kf_add_seconds('summed.first_contact_at', 'build.fcr_window_days_mail * 86400') }}
            else {{ kf_add_seconds('summed.first_contact_at', 'build.fcr_window_days * 86400') }}
        end as resolution_due_at,
        build.as_of_at,
        {{ kf_local_date('summed.first_contact_at') }} as opened_date

    from summed
    cross join build
    left join answered
        on
            summed.issue_id = answered.issue_id
            and {{ kf_first('answered.from_last') }}

)

select
    issue_id,
    customer_id,
    source,
    channel,
    queue_id,
    team_id,
    first_contact_at,
    last_contact_at,
    contacts,
    cast(human_contacts as bigint) as human_contacts,
    channels,
    tickets,
    confidence,
    was_transferred,
    was_reopened,
    is_resolved,
    -- E23: until then a repeat may still come
    window_ends_at <= as_of_at as is_final,
    resolution_due_at <= as_of_at as is_due,
    is_resolved and is_settled_at_once as is_fcr,
    is_resolved and is_settled_for_seven_days as is_fcr_in_seven_days,
    is_resolved and contacts = 1 as is_fcr_by_contacts,
    is_resolved and is_settled_at_once and not was_transferred as is_fcr_without_transfer,
    is_confirmed,
    channel in ('voice', 'chat', 'messaging', 'in_person') as is_live,
    case when window_ends_at < {{ kf_for_ever() }} then window_ends_at end as window_ends_at,
    resolution_due_at,
    opened_date

from judged

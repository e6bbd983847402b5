-- An issue is booked on the reporting day of its first contact, to the team the customer first asked for; a contact,
-- known customer or not, on its own. Additive parts only.
{%- set of_issues = [
    'issues', 'contacts', 'repeat_contacts', 'switched_issues', 'due_issues', 'resolved_issues', 'fcr_issues',
    'fcr_met', 'fcr_met_in_seven_days', 'fcr_met_by_contacts', 'fcr_live_issues', 'fcr_live_met', 'provisional_issues',
    'fcr_agreed_met', 'fcr_unconfirmed', 'fcr_confirmed_only', 'fcr_agreed_missed'
] %}
{%- set of_contacts = ['linkable_contacts', 'linked_contacts', 'voiced_contacts'] %}
with

issues as (

    select
        opened_date as service_date,
        source,
        channel,
        team_id,
        queue_id,
        count(*) as issues,
        {{ kf_sum('contacts') }} as contacts,
        {{ kf_sum_squares('contacts') }} as contacts_squares,
        {{ kf_sum('contacts - 1') }} as repeat_contacts,
        {{ kf_count_if('channels > 1') }} as switched_issues,
        {{ kf_count_if('is_due') }} as due_issues,
        {{ kf_count_if('is_due and is_resolved') }} as resolved_issues,
        {{ kf_count_if('is_final and is_resolved') }} as fcr_issues,
        {{ kf_count_if('is_final and is_fcr') }} as fcr_met,
        {{ kf_count_if('is_final and is_fcr_in_seven_days') }} as fcr_met_in_seven_days,
        {{ kf_count_if('is_final and is_fcr_by_contacts') }} as fcr_met_by_contacts,
        {{ kf_count_if('is_final and is_resolved and is_live') }} as fcr_live_issues,
        {{ kf_count_if('is_final and is_fcr_without_transfer and is_live') }} as fcr_live_met,
        {{ kf_count_if('not is_final') }} as provisional_issues,
        {{ kf_count_if('is_final and is_resolved and is_fcr and is_confirmed') }} as fcr_agreed_met,
        {{ kf_count_if('is_final and is_resolved and is_fcr and not is_confirmed') }} as fcr_unconfirmed,
        {{ kf_count_if('is_final and is_resolved and not is_fcr and is_confirmed') }} as fcr_confirmed_only,
        {{ kf_count_if('is_final and is_resolved and not is_fcr and not is_confirmed') }} as fcr_agreed_missed

    from {{ ref('fct_issues') }}

    where {{ kf_touched('issue_day', 'opened_date', 'date') }}

    group by 1, 2, 3, 4, 5

),

-- whatever a customer said of a contact, whether or not a KPI of satisfaction counts it
voices as (

    {%- for kind, day in {'ticket': 'ticket_date', 'interaction': 'interaction_date'}.items() %}
    select '{{ kind }}-' || {{ kind }}_id as voiced_id
    from {{ ref('fct_survey_responses') }}
    where answer is not null and {{ kind }}_id is not null and {{ kf_touched('issue_day', day, 'date') }}

    union

    select '{{ kind }}-' || {{ kind }}_id as voiced_id
    from {{ ref('fct_feedback_items') }}
    where {{ kind }}_id is not null and {{ kf_touched('issue_day', day, 'date') }}
    {{ 'union' if not loop.last }}
    {%- endfor %}

),

contacts as (

    select
        'interaction-' || interaction_id as contact_id,
        service_date,
        source,
        channel,
        first_team_id as team_id,
        queue_id,
        customer_id
    from {{ ref('fct_contacts') }}
    where direction = 'inbound' and {{ kf_touched('issue_day', 'service_date', 'date') }}

    union all

    select
        'ticket-' || ticket_id as contact_id,
        created_date as service_date,
        source,
        channel,
        team_id,
        'none' as queue_id,
        customer_id
    from {{ ref('fct_tickets') }}
    where
        (excluded_reason is null or excluded_reason = 'merged')
        and created_by_kind <> 'agent'
        and {{ kf_touched('issue_day', 'created_date', 'date') }}

),

linked as (

    select
        contacts.service_date,
        contacts.source,
        contacts.channel,
        contacts.team_id,
        contacts.queue_id,
        count(*) as linkable_contacts,
        {{ kf_count_if('contacts.customer_id is not null') }} as linked_contacts,
        {{ kf_count_if('voices.voiced_id is not null') }} as voiced_contacts

    from contacts
    left join voices on contacts.contact_id = voices.voiced_id

    group by 1, 2, 3, 4, 5

),

stacked as (

    {%- for booked, own in {'issues': of_issues, 'linked': of_contacts}.items() %}
    select
        service_date,
        source,
        channel,
        team_id,
        queue_id,
        {%- for part in of_issues + of_contacts %}
        {{ part if part in own else '0' }} as {{ part }},
        {%- endfor %}
        {{ 'contacts_squares' if booked == 'issues' else '0' }} as contacts_squares
    from {{ booked }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    service_date,
    source,
    channel,
    team_id,
    queue_id,
    {%- for part in of_issues + of_contacts %}
    cast(sum({{ part }}) as bigint) as {{ part }},
    {%- endfor %}
    cast(sum(contacts_squares) as decimal(38, 0)) as contacts_squares

from stacked

group by 1, 2, 3, 4, 5

-- Raw to ledger: every call, ticket, invitation and submission of an exported file. What could not be read is in the
-- quarantine of its source, with its reason, and never got here.
with

expected as (

    select
        'call' as entity,
        source || '-' || call_id as id
    from {{ source('files', 'calls') }}
    where {{ kf_changed_file('interaction', 'call_id') }}

    union

    select
        'ticket' as entity,
        source || '-' || ticket_id as id
    from {{ source('files', 'tickets') }}
    where {{ kf_changed_file('ticket', 'ticket_id') }}

    union

    select
        'ticket' as entity,
        source || '-' || ticket_id as id
    from {{ source('files', 'ticket_events') }}
    where {{ kf_changed_file('ticket', 'ticket_id') }}

    union

    select
        'invitation' as entity,
        source || '-' || invitation_id as id
    from {{ source('files', 'survey_invitations') }}
    where {{ kf_changed_file('invitation', 'invitation_id') }}

    union

    select
        'submission' as entity,
        source || '-' || response_id as id
    from {{ source('files', 'survey_responses') }}
    where {{ kf_changed_file('submission', 'response_id') }}

),

found as (

    select
        'call' as entity,
        interaction_id as id
    from {{ ref('canonical_interactions') }}

    union all

    select
        'ticket' as entity,
        ticket_id as id
    from {{ ref('canonical_tickets') }}

    union all

    select
        'invitation' as entity,
        invitation_id as id
    from {{ ref('canonical_survey_invitations') }}

    union all

    select distinct
        'submission' as entity,
        submission_id as id
    from {{ ref('canonical_survey_responses') }}

)

select
    expected.entity,
    expected.id

from expected
left join found
    on
        expected.entity = found.entity
        and expected.id = found.id

where found.id is null

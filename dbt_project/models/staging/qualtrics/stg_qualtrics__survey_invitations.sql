-- Whom a survey was sent to. What it follows, calls or something else, its answers tell.
with

invitations as (

    select * from {{ source('qualtrics', 'invitations') }}
    where {{ kf_changed('invitation', 'qualtrics', "distribution_id || '-' || contact_id") }}

),

surveys as (

    select * from {{ ref('stg_qualtrics__traits') }}

)

select
    'qualtrics-' || invitations.distribution_id || '-' || invitations.contact_id as invitation_id,
    'qualtrics' as source,
    'qualtrics-' || invitations.survey_id as survey_id,
    cast(null as {{ kf_text() }}) as identity_id,
    'qualtrics-' || invitations.agent as agent_id,
    'qualtrics-' || invitations.team as source_team_id,
    invitations.ticket_id,
    cast(null as {{ kf_text() }}) as interaction_id,
    case when surveys.follows_calls then 'voice' else 'other' end as channel,
    cast(null as {{ kf_text() }}) as segment,
    case
        when lower(invitations.status) like '%bounce%' then 'bounced'
        when lower(invitations.status) like '%fail%' then 'failed'
        when lower(invitations.status) in ('blocked', 'skipped', 'suppressed', 'optedout') then 'suppressed'
        else 'delivered'
    end as status,
    {{ kf_utc('invitations.sent_at') }} as sent_at

from invitations
left join surveys on invitations.survey_id = surveys.survey_id

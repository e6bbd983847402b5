select
    'qualtrics-' || distribution_id || '-' || contact_id as invitation_id,
    'qualtrics' as source,
    'qualtrics-' || survey_id as survey_id,
    cast(null as text) as customer_id,
    'qualtrics-' || agent as agent_id,
    'qualtrics-' || team as source_team_id,
    ticket_id,
    cast(null as text) as interaction_id,
    'other' as channel,
    cast(null as text) as segment,
    case
        when lower(status) like '%bounce%' then 'bounced'
        when lower(status) like '%fail%' then 'failed'
        when lower(status) like '%suppress%' or lower(status) like '%opt%out%' then 'suppressed'
        else 'delivered'
    end as status,
    {{ kf_utc('sent_at') }} as sent_at

from {{ source('qualtrics', 'invitations') }}

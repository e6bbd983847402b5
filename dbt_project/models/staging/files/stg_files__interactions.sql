with

source as (

    select * from {{ source('files', 'calls') }}
    where {{ kf_changed_file('interaction', 'call_id') }}

)

select
    source || '-' || call_id as interaction_id,
    source,
    {{ canonical_channel("coalesce(channel, 'voice')") }} as channel,
    case lower(coalesce(direction, 'inbound'))
        when 'inbound' then 'inbound'
        when 'outbound' then 'outbound'
        when 'internal' then 'internal'
        else 'unmapped'
    end as direction,
    {{ kf_identity('account', 'customer', 'source') }} as identity_id,
    source || '-' || coalesce(team, queue) as source_team_id,
    case
        when outcome in ('ivr_abandoned', 'self_served', 'failed') then outcome
        when outcome in ('answered', 'abandoned', 'callback_requested', 'voicemail', 'overflowed', 'closed') then null
        else 'unmapped'
    end as unqueued_outcome,
    transfers is not null as has_transfer_record,
    coalesce(transfers, 0) as reported_transfers,
    source || '-' || callback_of as parent_interaction_id,
    {{ kf_utc('started_at') }} as started_at,
    {{ kf_utc('ended_at') }} as ended_at

from source

-- Every score a ticket ever had (E07). A rating record holds the last one only; the ones before are in the ticket's
-- history, where a score that the next one merely repeats is none of its own.
with

source as (

    select * from {{ source('zendesk', 'satisfaction_ratings') }}
    where {{ kf_changed('submission', 'zendesk', 'id', 'bigint') }}

),

tickets as (

    select
        id,
        via_channel

    from {{ source('zendesk', 'tickets') }}

),

rated as (

    select
        *,
        cast(null as bigint) as event_id,
        case when score like 'good%' then 'good' else 'bad' end as verdict

    from source

    where score like 'good%' or score like 'bad%'

),

changed as (

    select
        rated.id,
        events.event_id,
        case when events.value like 'good%' then 'good' else 'bad' end as verdict,
        events.created_at as updated_at

    from rated
    inner join {{ source('zendesk', 'ticket_events') }} as events on rated.ticket_id = events.ticket_id

    where
        events.field in ('satisfaction_score', 'satisfactionrating')
        and (events.value like 'good%' or events.value like 'bad%')
        and events.created_at >= rated.created_at
        and events.created_at < rated.updated_at

),

stacked as (

    select
        id,
        event_id,
        verdict,
        updated_at
    from rated

    union all

    select
        id,
        event_id,
        verdict,
        updated_at
    from changed

),

-- an event may say it in two of its parts
scored as (

    select
        id,
        event_id,
        min(verdict) as verdict,
        min(updated_at) as updated_at

    from stacked

    group by id, event_id

),

followed as (

    select
        *,
        lead(verdict) over (
            partition by id order by updated_at nulls last, event_id nulls last
        ) as next_verdict

    from scored

)

select
    'zendesk-' || followed.id || coalesce('-' || followed.event_id, '') as response_id,
    'zendesk-' || followed.id as submission_id,
    'zendesk' as source,
    'rating' as question_id,
    'zendesk-' || rated.ticket_id as invitation_id,
    'zendesk-ticket-rating' as survey_id,
    'csat' as metric,
    'thumbs' as scale_id,
    cast(case when followed.verdict = 'good' then 1 else 0 end as decimal(18, 6)) as answer,
    {{ kf_identity('account', 'cast(rated.requester_id as ' ~ kf_text() ~ ')', "'zendesk'") }} as identity_id,
    'zendesk-' || rated.assignee_id as agent_id,
    'zendesk-' || rated.group_id as source_team_id,
    'zendesk-' || rated.ticket_id as ticket_id,
    cast(null as {{ kf_text() }}) as interaction_id,
    {{ canonical_channel("coalesce(tickets.via_channel, 'other')") }} as channel,
    cast(null as {{ kf_text() }}) as segment,
    true as is_complete,
    {{ kf_utc('followed.updated_at') }} as responded_at

from followed
inner join rated on followed.id = rated.id
left join tickets on rated.ticket_id = tickets.id

where followed.event_id is null or followed.verdict <> followed.next_verdict

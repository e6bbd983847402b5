-- One row per request to be called back (E02): neither answered nor abandoned. The attempts are contacts of their own;
-- the first one in which the customer was reached ends the wait. Until the promise is over or kept it is open.
with

build as (

    select * from {{ ref('stg_kefu__build') }}

),

requests as (

    select
        contacts.*,
        {{ kf_add_seconds('contacts.queued_at', 'coalesce(contacts.wait_seconds, 0)') }} as requested_at

    from {{ ref('fct_contacts') }} as contacts

    where contacts.outcome = 'callback_requested' and {{ kf_touched('interaction', 'contacts.interaction_id') }}

),

calls as (

    select
        attempts.parent_interaction_id,
        coalesce(attempts.answered_at, attempts.started_at) as connected_at,
        attempts.outcome = 'answered' as is_reached,
        row_number() over (
            partition by attempts.parent_interaction_id
            order by attempts.started_at nulls last, attempts.interaction_id nulls last
        ) as attempt_number

    from {{ ref('canonical_interactions') }} as attempts
    cross join build

    where
        attempts.started_at <= build.as_of_at
        and attempts.parent_interaction_id in (select requests.interaction_id from requests)

),

reached as (

    select
        parent_interaction_id,
        count(*) as attempts,
        min(attempt_number) filter (where is_reached) as reached_at_attempt,
        min(connected_at) filter (where is_reached) as connected_at

    from calls

    group by parent_interaction_id

),

judged as (

    select
        requests.interaction_id,
        requests.source,
        requests.channel,
        requests.queue_id,
        requests.team_id,
        requests.requested_at,
        {{ kf_add_seconds('requests.requested_at', 'build.callback_promise_seconds') }} as promised_at,
        coalesce(reached.attempts, 0) as attempts,
        reached.connected_at,
        {{ kf_seconds_between('requests.requested_at', 'reached.connected_at') }} as wait_seconds,
        reached.reached_at_attempt <= build.callback_attempts as is_reached_in_attempts,
        team_schedules.schedule_id,
        build.as_of_at

    from requests
    cross join build
    left join reached on requests.interaction_id = reached.parent_interaction_id
    left join {{ ref('canonical_team_schedules') }} as team_schedules on requests.team_id = team_schedules.team_id

)

select
    judged.interaction_id,
    judged.source,
    judged.channel,
    judged.queue_id,
    judged.team_id,
    judged.requested_at,
    judged.promised_at,
    judged.attempts,
    judged.connected_at,
    judged.wait_seconds,
    {{ kf_business_seconds('day_of_request', 'judged.requested_at', 'day_of_call', 'judged.connected_at') }}
        as wait_business_seconds,
    coalesce(judged.connected_at <= judged.promised_at and judged.is_reached_in_attempts, false) as is_kept,
    coalesce(judged.connected_at <= judged.promised_at, false) or judged.promised_at <= judged.as_of_at as is_decided,
    {{ kf_local_date('judged.requested_at') }} as service_date,
    {{ kf_hour(kf_local_from_utc('judged.requested_at', 'build.reporting_zone')) }} as service_hour

from judged
cross join build
{{ kf_business_join('day_of_request', 'judged.schedule_id', 'judged.requested_at') }}
{{ kf_business_join('day_of_call', 'judged.schedule_id', 'judged.connected_at') }}

-- Contacts are booked on their arrival, in the queue they first entered; legs on the arrival of their contact, in the
-- queue and team that handled them. Additive parts only: a rate is formed when it is asked for.
with

contacts as (

    select * from {{ ref('fct_contacts') }}
    where is_offered and {{ kf_touched('contact_day', 'service_date', 'date') }}

),

legs as (

    select * from {{ ref('fct_contact_legs') }}
    where
        talk_seconds is not null
        and direction = 'inbound'
        and {{ kf_touched('contact_day', 'service_date', 'date') }}

),

offered as (

    select
        service_date,
        service_hour,
        source,
        channel,
        queue_id,
        team_id,
        cast(count(*) as bigint) as offered,
        {{ kf_count_if('is_answered') }} as answered,
        {{ kf_count_if('is_abandoned and not is_short_abandoned') }} as abandoned,
        {{ kf_count_if('is_short_abandoned') }} as short_abandoned,
        {{ kf_count_if('not is_answered and not is_abandoned') }} as otherwise_ended,
        {{ kf_count_if('is_answered_in_target') }} as answered_in_target,
        {{ kf_count_if('is_answered and not is_answered_in_target') }} as answered_late,
        {{ kf_count_if('is_abandoned and not is_short_abandoned and is_in_target') }} as abandoned_in_target,
        {{ kf_count_if('is_abandoned and not is_short_abandoned and not is_in_target') }} as abandoned_late,
        {{ kf_count_if("outcome = 'callback_requested' and is_in_target") }} as callbacks_in_target,
        {{ kf_count_if("outcome = 'callback_requested' and not is_in_target") }} as callbacks_late,
        {{ kf_count_if("outcome not in ('answered', 'abandoned', 'callback_requested')") }} as left_otherwise,
        {{ kf_count_if('is_answered and wait_seconds is not null') }} as waits_answered,
        {{ kf_sum('case when is_answered then wait_seconds end') }} as wait_answered_seconds,
        {{ kf_sum_squares('case when is_answered then wait_seconds end') }} as wait_answered_squares,
        {{ kf_count_if('is_abandoned and not is_short_abandoned and wait_seconds is not null') }} as waits_abandoned,
        {{ kf_sum('case when is_abandoned and not is_short_abandoned then wait_seconds end') }}
            as wait_abandoned_seconds,
        {{ kf_sum_squares('case when is_abandoned and not is_short_abandoned then wait_seconds end') }}
            as wait_abandoned_squares,
        {{ kf_count_if('is_answered and has_transfer_record') }} as transfer_recorded,
        {{ kf_count_if('is_answered and has_transfer_record and transfers > 0') }} as transferred

    from contacts

    group by 1, 2, 3, 4, 5, 6

),

handled as (

    select
        service_date,
        service_hour,
        source,
        channel,
        queue_id,
        team_id,
        cast(count(*) as bigint) as handled,
        {{ kf_sum('talk_seconds') }} as talk_seconds,
        {{ kf_sum_squares('talk_seconds') }} as talk_squares,
        {{ kf_count_if('wrap_seconds is not null') }} as wrapped,
        {{ kf_sum('wrap_seconds') }} as wrap_seconds,
        {{ kf_sum_squares('wrap_seconds') }} as wrap_squares,
        {{ kf_sum('handle_seconds') }} as handle_seconds,
        {{ kf_sum_squares('handle_seconds') }} as handle_squares

    from legs

    group by 1, 2, 3, 4, 5, 6

)

select
    coalesce(offered.service_date, handled.service_date) as service_date,
    coalesce(offered.service_hour, handled.service_hour) as service_hour,
    coalesce(offered.source, handled.source) as source,
    coalesce(offered.channel, handled.channel) as channel,
    coalesce(offered.queue_id, handled.queue_id) as queue_id,
    coalesce(offered.team_id, handled.team_id) as team_id,
    {%- for part in [
        'offered', 'answered', 'abandoned', 'short_abandoned', 'otherwise_ended', 'answered_in_target', 'answered_late',
        'abandoned_in_target', 'abandoned_late', 'callbacks_in_target', 'callbacks_late', 'left_otherwise',
        'waits_answered', 'wait_answered_seconds', 'wait_answered_squares',
        'waits_abandoned', 'wait_abandoned_seconds', 'wait_abandoned_squares', 'transfer_recorded', 'transferred'
    ] %}
    coalesce(offered.{{ part }}, 0) as {{ part }},
    {%- endfor %}
    {%- for part in [
        'handled', 'talk_seconds', 'talk_squares', 'wrapped', 'wrap_seconds', 'wrap_squares', 'handle_seconds'
    ] %}
    coalesce(handled.{{ part }}, 0) as {{ part }},
    {%- endfor %}
    coalesce(handled.handle_squares, 0) as handle_squares

from offered
full outer join handled
    on
        offered.service_date = handled.service_date
        and offered.service_hour = handled.service_hour
        and offered.source = handled.source
        and offered.channel = handled.channel
        and offered.queue_id = handled.queue_id
        and offered.team_id = handled.team_id

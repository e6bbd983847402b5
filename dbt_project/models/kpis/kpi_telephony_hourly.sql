-- Contacts are booked on their arrival, in the queue they first entered; legs and alerts on the arrival of their
-- contact, in the queue and team that handled them. Additive parts only: a rate is formed when it is asked for. Columns
-- of different grains (E03) never enter one another's rates.
{%- set contact_parts = [
    'offered', 'answered', 'abandoned', 'short_abandoned', 'otherwise_ended', 'answered_in_target', 'answered_late',
    'abandoned_in_target', 'abandoned_late', 'callbacks_in_target', 'callbacks_late', 'left_otherwise',
    'waits_answered', 'wait_answered_seconds', 'wait_answered_squares',
    'waits_abandoned', 'wait_abandoned_seconds', 'wait_abandoned_squares', 'transfer_recorded', 'transferred',
    'touches', 'touches_squares', 'waits', 'human_answered_in_time', 'menu_entries', 'menu_abandoned',
    'arrivals_with_schedule', 'after_hours'
] %}
{%- set leg_parts = [
    'handled', 'talk_seconds', 'talk_squares', 'wrapped', 'wrap_seconds', 'wrap_squares', 'handle_seconds',
    'handle_squares', 'elapsed_handle_seconds', 'elapsed_handle_squares', 'hold_recorded', 'held', 'holds',
    'hold_seconds', 'hold_squares', 'hold_abandoned', 'end_recorded', 'agent_ended'
] %}
{%- set alert_parts = ['alerts', 'alerts_not_answered'] %}
with

contacts as (

    select * from {{ ref('fct_contacts') }}
    where direction = 'inbound' and {{ kf_touched('contact_day', 'service_date', 'date') }}

),

legs as (

    select * from {{ ref('fct_contact_legs') }}
    where
        talk_seconds is not null
        and direction = 'inbound'
        and {{ kf_touched('contact_day', 'service_date', 'date') }}

),

alerts as (

    select * from {{ ref('fct_alerts') }}
    where direction = 'inbound' and {{ kf_touched('contact_day', 'service_date', 'date') }}

),

-- whoever was answered, gave up or asked for a call-back was offered; of the rest only some
arrived as (

    select
        service_date,
        service_hour,
        source,
        channel,
        queue_id,
        team_id,
        {{ kf_count_if('is_offered') }} as offered,
        {{ kf_count_if('is_answered') }} as answered,
        {{ kf_count_if('is_abandoned and not is_short_abandoned') }} as abandoned,
        {{ kf_count_if('is_short_abandoned') }} as short_abandoned,
        {{ kf_count_if('is_offered and not is_answered and not is_abandoned') }} as otherwise_ended,
        {{ kf_count_if('is_answered_in_target') }} as answered_in_target,
        {{ kf_count_if('is_answered and not is_answered_in_target') }} as answered_late,
        {{ kf_count_if('is_abandoned and not is_short_abandoned and is_in_target') }} as abandoned_in_target,
        {{ kf_count_if('is_abandoned and not is_short_abandoned and not is_in_target') }} as abandoned_late,
        {{ kf_count_if("outcome = 'callback_requested' and is_in_target") }} as callbacks_in_target,
        {{ kf_count_if("outcome = 'callback_requested' and not is_in_target") }} as callbacks_late,
        {{ kf_count_if("is_offered and outcome not in ('answered', 'abandoned', 'callback_requested')") }}
            as left_otherwise,
        {{ kf_count_if('is_answered and wait_seconds is not null') }} as waits_answered,
        {{ kf_sum('case when is_answered then wait_seconds end') }} as wait_answered_seconds,
        {{ kf_sum_squares('case when is_answered then wait_seconds end') }} as wait_answered_squares,
        {{ kf_count_if('is_abandoned and not is_short_abandoned and wait_seconds is not null') }} as waits_abandoned,
        {{ kf_sum('case when is_abandoned and not is_short_abandoned then wait_seconds end') }}
            as wait_abandoned_seconds,
        {{ kf_sum_squares('case when is_abandoned and not is_short_abandoned then wait_seconds end') }}
            as wait_abandoned_squares,
        {{ kf_count_if('is_answered and has_transfer_record') }} as transfer_recorded,
        {{ kf_count_if('is_answered and has_transfer_record and transfers > 0') }} as transferred,
        {{ kf_sum('case when is_answered and has_transfer_record then touches end') }} as touches,
        {{ kf_sum_squares('case when is_answered and has_transfer_record then touches end') }}
            as touches_squares,
        {{ kf_count_if('is_offered and wait_seconds is not null') }} as waits,
        max(case when is_offered then wait_seconds end) as longest_wait_seconds,
        {{ kf_count_if('is_human_answered_in_time') }} as human_answered_in_time,
        {{ kf_count_if('was_in_menu') }} as menu_entries,
        {{ kf_count_if('is_menu_abandoned') }} as menu_abandoned,
        {{ kf_count_if('is_after_hours is not null') }} as arrivals_with_schedule,
        {{ kf_count_if('is_after_hours') }} as after_hours,
        max(started_at) as last_at

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
        {{ kf_sum_squares('handle_seconds') }} as handle_squares,
        {{ kf_sum('elapsed_handle_seconds') }} as elapsed_handle_seconds,
        {{ kf_sum_squares('elapsed_handle_seconds') }} as elapsed_handle_squares,
        {{ kf_count_if('hold_seconds is not null') }} as hold_recorded,
        {{ kf_count_if('hold_seconds > 0 or was_abandoned_on_hold') }} as held,
        {{ kf_count_if('hold_seconds > 0 or (hold_seconds is not null and was_abandoned_on_hold)') }} as holds,
        {{ kf_sum('hold_seconds') }} as hold_seconds,
        {{ kf_sum_squares('hold_seconds') }} as hold_squares,
        {{ kf_count_if('was_abandoned_on_hold') }} as hold_abandoned,
        {{ kf_count_if('has_end_record') }} as end_recorded,
        {{ kf_count_if("ended_by = 'agent'") }} as agent_ended

    from legs

    group by 1, 2, 3, 4, 5, 6

),

rung as (

    select
        service_date,
        service_hour,
        source,
        channel,
        queue_id,
        team_id,
        {{ kf_count_if("outcome <> 'cancelled'") }} as alerts,
        {{ kf_count_if("outcome = 'not_answered'") }} as alerts_not_answered

    from alerts

    group by 1, 2, 3, 4, 5, 6

),

stacked as (

    {%- for booked, own in {'arrived': contact_parts, 'handled': leg_parts, 'rung': alert_parts}.items() %}
    select
        service_date,
        service_hour,
        source,
        channel,
        queue_id,
        team_id,
        {%- for part in contact_parts + leg_parts + alert_parts %}
        {{ part if part in own else '0' }} as {{ part }},
        {%- endfor %}
        {{ 'longest_wait_seconds' if booked == 'arrived' else 'cast(null as bigint)' }} as longest_wait_seconds,
        {{ 'last_at' if booked == 'arrived' else 'cast(null as timestamp)' }} as last_at
    from {{ booked }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    service_date,
    service_hour,
    source,
    channel,
    queue_id,
    team_id,
    {%- for part in contact_parts + leg_parts + alert_parts %}
    cast(sum({{ part }}) as {{ 'decimal(38, 0)' if part.endswith('_squares') else 'bigint' }}) as {{ part }},
    {%- endfor %}
    max(longest_wait_seconds) as longest_wait_seconds,
    max(last_at) as last_at

from stacked

group by 1, 2, 3, 4, 5, 6

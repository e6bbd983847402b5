-- What an agent leg took; booked like the legs of kpi_telephony_hourly.
{%- set measures = {
    'talk': 'talk_seconds', 'hold': 'case when hold_seconds > 0 or was_abandoned_on_hold then hold_seconds end',
    'wrap': 'wrap_seconds', 'handle': 'handle_seconds'
} %}
with

legs as (

    select * from {{ ref('fct_contact_legs') }}
    where talk_seconds is not null and direction = 'inbound'

),

measured as (

    {%- for measure, seconds in measures.items() %}
    select
        service_date,
        source,
        channel,
        queue_id,
        team_id,
        '{{ measure }}' as measure,
        {{ seconds }} as seconds
    from legs
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    service_date,
    source,
    channel,
    queue_id,
    team_id,
    measure,
    {{ kf_band('seconds') }} as band_seconds

from measured

where seconds >= 0

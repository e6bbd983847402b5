-- The view beside it, counted: a day is looked for in every measure on its own, where an index helps.
with

durations as (

    {{ kf_ticket_durations(touched=true) | indent(4) }}

)

select
    service_date,
    source,
    channel,
    team_id,
    priority,
    measure,
    band_seconds,
    cast(count(*) as bigint) as durations

from durations

group by 1, 2, 3, 4, 5, 6, 7

-- Open tickets at the end of every reporting day by their age, in the piles and up to the day of kpi_backlog_daily. A
-- pile that nothing is left in has a row of 0 tickets: its last day is known all the same. Where only the last days
-- change, only what lay in a pile after the last day that stays is read.
with

{% if is_incremental() -%}
kept as (

    select coalesce(max(service_date), cast('0001-01-01' as date)) as last_date from {{ this }}

),

{% endif -%}
known as (

    select max(service_date) as last_date from {{ ref('fct_backlog_changes') }}

),

spells as (

    select
        source,
        channel,
        team_id,
        priority,
        created_date,
        service_date,
        until_date,
        cast(count(*) as bigint) as tickets

    from {{ ref('fct_backlog_changes') }}

    where
        change = 1
        {%- if is_incremental() %}
        and (until_date is null or until_date > (select kept.last_date from kept))
        {%- endif %}

    group by 1, 2, 3, 4, 5, 6, 7

),

-- by the first and the last day they were open: two ends of a range, so that a spell meets its own days alone
open_spells as (

    select
        spells.*,
        least(coalesce({{ kf_add_days('spells.until_date', -1) }}, known.last_date), known.last_date) as last_date

    from spells
    cross join known

),

aged as (

    select
        dates.service_date,
        spells.source,
        spells.channel,
        spells.team_id,
        spells.priority,
        -- a source whose clock went back has no ticket older than nothing
        greatest({{ kf_days_between('spells.created_date', 'dates.service_date') }}, 0) as age,
        spells.tickets

    from open_spells as spells
    inner join {{ ref('dim_date') }} as dates
        on
            spells.service_date <= dates.service_date
            and spells.last_date >= dates.service_date
    {%- if is_incremental() %}

    where dates.service_date > (select kept.last_date from kept)
    {%- endif %}

)

select
    service_date,
    source,
    channel,
    team_id,
    priority,
    {{ kf_band('age', exact_below=100) }} as age_days,
    {{ kf_sum('tickets') }} as open_tickets

from aged

group by 1, 2, 3, 4, 5, 6

union all

select
    service_date,
    source,
    channel,
    team_id,
    priority,
    cast(0 as bigint) as age_days,
    cast(0 as bigint) as open_tickets

from {{ ref('kpi_backlog_daily') }}

where
    open_tickets = 0
    {%- if is_incremental() %}
    and service_date > (select kept.last_date from kept)
    {%- endif %}

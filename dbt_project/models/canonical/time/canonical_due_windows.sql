-- The calendar read backwards: by the open seconds so far, in stretches of equal length, so that the instant at which a
-- clock has run for so long is found by an equality.
with

windows as (

    select
        *,
        {{ kf_idiv('open_before_seconds', kf_business_stretch()) }} as first_stretch,
        {{ kf_idiv('(open_before_seconds + open_seconds - 1)', kf_business_stretch()) }} as last_stretch

    from {{ ref('canonical_business_windows') }}

),

-- a window is at most a day
numbers as (

    {% for number in range(86400 // kf_business_stretch() + 1) -%}
    select {{ number }} as number
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    windows.schedule_id,
    cast(windows.first_stretch + numbers.number as bigint) as stretch,
    windows.open_before_seconds,
    windows.open_seconds,
    windows.opens_at

from windows
inner join numbers on windows.first_stretch + numbers.number <= windows.last_stretch

{#- Two statements about the last full week: did it leave its usual range (variation), does it meet its target
    (assurance). Both in both languages, with the places where a tile draws them. -#}
with

calendar as (
    select
        {{ last_full_week('as_of_at', 'reporting_zone') }} as last_week,
        minimum_n
    from {{ ref('stg_kefu__build') }}
),

catalogue as (
    {{ kpi_catalogue_rows() }}
),

cards as (
    {%- for kpi in scorecard_pages()['director'] %}
    select '{{ kpi }}' as kpi, {{ loop.index }} as card_number
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

weekly as (
    select * from {{ ref('kpi_weekly') }}
),

teams as (
    select
        weekly.team_id,
        coalesce(
            max(dim_team.team_en), case weekly.team_id when 'all' then 'Whole centre' else weekly.team_id end
        ) as team_en,
        coalesce(
            max(dim_team.team_zh), case weekly.team_id when 'all' then '全中心' else weekly.team_id end
        ) as team_zh
    from weekly
    left join {{ ref('dim_team') }} as dim_team on weekly.team_id = dim_team.team_id
    group by weekly.team_id
),

latest as (
    select
        *,
        row_number() over (partition by kpi, team_id order by week_start desc) as weeks_back
    from weekly
),

known as (
    select
        catalogue.kpi,
        teams.team_id,
        teams.team_en,
        teams.team_zh,
        cards.card_number,
        catalogue.name_en,
        catalogue.name_zh,
        catalogue.unit,
        catalogue.direction,
        greatest(catalogue.minimum_n, calendar.minimum_n) as minimum_n,
        catalogue.has_interval,
        -- A target for the number of cases is one for the whole centre.
        case when catalogue.unit <> 'count' or teams.team_id = 'all' then catalogue.target end as target,
        calendar.last_week,
        latest.week_start,
        latest.numerator,
        latest.denominator,
        latest.n,
        latest.value,
        latest.low,
        latest.high,
        latest.limits_from,
        latest.usual_low,
        latest.usual_high,
        latest.beyond_usual
    from catalogue
    cross join teams
    cross join calendar
    left join cards on catalogue.kpi = cards.kpi
    left join latest
        on catalogue.kpi = latest.kpi and teams.team_id = latest.team_id and latest.weeks_back = 1
),

judged as (
    select
        *,
        case
            when week_start is null then 'none'
            when week_start < last_week then 'late'
            when has_interval and n < minimum_n then 'few'
            when beyond_usual is null then 'early'
            when beyond_usual = 0 then 'normal'
            when direction = 'up' and beyond_usual = 1 or direction = 'down' and beyond_usual = -1 then 'better'
            when direction in ('up', 'down') then 'worse'
            else 'moved'
        end as variation
    from known
),

assured as (
    select
        *,
        case
            when variation in ('none', 'late', 'few') or target is null or direction not in ('up', 'down') then 'none'
            when direction = 'up' and coalesce(low, value) >= target then 'met'
            when direction = 'up' and coalesce(high, value) < target then 'missed'
            when direction = 'down' and coalesce(high, value) <= target then 'met'
            when direction = 'down' and coalesce(low, value) > target then 'missed'
            else 'unclear'
        end as assurance,
        variation not in ('none', 'few') as is_shown
    from judged
),

-- One scale a KPI, so that whiskers of teams can be compared; a count is measured from nought.
spans as (
    select
        kpi,
        min(least(coalesce(low, value), target)) as lowest,
        max(greatest(coalesce(high, value), target)) as highest
    from assured
    where is_shown
    group by kpi
),

scales as (
    select
        assured.*,
        case
            when assured.unit <> 'count' then spans.lowest - 0.08 * (spans.highest - spans.lowest) else 0
        end as axis_bottom,
        case assured.unit
            when 'count' then 1.25 * greatest(assured.value, assured.target)
            else spans.highest + 0.08 * (spans.highest - spans.lowest)
        end as axis_top
    from assured
    left join spans on assured.kpi = spans.kpi
),

recent as (
    select
        kpi,
        team_id,
        week_start,
        value,
        min(least(value, usual_low)) over (partition by kpi, team_id) as lowest,
        max(greatest(value, usual_high)) over (partition by kpi, team_id) as highest,
        row_number() over (partition by kpi, team_id order by week_start) as step,
        count(*) over (partition by kpi, team_id) as steps
    from latest
    where weeks_back <= 26 and point_number is not null
),

heights as (
    select
        *,
        round(
            cast(38 - 34 * coalesce((value - lowest) / nullif(highest - lowest, 0), 0.5) as decimal(18, 6)), 1
        ) as y
    from recent
),

lines as (
    select
        kpi,
        team_id,
        max(steps) as weeks_drawn,
        max(lowest) as lowest,
        max(highest) as highest,
        string_agg(
            cast(round(208.0 * (step - 1) / greatest(steps - 1, 1), 1) as varchar) || ',' || cast(y as varchar),
            ' ' order by step
        ) as points
    from heights
    group by kpi, team_id
),

drawn as (
    select
        scales.*,
        lines.weeks_drawn,
        lines.lowest as line_lowest,
        lines.highest as line_highest,
        lines.points
    from scales
    left join lines on scales.kpi = lines.kpi and scales.team_id = lines.team_id
)

select
    kpi,
    team_id,
    team_en,
    team_zh,
    card_number,
    name_en,
    name_zh,
    unit,
    direction,
    week_start,
    numerator,
    denominator,
    n,
    value,
    low,
    high,
    usual_low,
    usual_high,
    limits_from,
    target,
    minimum_n,
    is_shown,
    variation,
    assurance,
    {{ scorecard_value('en') }} as value_en,
    {{ scorecard_range('en') }} as range_en,
    {{ scorecard_usual('en') }} as usual_en,
    {{ scorecard_verdict('en') }} as verdict_en,
    {{ scorecard_target('en') }} as target_en,
    {{ scorecard_value('zh') }} as value_zh,
    {{ scorecard_range('zh') }} as range_zh,
    {{ scorecard_usual('zh') }} as usual_zh,
    {{ scorecard_verdict('zh') }} as verdict_zh,
    {{ scorecard_target('zh') }} as target_zh,
    is_shown and axis_top > axis_bottom and (target is not null or has_interval) as has_scale,
    kpis.place(value, axis_bottom, axis_top) as x_value,
    kpis.place(coalesce(low, value), axis_bottom, axis_top) as x_low,
    kpis.place(coalesce(high, value), axis_bottom, axis_top) as x_high,
    kpis.place(target, axis_bottom, axis_top) as x_target,
    coalesce(weeks_drawn, 0) as weeks_drawn,
    coalesce(points, '') as points,
    coalesce(
        round(
            cast(38 - 34 * (usual_high - line_lowest) / nullif(line_highest - line_lowest, 0) as decimal(18, 6)), 1
        ),
        0
    ) as y_usual_high,
    coalesce(
        round(cast(34 * (usual_high - usual_low) / nullif(line_highest - line_lowest, 0) as decimal(18, 6)), 1), 0
    ) as usual_height
from drawn

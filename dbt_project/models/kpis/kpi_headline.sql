{#- The answer of each page in words. Every clause is computed from the rows of kpi_scorecard that the tiles draw. -#}
with

build as (
    select
        as_of_at,
        reporting_zone,
        {{ kf_local_from_utc('as_of_at', 'reporting_zone') }} as local_as_of_at,
        {{ last_full_week('as_of_at', 'reporting_zone') }} as week_start
    from {{ ref('stg_kefu__build') }}
),

cards as (
    {%- for page, kpis in scorecard_pages().items() %}
    {%- set outer = loop %}
    {%- for kpi in kpis %}
    select '{{ page }}' as page, '{{ kpi }}' as kpi, {{ loop.index }} as place
    {{- '\n    union all' if not (loop.last and outer.last) }}
    {%- endfor %}
    {%- endfor %}
),

scored as (
    select
        cards.page,
        cards.place,
        scorecard.*,
        scorecard.variation in ('normal', 'better', 'worse', 'moved') as is_judged
    from cards
    inner join {{ ref('kpi_scorecard') }} as scorecard on cards.kpi = scorecard.kpi
),

-- Where the whole centre got worse: how many of those same KPIs got worse in each team.
team_shares as (
    select
        teams.page,
        teams.team_en,
        teams.team_zh,
        count(*) as worse
    from scored as teams
    inner join scored as whole on teams.page = whole.page and teams.kpi = whole.kpi and whole.team_id = 'all'
    where teams.team_id <> 'all' and teams.variation = 'worse' and whole.variation = 'worse'
    group by teams.page, teams.team_en, teams.team_zh
),

ranked_shares as (
    select
        *,
        max(worse) over (partition by page) as most
    from team_shares
),

culprits as (
    select
        page,
        max(most) as most,
        count(*) as teams,
        string_agg(team_en, ' and ' order by team_en) as teams_en,
        string_agg(team_zh, '、' order by team_en) as teams_zh
    from ranked_shares
    where worse = most
    group by page
),

counted as (
    select
        page,
        team_id,
        max(team_en) as team_en,
        max(team_zh) as team_zh,
        count(*) as measures,
        count(*) filter (where is_judged) as judged,
        count(*) filter (where variation = 'worse') as worse,
        count(*) filter (where variation = 'better') as better,
        count(*) filter (where variation = 'moved') as moved,
        count(*) filter (where variation = 'normal') as ordinary,
        max(limits_from) filter (where variation = 'early') as weeks_known,
        {{ headline_list('worse', 'en') }} as worse_en,
        {{ headline_list('better', 'en') }} as better_en,
        {{ headline_list('moved', 'en') }} as moved_en,
        {{ headline_missed('en') }} as missed_en,
        {{ headline_unjudged('en') }} as unjudged_en,
        {{ headline_list('worse', 'zh') }} as worse_zh,
        {{ headline_list('better', 'zh') }} as better_zh,
        {{ headline_list('moved', 'zh') }} as moved_zh,
        {{ headline_missed('zh') }} as missed_zh,
        {{ headline_unjudged('zh') }} as unjudged_zh
    from scored
    group by page, team_id
),

pages as (
    select
        counted.*,
        build.as_of_at,
        build.reporting_zone,
        build.local_as_of_at,
        build.week_start,
        culprits.most,
        culprits.teams,
        culprits.teams_en,
        culprits.teams_zh
    from counted
    cross join build
    left join culprits on counted.page = culprits.page
)

select
    page,
    team_id,
    team_en,
    team_zh,
    week_start,
    as_of_at,
    reporting_zone,
    measures,
    judged,
    worse,
    better,
    {{ headline_answer_en() }} as headline_en,
    {{ headline_answer_zh() }} as headline_zh,
    {{ headline_detail_en() }} as detail_en,
    {{ headline_detail_zh() }} as detail_zh,
    {{ headline_as_of_en() }} as as_of_en,
    {{ headline_as_of_zh() }} as as_of_zh
from pages

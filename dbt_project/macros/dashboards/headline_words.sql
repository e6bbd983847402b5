{#- The sentences of a page, from the columns of kpi_headline. Whole sentences a language: none is made of the other's parts. -#}

{#- KPIs that moved in a way, each with its value and its usual range. -#}
{% macro headline_list(variation, language) -%}
    string_agg(
        name_{{ language }} || ' ' || value_{{ language }}
        || {{ "'（常态 ' || usual_zh || '）'" if language == 'zh' else "' (usually ' || usual_en || ')'" }},
        '{{ '；' if language == 'zh' else '; ' }}' order by place
    ) filter (where variation = '{{ variation }}')
{%- endmacro %}

{% macro headline_missed(language) -%}
    string_agg(name_{{ language }}, '{{ '、' if language == 'zh' else ', ' }}' order by place)
        filter (where assurance = 'missed')
{%- endmacro %}

{% macro headline_unjudged(language) -%}
    {%- set zh = language == 'zh' -%}
    string_agg(
        name_{{ language }} || {{ "'（'" if zh else "' ('" }} || case
            when variation = 'few' then range_{{ language }}
            else {{ 'verdict_zh' if zh else 'lower(left(verdict_en, 1)) || substr(verdict_en, 2)' }}
        end || {{ "'）'" if zh else "')'" }},
        '{{ '；' if zh else '; ' }}' order by place
    ) filter (where not is_judged)
{%- endmacro %}

{% macro headline_answer_en() -%}
    case
        when judged = 0 and weeks_known is null then 'No measure has enough data to be judged.'
        when judged = 0 then 'Too early to say what is usual: ' || weeks_known || ' of 10 full weeks so far.'
        when worse + better + moved = 0 and judged = 1 then 'A normal week: the one measure stayed within its usual range.'
        when worse + better + moved = 0 then 'A normal week: all ' || judged || ' measures stayed within their usual range.'
        when worse = 0 and better = 0 then moved || ' of ' || judged || ' measures moved, none for better or worse.'
        when worse = 0 then better || ' of ' || judged || case when better = 1 then ' measures is' else ' measures are' end
            || ' better than usual, none is worse.'
        else worse || ' of ' || judged || case when worse = 1 then ' measures is' else ' measures are' end
            || ' worse than usual'
            || case
                when team_id <> 'all' then ' in ' || team_en
                when most is null then ', in no single team'
                when teams > 2 then ', in ' || teams || ' teams'
                when worse = 1 then ', also in ' || teams_en
                when most = worse then ', all of them in ' || teams_en
                when teams = 2 then ', ' || most || ' each in ' || teams_en
                else ', ' || most || ' of them in ' || teams_en
            end
            || '.'
    end
{%- endmacro %}

{% macro headline_answer_zh() -%}
    case
        when judged = 0 and weeks_known is null then '数据不足，暂无可判断的指标。'
        when judged = 0 then '尚无法判断常态：目前仅有 ' || weeks_known || ' 个完整周（需 10 周）。'
        when worse + better + moved = 0 then '本周正常：' || judged || case when judged = 1 then ' 项指标在' else ' 项指标均在' end || '常态范围内。'
        when worse = 0 and better = 0 then judged || ' 项指标中有 ' || moved || ' 项变动，无好坏之分。'
        when worse = 0 then judged || ' 项指标中有 ' || better || ' 项好于常态，无一变差。'
        else case when team_id <> 'all' then team_zh || '：' else '' end
            || judged || ' 项指标中有 ' || worse || ' 项差于常态'
            || case
                when team_id <> 'all' then ''
                when most is null then '，未集中于任何一组'
                when teams > 2 then '，涉及 ' || teams || ' 个组'
                when worse = 1 then '，' || teams_zh || '亦然'
                when most = worse then '，且均见于' || teams_zh
                when teams = 2 then '，' || teams_zh || '各占 ' || most || ' 项'
                else '，其中 ' || most || ' 项出在' || teams_zh
            end
            || '。'
    end
{%- endmacro %}

{% macro headline_detail_en() -%}
    trim(
        coalesce('Worse: ' || worse_en || '. ', '')
        || coalesce('Better: ' || better_en || '. ', '')
        || coalesce('Moved: ' || moved_en || '. ', '')
        || coalesce('Target missed: ' || missed_en || '. ', '')
        || coalesce('Not judged: ' || unjudged_en || '. ', '')
        || case
            when worse + better + moved > 0 and ordinary = 1 then 'The other one stayed within its usual range.'
            when worse + better + moved > 0 and ordinary > 1
                then 'The other ' || ordinary || ' stayed within their usual range.'
            else ''
        end
    )
{%- endmacro %}

{% macro headline_detail_zh() -%}
    coalesce('变差：' || worse_zh || '。', '')
    || coalesce('变好：' || better_zh || '。', '')
    || coalesce('变动：' || moved_zh || '。', '')
    || coalesce('未达标：' || missed_zh || '。', '')
    || coalesce('未判断：' || unjudged_zh || '。', '')
    || case
        when worse + better + moved > 0 and ordinary > 0 then '其余 ' || ordinary || ' 项在常态范围内。'
        else ''
    end
{%- endmacro %}

{% macro headline_as_of_en() -%}
    'Week of ' || to_char(week_start, 'FMDD Mon') || ' – '
    || to_char({{ kf_add_days('week_start', 6) }}, 'FMDD Mon YYYY')
    || ' · data as of ' || to_char(local_as_of_at, 'FMDD Mon YYYY, HH24:MI') || ' · ' || reporting_zone
{%- endmacro %}

{% macro headline_as_of_zh() -%}
    to_char(week_start, 'YYYY"年"FMMM"月"FMDD"日"') || '至'
    || to_char({{ kf_add_days('week_start', 6) }}, 'FMMM"月"FMDD"日"')
    || '当周 · 数据截至 ' || to_char(local_as_of_at, 'YYYY"年"FMMM"月"FMDD"日" HH24:MI') || ' · ' || reporting_zone
{%- endmacro %}

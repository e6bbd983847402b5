{#- What a card says, in a language, from the columns of kpi_scorecard; the dashboards print it as it is. -#}

{% macro scorecard_value(language) -%}
    case when is_shown then kpis.show_value(value, unit, '{{ language }}') else '–' end
{%- endmacro %}

{% macro scorecard_range(language) -%}
    {%- set zh = language == 'zh' -%}
    case
        when variation = 'none' then ''
        when variation = 'few' then {{ "'需 ' || minimum_n || '，仅 ' || n" if zh else "'needs ' || minimum_n || ', has ' || n" }}
        when not has_interval then '{{ '全量计数' if zh else 'full count' }}'
        else coalesce(kpis.show_range(low, high, unit, '{{ language }}') || ' · ', '')
            || 'n = ' || kpis.show_value(n, 'count', '{{ language }}')
    end
{%- endmacro %}

{% macro scorecard_usual(language) -%}
    coalesce(
        case
            when has_interval then kpis.show_range(usual_low, usual_high, unit, '{{ language }}')
            else kpis.show_range(ceil(usual_low), floor(usual_high), unit, '{{ language }}')
        end,
        ''
    )
{%- endmacro %}

{#- Never by colour alone: each verdict has a shape of its own. -#}
{% macro scorecard_verdict(language) -%}
    {%- set zh = language == 'zh' -%}
    case variation
        when 'none' then '{{ '无数据' if zh else 'No data' }}'
        when 'late' then {{ "'数据止于 ' || to_char(week_start, 'FMMM\"月\"FMDD\"日\"') || '当周'" if zh
            else "'Last data: week of ' || to_char(week_start, 'FMDD Mon')" }}
        when 'few' then '{{ '样本不足' if zh else 'Too few to judge' }}'
        when 'early' then {{ "'为时尚早：' || limits_from || ' / 10 周'" if zh
            else "'Too early: ' || limits_from || ' of 10 weeks'" }}
        when 'normal' then '{{ '○ 正常波动' if zh else '○ Normal variation' }}'
        when 'better' then '{{ '▲ 好于常态' if zh else '▲ Better than usual' }}'
        when 'worse' then '{{ '▼ 差于常态' if zh else '▼ Worse than usual' }}'
        else case beyond_usual
            when 1 then '{{ '◆ 高于常态' if zh else '◆ Higher than usual' }}'
            else '{{ '◆ 低于常态' if zh else '◆ Lower than usual' }}'
        end
    end
{%- endmacro %}

{% macro scorecard_target(language) -%}
    {%- set zh = language == 'zh' -%}
    case
        when target is null or direction not in ('up', 'down') then '{{ '无目标' if zh else 'no target' }}'
        else '{{ '目标 ' if zh else 'target ' }}' || kpis.show_value(target, unit, '{{ language }}')
            || case assurance
                when 'met' then '{{ ' · 达标' if zh else ' · met' }}'
                when 'missed' then '{{ ' · 未达标' if zh else ' · missed' }}'
                when 'unclear' then '{{ ' · 尚难判断' if zh else ' · cannot tell yet' }}'
                else ''
            end
    end
{%- endmacro %}

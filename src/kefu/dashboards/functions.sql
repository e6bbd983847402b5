-- How a number is written, once for the scorecard models and for every tile. Run by kefu.warehouse.prepare.

-- A KPI value in words of a language: 72.4%, 31.5, 1,204, 4.2 h / 4.2 小时. Null stays null.
create or replace function kpis.show_value(value double precision, unit text, language text) returns text
language sql immutable parallel safe as $$
    select case unit
        when 'percent' then to_char(100 * value, 'FM990.0') || '%'
        when 'seconds' then case
            when abs(value) < 99.5 then to_char(value, 'FM990') || case language when 'zh' then ' 秒' else ' s' end
            when abs(value) < 99.5 * 60 then to_char(value / 60, 'FM990.0') || case language when 'zh' then ' 分钟' else ' min' end
            when abs(value) < 72 * 3600 then to_char(value / 3600, 'FM990.0') || case language when 'zh' then ' 小时' else ' h' end
            else to_char(value / 86400, 'FM999,990.0') || case language when 'zh' then ' 天' else ' days' end
        end
        when 'days' then to_char(value, 'FM999,990.0') || case language when 'zh' then ' 天' else ' days' end
        when 'points' then replace(to_char(value, 'FM990.0'), '-', '−')
        when 'score' then to_char(value, 'FM990.000')
        when 'ratio' then to_char(value, 'FM999,990.00')
        when 'index' then to_char(value, 'FM999,990.00')
        when 'per_hour' then to_char(value, 'FM999,990.00')
        when 'kappa' then replace(to_char(value, 'FM0.00'), '-', '−')
        when 'count' then to_char(value, 'FM999,999,999,990')
    end
$$;

-- An interval: 71.4% – 73.4%. Null when there is none.
create or replace function kpis.show_range(low double precision, high double precision, unit text, language text)
returns text language sql immutable parallel safe as $$
    select kpis.show_value(low, unit, language) || ' – ' || kpis.show_value(high, unit, language)
$$;

-- Where a value lies on a line 200 units long from `bottom` to `top`; kept on the line.
create or replace function kpis.place(value double precision, bottom double precision, top double precision)
returns double precision language sql immutable parallel safe as $$
    select case
        when value is null or top <= bottom then null
        else cast(round(cast(200 * greatest(0, least(1, (value - bottom) / (top - bottom))) as numeric), 1) as double precision)
    end
$$;

-- Functions of the schema kpis. All arithmetic is in double precision, one operation a line or in the written
-- order, so that the same operations on Python floats give the same bits. NULL where there is nothing to say.

-- The two limits of a share x of n, Wilson's score interval at 95 %, within [0, 1]. side: -1 low, +1 high.
create or replace function kpis.wilson_limit(
    x double precision, n double precision, side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    share double precision;
    squared double precision;
    scale double precision;
    centre double precision;
    half double precision;
    bound double precision;
begin
    if n <= 0 or x < 0 or x > n then
        return null;
    end if;
    -- The formula gives these two up to rounding; a share of nothing starts at exactly nothing.
    if x = 0 and side < 0 then
        return 0;
    end if;
    if x = n and side > 0 then
        return 1;
    end if;
    share := x / n;
    squared := z * z;
    scale := 1 + squared / n;
    centre := share + squared / (2 * n);
    half := z * sqrt(share * (1 - share) / n + squared / (4 * n * n));
    bound := (centre + side * half) / scale;
    return case when bound < 0 then 0 when bound > 1 then 1 else bound end;
end
$$;

create or replace function kpis.wilson_low(x double precision, n double precision)
returns double precision language sql immutable strict parallel safe as
$$ select kpis.wilson_limit(x, n, -1) $$;

create or replace function kpis.wilson_high(x double precision, n double precision)
returns double precision language sql immutable strict parallel safe as
$$ select kpis.wilson_limit(x, n, 1) $$;

comment on function kpis.wilson_low(double precision, double precision)
is 'Lower limit of the share x of n: Wilson score interval, 95 %. NULL for n = 0.';
comment on function kpis.wilson_high(double precision, double precision)
is 'Upper limit of the share x of n: Wilson score interval, 95 %. NULL for n = 0.';

-- The two limits of a Net Promoter Score, adjusted Wald at 95 % (add 3 to n, 3/4 each to promoters and
-- detractors), on the scale -100 to 100.
create or replace function kpis.nps_limit(
    promoters double precision, detractors double precision, n double precision, side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    total double precision;
    promoting double precision;
    detracting double precision;
    score double precision;
    variance double precision;
    half double precision;
    bound double precision;
begin
    if n <= 0 or promoters < 0 or detractors < 0 or promoters + detractors > n then
        return null;
    end if;
    total := n + 3;
    promoting := (promoters + 0.75) / total;
    detracting := (detractors + 0.75) / total;
    score := promoting - detracting;
    variance := promoting + detracting - score * score;
    half := z * sqrt(variance / total);
    bound := 100 * (score + side * half);
    return case when bound < -100 then -100 when bound > 100 then 100 else bound end;
end
$$;

create or replace function kpis.nps_low(
    promoters double precision, detractors double precision, n double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.nps_limit(promoters, detractors, n, -1) $$;

create or replace function kpis.nps_high(
    promoters double precision, detractors double precision, n double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.nps_limit(promoters, detractors, n, 1) $$;

comment on function kpis.nps_low(double precision, double precision, double precision)
is 'Lower limit of the Net Promoter Score: adjusted Wald interval, 95 %, -100 to 100. NULL for n = 0.';
comment on function kpis.nps_high(double precision, double precision, double precision)
is 'Upper limit of the Net Promoter Score: adjusted Wald interval, 95 %, -100 to 100. NULL for n = 0.';

-- The two limits of a mean, from the sum and the sum of squares of n values: normal at 95 %, sample variance.
create or replace function kpis.mean_limit(
    total double precision, squares double precision, n double precision, side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    mean double precision;
    variance double precision;
begin
    if n < 2 then
        return null;
    end if;
    mean := total / n;
    variance := (squares - total * mean) / (n - 1);
    -- Of equal values rounding may leave a little less than nothing.
    if variance < 0 then
        variance := 0;
    end if;
    return mean + side * (z * sqrt(variance / n));
end
$$;

create or replace function kpis.mean_low(
    total double precision, squares double precision, n double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.mean_limit(total, squares, n, -1) $$;

create or replace function kpis.mean_high(
    total double precision, squares double precision, n double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.mean_limit(total, squares, n, 1) $$;

comment on function kpis.mean_low(double precision, double precision, double precision)
is 'Lower limit of a mean from sum, sum of squares and n: normal interval, 95 %. NULL for n < 2.';
comment on function kpis.mean_high(double precision, double precision, double precision)
is 'Upper limit of a mean from sum, sum of squares and n: normal interval, 95 %. NULL for n < 2.';

-- The two limits of a ratio of two sums over n drawn units (agents' days, evaluations), each with its own x and y: from
-- the sums, the sums of squares and of products. Normal at 95 %, by linearisation (Cochran), within [0, most].
create or replace function kpis.ratio_limit(
    x double precision, y double precision,
    xx double precision, xy double precision, yy double precision,
    n double precision, most double precision, side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    ratio double precision;
    spread double precision;
    bound double precision;
begin
    if n < 2 or y <= 0 then
        return null;
    end if;
    ratio := x / y;
    spread := xx - 2 * ratio * xy + ratio * ratio * yy;
    -- Of equal ratios rounding leaves a little more or less than nothing.
    if spread < 1e-14 * xx then
        spread := 0;
    end if;
    bound := ratio + side * (z * (sqrt(n / (n - 1) * spread) / y));
    return case when bound < 0 then 0 when bound > most then most else bound end;
end
$$;

create or replace function kpis.ratio_low(
    x double precision, y double precision,
    xx double precision, xy double precision, yy double precision,
    n double precision, most double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.ratio_limit(x, y, xx, xy, yy, n, most, -1) $$;

create or replace function kpis.ratio_high(
    x double precision, y double precision,
    xx double precision, xy double precision, yy double precision,
    n double precision, most double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.ratio_limit(x, y, xx, xy, yy, n, most, 1) $$;

comment on function kpis.ratio_low(
    double precision, double precision, double precision, double precision, double precision, double precision,
    double precision
)
is 'Lower limit of x / y from sums, sums of squares and products over n units: normal interval, 95 %. NULL for n < 2.';
comment on function kpis.ratio_high(
    double precision, double precision, double precision, double precision, double precision, double precision,
    double precision
)
is 'Upper limit of x / y from sums, sums of squares and products over n units: normal interval, 95 %. NULL for n < 2.';

-- The two limits of Cohen's kappa of two yes-or-no judgements, from the cells of their table: normal at 95 % with the
-- large-sample variance of Fleiss, Cohen and Everitt (1969), within [-1, 1]. NULL where expected agreement is 1.
create or replace function kpis.kappa_limit(
    agreed_yes double precision, first_only double precision, second_only double precision, agreed_no double precision,
    side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    n double precision;
    first_yes double precision;
    second_yes double precision;
    expected double precision;
    kappa double precision;
    off double precision;
    near double precision;
    spread double precision;
    bound double precision;
begin
    n := agreed_yes + first_only + second_only + agreed_no;
    if n <= 0 or agreed_yes + first_only = 0 and agreed_yes + second_only = 0
        or second_only + agreed_no = 0 and first_only + agreed_no = 0
    then
        return null;
    end if;
    first_yes := (agreed_yes + first_only) / n;
    second_yes := (agreed_yes + second_only) / n;
    expected := first_yes * second_yes + (1 - first_yes) * (1 - second_yes);
    kappa := ((agreed_yes + agreed_no) / n - expected) / (1 - expected);
    off := 1 - kappa;
    near := 1 - (first_yes + second_yes) * off;
    spread := agreed_yes / n * near * near;
    near := 1 - (2 - first_yes - second_yes) * off;
    spread := spread + agreed_no / n * near * near;
    spread := spread + off * off * (first_only / n) * (second_yes + 1 - first_yes) * (second_yes + 1 - first_yes);
    spread := spread + off * off * (second_only / n) * (first_yes + 1 - second_yes) * (first_yes + 1 - second_yes);
    spread := spread - (kappa - expected * off) * (kappa - expected * off);
    -- Of full agreement rounding leaves a little more or less than nothing.
    if spread < 1e-14 then
        spread := 0;
    end if;
    bound := kappa + side * (z * (sqrt(spread / n) / (1 - expected)));
    return case when bound < -1 then -1 when bound > 1 then 1 else bound end;
end
$$;

create or replace function kpis.kappa_low(
    agreed_yes double precision, first_only double precision, second_only double precision, agreed_no double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.kappa_limit(agreed_yes, first_only, second_only, agreed_no, -1) $$;

create or replace function kpis.kappa_high(
    agreed_yes double precision, first_only double precision, second_only double precision, agreed_no double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.kappa_limit(agreed_yes, first_only, second_only, agreed_no, 1) $$;

comment on function kpis.kappa_low(double precision, double precision, double precision, double precision)
is 'Lower limit of Cohen''s kappa from both yes, only first, only second, both no: normal interval, 95 %.';
comment on function kpis.kappa_high(double precision, double precision, double precision, double precision)
is 'Upper limit of Cohen''s kappa from both yes, only first, only second, both no: normal interval, 95 %.';

-- The two limits of a share that is adjusted for case mix and drawn to the overall, from good and expected ones, those
-- at the overall share, how many there are, and the prior in expected good ones. Wilson's interval of the good ones
-- among all, the prior counted as so many more of the same kind, then adjusted as the share is: times
-- overall / expected, within [0, 1]. NULL where nothing good was to be expected.
create or replace function kpis.adjusted_limit(
    good double precision, expected double precision, overall double precision, n double precision,
    prior double precision, side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    trials double precision;
    bound double precision;
begin
    if n <= 0 or expected <= 0 then
        return null;
    end if;
    trials := n * (expected + prior) / expected;
    -- All of them good leaves a little less by rounding.
    if trials < good + prior then
        trials := good + prior;
    end if;
    bound := kpis.wilson_limit(good + prior, trials, side) * (overall / expected);
    return case when bound > 1 then 1 else bound end;
end
$$;

create or replace function kpis.adjusted_low(
    good double precision, expected double precision, overall double precision, n double precision,
    prior double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.adjusted_limit(good, expected, overall, n, prior, -1) $$;

create or replace function kpis.adjusted_high(
    good double precision, expected double precision, overall double precision, n double precision,
    prior double precision
) returns double precision language sql immutable strict parallel safe as
$$ select kpis.adjusted_limit(good, expected, overall, n, prior, 1) $$;

comment on function kpis.adjusted_low(
    double precision, double precision, double precision, double precision, double precision
)
is 'Lower limit of a share adjusted for case mix, from good, expected, overall, n and prior: Wilson, 95 %.';
comment on function kpis.adjusted_high(
    double precision, double precision, double precision, double precision, double precision
)
is 'Upper limit of a share adjusted for case mix, from good, expected, overall, n and prior: Wilson, 95 %.';

-- The last value that is not null: as a window's aggregate, in its order (macro kf_last_known).
create or replace function kpis.last_known_add(state text, value text)
returns text language plpgsql immutable strict parallel safe as $$
begin
    return value;
end
$$;

create or replace aggregate kpis.last_known(value text) (
    sfunc = kpis.last_known_add,
    stype = text
);

comment on aggregate kpis.last_known(text)
is 'The last value that is not null, in the order in which the rows come: for windows.';

-- A sum of whole numbers that stays one (macro kf_sum). One that is too large for a bigint is an error, as in any sum.
create or replace aggregate kpis.whole_sum(value bigint) (
    sfunc = int8pl,
    stype = bigint,
    combinefunc = int8pl,
    parallel = safe
);

comment on aggregate kpis.whole_sum(bigint)
is 'Sum of bigints as bigint. NULL without any; an error where it outgrows a bigint.';

-- Sum over the rows of the latest day in the group: what a stock (open tickets) was at the end of a period.
-- The state is {day, sum}; rows without a day or a value do not count.
create or replace function kpis.sum_at_last_add(state bigint [], value bigint, day date)
returns bigint [] language plpgsql immutable strict parallel safe as $$
declare
    ordinal constant bigint := day - date '2000-01-01';
begin
    if cardinality(state) = 0 or ordinal > state[1] then
        return array[ordinal, value];
    end if;
    if ordinal = state[1] then
        return array[ordinal, state[2] + value];
    end if;
    return state;
end
$$;

create or replace function kpis.sum_at_last_combine(one bigint [], other bigint [])
returns bigint [] language plpgsql immutable strict parallel safe as $$
begin
    if cardinality(one) = 0 or other[1] > one[1] then
        return other;
    end if;
    if other[1] = one[1] then
        return array[one[1], one[2] + other[2]];
    end if;
    return one;
end
$$;

create or replace function kpis.sum_at_last_result(state bigint [])
returns bigint language sql immutable strict parallel safe as
$$ select state[2] $$;

create or replace aggregate kpis.sum_at_last(value bigint, day date) (
    sfunc = kpis.sum_at_last_add,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.sum_at_last_result,
    combinefunc = kpis.sum_at_last_combine,
    parallel = safe
);

comment on aggregate kpis.sum_at_last(bigint, date)
is 'Sum of value over the rows of the latest day in the group. NULL without rows.';

-- The highest over the rows of the latest day: of a stock that is no sum (how old each source is). The same state.
create or replace function kpis.max_at_last_add(state bigint [], value bigint, day date)
returns bigint [] language sql immutable strict parallel safe as
$$ select greatest(state, array[cast(day - date '2000-01-01' as bigint), value]) $$;

create or replace function kpis.max_at_last_combine(one bigint [], other bigint [])
returns bigint [] language sql immutable strict parallel safe as
$$ select greatest(one, other) $$;

create or replace aggregate kpis.max_at_last(value bigint, day date) (
    sfunc = kpis.max_at_last_add,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.sum_at_last_result,
    combinefunc = kpis.max_at_last_combine,
    parallel = safe
);

comment on aggregate kpis.max_at_last(bigint, date)
is 'The highest value over the rows of the latest day in the group. NULL without rows.';

-- Percentiles of durations counted by band (macro kf_band): `percentile_of_bands(0.9) within group (order by
-- counted(band, n))`. Band and count travel as one number, so that collecting them is a built-in function.
create or replace function kpis.counted(band bigint, durations bigint)
returns bigint language sql immutable parallel safe as
$$ select case when band >= 0 and durations > 0 then band * 16777216 + least(durations, 16777215) end $$;

comment on function kpis.counted(bigint, bigint)
is 'A band with the number of its durations, for kpis.percentile_of_bands. NULL without any.';

-- Which of n durations in order it is. side: 0 the percentile itself, the first that so large a share does not exceed;
-- -1 and +1 the ends of its interval, normal approximation of the binomial. NULL where n is too few for an end.
create or replace function kpis.percentile_rank(
    fraction double precision, n double precision, side double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    middle constant double precision := n * fraction;
    half double precision;
    place double precision;
begin
    if side = 0 then
        return greatest(ceil(middle), 1);
    end if;
    half := z * sqrt(middle * (1 - fraction));
    place := case when side < 0 then round(middle - half) else round(1 + middle + half) end;
    return case when place between 1 and n then place end;
end
$$;

create or replace function kpis.percentile_found(
    state bigint [], fraction double precision, side double precision
) returns bigint language plpgsql immutable parallel safe as $$
declare
    in_order constant bigint [] := array(
        select each from unnest(state) as each where each is not null order by each
    );
    n bigint := 0;
    so_far bigint := 0;
    wanted double precision;
    each bigint;
begin
    foreach each in array in_order loop
        n := n + (each & 16777215);
    end loop;
    wanted := kpis.percentile_rank(fraction, n, side);
    foreach each in array in_order loop
        so_far := so_far + (each & 16777215);
        if so_far >= wanted then
            return each >> 24;
        end if;
    end loop;
    return null;
end
$$;

create or replace function kpis.percentile_value(state bigint [], fraction double precision)
returns bigint language sql immutable parallel safe as
$$ select kpis.percentile_found(state, fraction, 0) $$;

create or replace function kpis.percentile_lower(state bigint [], fraction double precision)
returns bigint language sql immutable parallel safe as
$$ select kpis.percentile_found(state, fraction, -1) $$;

create or replace function kpis.percentile_upper(state bigint [], fraction double precision)
returns bigint language sql immutable parallel safe as
$$ select kpis.percentile_found(state, fraction, 1) $$;

-- They differ in their last step alone, so a query that asks for several collects once.
create or replace aggregate kpis.percentile_of_bands(fraction double precision order by counted bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.percentile_value,
    finalfunc_modify = read_only,
    parallel = safe
);

create or replace aggregate kpis.percentile_of_bands_low(fraction double precision order by counted bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.percentile_lower,
    finalfunc_modify = read_only,
    parallel = safe
);

create or replace aggregate kpis.percentile_of_bands_high(fraction double precision order by counted bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.percentile_upper,
    finalfunc_modify = read_only,
    parallel = safe
);

comment on aggregate kpis.percentile_of_bands(double precision order by bigint)
is 'Percentile (0 to 1) of durations counted by band: the lowest band that so large a share does not exceed.';
comment on aggregate kpis.percentile_of_bands_low(double precision order by bigint)
is 'Lower end of the 95 % interval of a percentile, an order statistic. NULL where there are too few durations.';
comment on aggregate kpis.percentile_of_bands_high(double precision order by bigint)
is 'Upper end of the 95 % interval of a percentile, an order statistic. NULL where there are too few durations.';

-- Percentiles of a stock (the ages of open tickets), at the latest day in the group: `percentile_at_last(0.9) within
-- group (order by counted_at(day, band, n))`. A band has less than 16 bits; n = 0 says that the day is known all the same.
create or replace function kpis.counted_at(day date, band bigint, things bigint)
returns bigint language sql immutable parallel safe as
$$
    select (day - date '1900-01-01') * 1099511627776
        + case when things > 0 then least(band, 65535) * 16777216 + least(things, 16777215) else 0 end
$$;

comment on function kpis.counted_at(date, bigint, bigint)
is 'A band with the number of things in it on a day, for kpis.percentile_at_last. NULL without a day.';

create or replace function kpis.percentile_at_last_value(state bigint [], fraction double precision)
returns bigint language plpgsql immutable parallel safe as $$
declare
    last constant bigint := (select max(each >> 40) from unnest(state) as each);
begin
    return kpis.percentile_found(
        array(
            select each & 1099511627775 from unnest(state) as each
            where each >> 40 = last and each & 1099511627775 > 0
        ),
        fraction, 0
    );
end
$$;

create or replace aggregate kpis.percentile_at_last(fraction double precision order by counted bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.percentile_at_last_value,
    finalfunc_modify = read_only,
    parallel = safe
);

comment on aggregate kpis.percentile_at_last(double precision order by bigint)
is 'Percentile (0 to 1) over the rows of the latest day in the group. NULL where there is nothing that day.';

-- A share of answers in which each stratum (channel and team) counts by how seldom its customers answer:
-- `weighted_share(5) within group (order by answered_part(…))`. The weight is that of 1 / (the
-- stratum's share of delivered invitations that were answered), 1 on average over the invitations, to six digits, and at
-- most the cap. A stratum in which no invitation was answered (a link on a page) has weight 1. The parts of a row travel as
-- one text, so that collecting them is a built-in function. The result: {weighted positive, weighted answers, their
-- effective number (Kish)}; NULL without answers.
create or replace function kpis.answered_part(
    stratum text, positive numeric, responses numeric, delivered bigint, answered bigint
) returns text language sql immutable parallel safe as
$$ select concat_ws('|', positive, responses, delivered, answered, stratum) $$;

create or replace function kpis.weighted_share_result(state text [], cap numeric)
returns numeric [] language sql immutable parallel safe as $$
    with strata as (
        select
            substring(each from '^(?:[^|]*[|]){4}(.*)$') as stratum,
            sum(cast(split_part(each, '|', 1) as numeric)) as positive,
            sum(cast(split_part(each, '|', 2) as numeric)) as responses,
            sum(cast(split_part(each, '|', 3) as numeric)) as delivered,
            sum(cast(split_part(each, '|', 4) as numeric)) as answered
        from unnest(state) as each
        group by 1
    ),

    known as (
        select
            sum(answered) as answered,
            sum(delivered) as delivered
        from strata
        where answered > 0
    ),

    weighted as (
        select
            strata.positive,
            strata.responses,
            case
                when strata.answered > 0
                    then least(
                        cap, round(strata.delivered * known.answered / (strata.answered * known.delivered), 6)
                    )
                else 1
            end as weight
        from strata
        cross join known
        where strata.responses > 0
    )

    select array[
        sum(weight * positive),
        sum(weight * responses),
        sum(weight * responses) * sum(weight * responses) / nullif(sum(weight * weight * responses), 0)
    ]
    from weighted
    having count(*) > 0
$$;

create or replace aggregate kpis.weighted_share(cap numeric order by part text) (
    sfunc = array_append,
    stype = text [],
    initcond = '{}',
    finalfunc = kpis.weighted_share_result,
    finalfunc_modify = read_only,
    parallel = safe
);

comment on aggregate kpis.weighted_share(numeric order by text)
is 'Weighted positive answers, weighted answers and their effective number, by strata of kpis.answered_part.';

-- How long customers are ready to wait, by Kaplan and Meier: `median_patience(waited(band, n, whether they left))`. Who
-- was answered might have waited longer, and counts only among those still waiting until then.
create or replace function kpis.waited(band bigint, contacts bigint, has_left boolean)
returns bigint language sql immutable parallel safe as
$$
    select case
        when band >= 0 and contacts > 0
            then band * 33554432 + least(contacts, 16777215) * 2 + case when has_left then 1 else 0 end
    end
$$;

comment on function kpis.waited(bigint, bigint, boolean)
is 'A band with the number of contacts whose wait ended there, by giving up or otherwise, for kpis.median_patience.';

-- The first wait at which no more than half are still waiting. side: 0 the estimate, -1 and +1 the ends of its 95 %
-- interval: where the limits of the curve (Greenwood, log of minus log) come down to a half. NULL if that never happens.
create or replace function kpis.patience_found(state bigint [], side double precision)
returns bigint language plpgsql immutable parallel safe as $$
declare
    z constant double precision := 1.959963984540054;
    waiting double precision;
    staying double precision := 1;
    greenwood double precision := 0;
    band bigint;
    gone double precision;
    others double precision;
    error double precision;
    curve double precision;
begin
    select sum((each & 33554431) >> 1) into waiting from unnest(state) as each;
    for band, gone, others in
        select
            each >> 25,
            sum(case when each & 1 = 1 then (each & 33554431) >> 1 else 0 end),
            sum(case when each & 1 = 0 then (each & 33554431) >> 1 else 0 end)
        from unnest(state) as each
        where each is not null group by 1 order by 1
    loop
        if gone > 0 then
            staying := staying * (1 - gone / waiting);
            if staying <= 0 then
                return case when side <= 0 then band end;
            end if;
            greenwood := greenwood + gone / (waiting * (waiting - gone));
            error := sqrt(greenwood) / ln(staying);
            curve := case when side = 0 then staying else exp(-exp(ln(-ln(staying)) + side * z * error)) end;
            if curve <= 0.5 then
                return band;
            end if;
        end if;
        waiting := waiting - gone - others;
    end loop;
    return null;
end
$$;

create or replace function kpis.patience_value(state bigint [])
returns bigint language sql immutable parallel safe as
$$ select kpis.patience_found(state, 0) $$;

create or replace function kpis.patience_lower(state bigint [])
returns bigint language sql immutable parallel safe as
$$ select kpis.patience_found(state, -1) $$;

create or replace function kpis.patience_upper(state bigint [])
returns bigint language sql immutable parallel safe as
$$ select kpis.patience_found(state, 1) $$;

create or replace aggregate kpis.median_patience(waited bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.patience_value,
    combinefunc = array_cat,
    parallel = safe
);

create or replace aggregate kpis.median_patience_low(waited bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.patience_lower,
    combinefunc = array_cat,
    parallel = safe
);

create or replace aggregate kpis.median_patience_high(waited bigint) (
    sfunc = array_append,
    stype = bigint [],
    initcond = '{}',
    finalfunc = kpis.patience_upper,
    combinefunc = array_cat,
    parallel = safe
);

comment on aggregate kpis.median_patience(bigint)
is 'Median time to abandon from counts by band, Kaplan-Meier. NULL while more than half would wait longer than known.';
comment on aggregate kpis.median_patience_low(bigint)
is 'Lower end of the 95 % interval of the median time to abandon.';
comment on aggregate kpis.median_patience_high(bigint)
is 'Upper end of the 95 % interval of the median time to abandon. NULL where it is not reached.';

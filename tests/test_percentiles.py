"""Percentiles and the median patience from counts by band, against libraries that know nothing of bands."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import psycopg
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu import catalogue, warehouse
from kefu.settings import Settings

ERROR = 0.005  # what docs/kpis.md states
FRACTIONS = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


def band(seconds: int) -> int:
    """The middle of all whole seconds with the same three leading digits, from their text."""
    text = str(seconds)
    if len(text) <= 3:
        return seconds
    shared = text[:3]
    first, last = (int(shared + digit * (len(text) - 3)) for digit in "09")
    return (first + last + 1) // 2


@pytest.fixture(scope="module")
def connection(new_warehouse: Any) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(new_warehouse()) as connection:
        connection.execute("create temporary table durations (seconds bigint)")
        connection.execute("create temporary table bands (part integer, band_seconds bigint, durations bigint)")
        connection.execute("create temporary table waits (band_seconds bigint, contacts bigint, has_left boolean)")
        yield connection


@pytest.fixture(scope="module")
def kf_band(project: Path) -> str:
    """What the macro writes for a column `seconds` on Postgres."""
    macros = project / "dbt_project" / "macros"
    source = (macros / "engine" / "kf_idiv.sql").read_text(encoding="utf-8").partition("{% macro postgres__")[2]
    source = "{% macro " + source.partition("{%- endmacro")[0] + "{%- endmacro %}"
    source += (macros / "kefu" / "kf_band.sql").read_text(encoding="utf-8")
    return str(jinja2.Environment(autoescape=False).from_string(source).module.kf_band("seconds"))  # type: ignore[attr-defined]


def fill(connection: psycopg.Connection[Any], table: str, rows: list[tuple[Any, ...]]) -> None:
    connection.execute(f"truncate {table}")
    with connection.cursor().copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def drawn(seed: int, n: int) -> list[int]:
    """Durations of every size a service centre knows, from seconds to years, with ties."""
    dice = random.Random(seed)
    return [int(dice.lognormvariate(dice.choice((3, 6, 9, 13)), 1.5)) for _ in range(n)]


# --- bands -----------------------------------------------------------------------------------------------------------


def test_the_macro_gives_the_band_that_the_digits_say(connection: psycopg.Connection[Any], kf_band: str) -> None:
    edges = [power + step for power in (10**digits for digits in range(10)) for step in (-1, 0, 1, 9, 10, 99)]
    seconds = sorted({one for one in (86_400, *edges, *drawn(1, 5_000)) if 0 <= one < 10**10})
    fill(connection, "durations", [(one,) for one in seconds])
    found = dict(connection.execute(f"select seconds, {kf_band} from durations").fetchall())
    assert found == {one: band(one) for one in seconds}
    assert [found[one] for one in (0, 999, 1_000, 1_009, 1_010, 86_400)] == [0, 999, 1_005, 1_005, 1_015, 86_450]
    assert max(abs(middle - one) / one for one, middle in found.items() if one) <= ERROR


def test_bands_keep_the_order_and_no_band_is_below_zero(connection: psycopg.Connection[Any], kf_band: str) -> None:
    seconds = sorted(drawn(2, 2_000))
    assert [band(one) for one in seconds] == sorted(band(one) for one in seconds)
    fill(connection, "durations", [(-1,), (-1000,)])
    assert connection.execute(f"select {kf_band} from durations").fetchall() == [(None,), (None,)]


# --- percentiles -----------------------------------------------------------------------------------------------------


def of_bands(connection: psycopg.Connection[Any], fraction: float) -> tuple[int | None, int | None, int | None]:
    """Value, low and high as every reader forms them."""
    within = "(%s) within group (order by kpis.counted(band_seconds, durations))"
    query = ", ".join(f"kpis.percentile_of_bands{end}{within}" for end in ("", "_low", "_high"))
    row = connection.execute(f"select {query} from bands", [fraction] * 3).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 45, 1_000, 20_000])
def test_a_percentile_of_bands_is_that_of_the_durations_within_the_error_it_states(
    connection: psycopg.Connection[Any], n: int
) -> None:
    seconds = drawn(n, n)
    fill(connection, "bands", [(0, one, count) for one, count in Counter(map(band, seconds)).items()])
    for fraction in FRACTIONS:
        value, _, _ = of_bands(connection, fraction)
        exact = int(np.quantile(seconds, fraction, method="inverted_cdf"))
        assert value is not None and abs(value - exact) <= ERROR * exact
        assert value == np.quantile([band(one) for one in seconds], fraction, method="inverted_cdf")
        assert value == band(sorted(seconds)[max(math.ceil(Fraction(str(fraction)) * n), 1) - 1])


def test_the_database_gives_the_same_for_the_rows_one_by_one(connection: psycopg.Connection[Any]) -> None:
    """percentile_disc over bands is what MetricFlow asks for."""
    for seed in range(20):
        bands = [band(one) for one in drawn(seed, 300)]
        fill(connection, "durations", [(one,) for one in bands])
        fill(connection, "bands", [(0, one, count) for one, count in Counter(bands).items()])
        for fraction in FRACTIONS:
            query = "select percentile_disc(%s) within group (order by seconds) from durations"
            assert connection.execute(query, [fraction]).fetchone() == (of_bands(connection, fraction)[0],)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_however_durations_are_divided_among_rows_the_percentile_is_the_same(
    connection: psycopg.Connection[Any], data: st.DataObject
) -> None:
    bands = data.draw(st.lists(st.integers(0, 10**8).map(band), min_size=1, max_size=60))
    parts = data.draw(st.lists(st.integers(0, 9), min_size=len(bands), max_size=len(bands)))
    fraction = data.draw(st.sampled_from(FRACTIONS))
    fill(connection, "bands", [(0, one, count) for one, count in Counter(bands).items()])
    whole = of_bands(connection, fraction)
    cells = Counter(zip(parts, bands, strict=True))
    fill(connection, "bands", [(part, one, count) for (part, one), count in cells.items()])
    assert of_bands(connection, fraction) == whole
    fill(connection, "bands", [(0, one, 1) for one in bands])
    assert of_bands(connection, fraction) == whole


def test_rows_without_a_band_or_a_count_do_not_count(connection: psycopg.Connection[Any]) -> None:
    fill(connection, "bands", [])
    assert of_bands(connection, 0.9) == (None, None, None)
    fill(connection, "bands", [(0, None, 5), (0, 7, 0), (0, 7, None), (0, 3, 2)])
    assert of_bands(connection, 0.9)[0] == 3


@pytest.mark.parametrize("fraction", [0.5, 0.9])
@pytest.mark.parametrize("n", [45, 60, 100, 250, 999])
def test_the_interval_of_a_percentile_holds_the_true_one_95_times_in_100(
    connection: psycopg.Connection[Any], fraction: float, n: int
) -> None:
    """Between which order statistics the true percentile lies is a binomial question."""
    fill(connection, "bands", [(0, rank, 1) for rank in range(1, n + 1)])
    _, low, high = of_bands(connection, fraction)
    assert low is not None and high is not None
    held = scipy.stats.binom.cdf(high - 1, n, fraction) - scipy.stats.binom.cdf(low - 1, n, fraction)
    assert 0.93 < held < 0.99


def test_from_the_smallest_n_of_a_percentile_on_its_interval_has_both_ends(
    connection: psycopg.Connection[Any], project: Path
) -> None:
    kpis = [one for one in catalogue.load(project).values() if one.interval == "percentile"]
    assert kpis
    for kpi in kpis:
        fraction = float(kpi.value_sql.partition("percentile_of_bands(")[2].partition(")")[0])
        for n in (kpi.minimum_n, kpi.minimum_n + 1, 2 * kpi.minimum_n):
            fill(connection, "bands", [(0, rank, 1) for rank in range(1, n + 1)])
            assert None not in of_bands(connection, fraction), (kpi.id, n)


# --- patience --------------------------------------------------------------------------------------------------------


def patience(connection: psycopg.Connection[Any], waits: list[tuple[int, bool]]) -> tuple[Any, ...]:
    fill(connection, "waits", [(one, n, left) for (one, left), n in Counter(waits).items()])
    ends = ("", "_low", "_high")
    query = ", ".join(f"kpis.median_patience{end}(kpis.waited(band_seconds, contacts, has_left))" for end in ends)
    row = connection.execute(f"select {query} from waits").fetchone()
    assert row is not None
    return tuple(row)


def kaplan_meier(waits: list[tuple[int, bool]]) -> tuple[Any, ...]:
    """The median and its limits from scipy's curve: where it, and its limits, first come down to a half."""
    data = scipy.stats.CensoredData(
        uncensored=[wait for wait, left in waits if left], right=[wait for wait, left in waits if not left]
    )
    curve = scipy.stats.ecdf(data).sf
    limits = curve.confidence_interval(0.95, method="log-log")
    curves = (curve.probabilities, limits.low.probabilities, limits.high.probabilities)
    return tuple(
        next((int(at) for at, share in zip(curve.quantiles, one, strict=True) if share <= 0.5), None) for one in curves
    )


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_patience_is_the_median_of_kaplan_and_meier(connection: psycopg.Connection[Any], seed: int) -> None:
    dice = random.Random(seed)
    waits = []
    for _ in range(dice.choice((5, 40, 400))):
        gives_up, answered = dice.expovariate(1 / 90), dice.expovariate(1 / dice.choice((30, 120, 600)))
        waits.append((min(int(min(gives_up, answered)), 900), gives_up < answered))
    if not any(left for _, left in waits):
        waits.append((10, True))
    value, low, high = kaplan_meier(waits)
    found = patience(connection, waits)
    assert found[:2] == (value, low)
    # once nobody is left scipy knows no upper limit, and neither do we
    assert found[2] == high or (high is None and found[2] is None)


def test_patience_by_hand(connection: psycopg.Connection[Any]) -> None:
    # four left after 10, 20, 30, 40 s; between them two were answered: 5/6, 5/6 x 3/4, x 2/3 = 0.4167
    waits = [(10, True), (15, False), (20, True), (30, True), (35, False), (40, True)]
    assert patience(connection, waits)[0] == 30
    # one in ten leaves: nobody knows how long half would stay
    assert patience(connection, [(10, True), *[(60, False)] * 9])[0] is None
    assert patience(connection, [])[0] is None


def test_patience_is_the_same_however_contacts_are_divided_among_rows(connection: psycopg.Connection[Any]) -> None:
    dice = random.Random(5)
    waits = [(dice.randrange(60), dice.random() < 0.6) for _ in range(200)]
    whole = patience(connection, waits)
    fill(connection, "waits", [(one, 1, left) for one, left in dice.sample(waits, len(waits))])
    ends = ("", "_low", "_high")
    query = ", ".join(f"kpis.median_patience{end}(kpis.waited(band_seconds, contacts, has_left))" for end in ends)
    assert connection.execute(f"select {query} from waits").fetchone() == whole


def test_a_reader_who_may_only_read_can_form_them(new_warehouse: Any) -> None:
    configured: Settings = new_warehouse()
    with warehouse.connect(configured, "analyst") as connection:
        query = "select kpis.percentile_of_bands(0.5) within group (order by kpis.counted(7, 1))"
        assert connection.execute(query).fetchone() == (7,)

"""The database itself: its functions agree with Python to the bit, its roles see what they may and no more."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from kefu import warehouse as database
from kefu.errors import KefuError
from kefu.settings import Settings

Z = 1.959963984540054
counts = st.integers(0, 10_000_000)
few = profile(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def prepared(new_warehouse: Callable[..., Settings]) -> Settings:
    return new_warehouse()


@pytest.fixture(scope="module")
def analyst(prepared: Settings) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(prepared, "analyst", autocommit=True) as connection:
        yield connection


def ask(connection: psycopg.Connection[Any], expression: str, *values: object) -> Any:
    row = connection.execute(f"select {expression}", values).fetchone()
    assert row is not None
    return row[0]


def outside(settings: Settings, **changes: object) -> Settings:
    """The same configuration with the warehouse on a server that is not Kefu's own."""
    server = settings.warehouse.model_copy(update={"host": "127.0.0.1", **changes})
    return settings.model_copy(update={"warehouse": server})


def wilson(x: float, n: float, side: float) -> float | None:
    if n <= 0 or x < 0 or x > n:
        return None
    if x == 0 and side < 0:
        return 0.0
    if x == n and side > 0:
        return 1.0
    share = x / n
    squared = Z * Z
    scale = 1 + squared / n
    centre = share + squared / (2 * n)
    half = Z * math.sqrt(share * (1 - share) / n + squared / (4 * n * n))
    return min(1.0, max(0.0, (centre + side * half) / scale))


def nps(promoters: float, detractors: float, n: float, side: float) -> float | None:
    if n <= 0 or promoters + detractors > n:
        return None
    total = n + 3
    promoting = (promoters + 0.75) / total
    detracting = (detractors + 0.75) / total
    score = promoting - detracting
    variance = promoting + detracting - score * score
    bound = 100 * (score + side * (Z * math.sqrt(variance / total)))
    return min(100.0, max(-100.0, bound))


def mean(total: float, squares: float, n: float, side: float) -> float | None:
    if n < 2:
        return None
    average = total / n
    variance = max(0.0, (squares - total * average) / (n - 1))
    return average + side * (Z * math.sqrt(variance / n))


def ratio(pairs: list[tuple[int, int]], most: float, side: float) -> float | None:
    x, y, n = float(sum(x for x, _ in pairs)), float(sum(y for _, y in pairs)), len(pairs)
    if n < 2 or y <= 0:
        return None
    found = x / y
    squares, products, bases = (float(sum(s)) for s in zip(*((x * x, x * y, y * y) for x, y in pairs), strict=True))
    spread = squares - 2 * found * products + found * found * bases
    spread = 0.0 if spread < 1e-14 * squares else spread
    return min(most, max(0.0, found + side * (Z * (math.sqrt(n / (n - 1) * spread) / y))))


@few
@given(pairs=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=20))
def test_limits_of_a_ratio_of_sums_equal_python_to_the_last_bit(
    analyst: psycopg.Connection[Any], pairs: list[tuple[int, int]]
) -> None:
    sums = [sum(x for x, _ in pairs), sum(y for _, y in pairs)]
    sums += [sum(x * x for x, _ in pairs), sum(x * y for x, y in pairs), sum(y * y for _, y in pairs), len(pairs)]
    for end, side in (("low", -1.0), ("high", 1.0)):
        for most in (1.0, math.inf):
            asked = ask(analyst, f"kpis.ratio_{end}(%s, %s, %s, %s, %s, %s, %s)", *sums, most)
            assert asked == ratio(pairs, most, side)


def kappa(both: int, first: int, second: int, neither: int, side: float) -> float | None:
    """By Fleiss, Cohen and Everitt, over the cells in turn."""
    n = both + first + second + neither
    cells = {(1, 1): both, (1, 0): first, (0, 1): second, (0, 0): neither}
    yes = [sum(many for cell, many in cells.items() if cell[judge]) for judge in (0, 1)]
    if not n or yes in ([0, 0], [n, n]):
        return None
    says = [{1: one / n, 0: 1 - one / n} for one in yes]
    expected = sum(says[0][word] * says[1][word] for word in (0, 1))
    found = ((both + neither) / n - expected) / (1 - expected)
    spread = -((found - expected * (1 - found)) ** 2)
    for (one, other), many in cells.items():
        if one == other:
            spread += many / n * (1 - (says[0][one] + says[1][one]) * (1 - found)) ** 2
        else:
            spread += many / n * ((1 - found) * (says[1][one] + says[0][other])) ** 2
    half = Z * math.sqrt(0.0 if spread < 1e-14 else spread / n) / (1 - expected)
    return min(1.0, max(-1.0, found + side * half))


@few
@given(cells=st.lists(st.one_of(st.just(0), st.integers(0, 1_000)), min_size=4, max_size=4))
def test_limits_of_kappa_equal_python(analyst: psycopg.Connection[Any], cells: list[int]) -> None:
    for end, side in (("low", -1.0), ("high", 1.0)):
        by_hand = kappa(*cells, side=side)
        found = ask(analyst, f"kpis.kappa_{end}(%s, %s, %s, %s)", *cells)
        assert (found is None) == (by_hand is None)
        assert found == by_hand or found == pytest.approx(by_hand, rel=1e-6, abs=1e-6)


def test_limits_of_kappa_worked_out(analyst: psycopg.Connection[Any]) -> None:
    # 20, 5, 10, 15: agreement 0.7, 0.5 by chance; kappa 0.4, its standard error 0.1270
    limits = [ask(analyst, f"kpis.kappa_{end}(%s, %s, %s, %s)", 20, 5, 10, 15) for end in ("low", "high")]
    assert limits == pytest.approx([0.1511, 0.6489], abs=5e-5)
    assert [ask(analyst, f"kpis.kappa_{end}(%s, %s, %s, %s)", 7, 0, 0, 3) for end in ("low", "high")] == [1, 1]
    assert [ask(analyst, f"kpis.kappa_{end}(%s, %s, %s, %s)", 7, 0, 0, 0) for end in ("low", "high")] == [None, None]


thousandths = st.integers(0, 1_000).map(lambda whole: whole / 1_000)


@few
@given(ratings=st.lists(st.tuples(st.booleans(), thousandths, thousandths), min_size=1, max_size=20))
def test_limits_of_an_adjusted_share_equal_python_and_hold_the_value(
    analyst: psycopg.Connection[Any], ratings: list[tuple[bool, float, float]]
) -> None:
    good, expected, overall = (float(sum(one[place] for one in ratings)) for place in range(3))
    n, prior = float(len(ratings)), 10.0
    sums = [good, expected, overall, n, prior]
    low, high = (ask(analyst, f"kpis.adjusted_{end}(%s, %s, %s, %s, %s)", *sums) for end in ("low", "high"))
    if not expected:
        assert (low, high) == (None, None)
        return
    trials = max(n * (expected + prior) / expected, good + prior)
    by_hand = [wilson(good + prior, trials, side) for side in (-1.0, 1.0)]
    assert [low, high] == [min(1.0, float(end or 0) * (overall / expected)) for end in by_hand]
    value = min(1.0, (good + prior) / (expected + prior) * overall / n)
    assert low <= value * (1 + 1e-12) + 1e-12 and value <= high * (1 + 1e-12) + 1e-12


def test_limits_of_an_adjusted_share_worked_out(analyst: psycopg.Connection[Any]) -> None:
    # none of two good, 1.6 expected and at the overall share: 10 of 14.5
    limits = [ask(analyst, f"kpis.adjusted_{end}(0, 1.6, 1.6, 2, 10)") for end in ("low", "high")]
    assert limits == pytest.approx([0.4345, 0.8654], abs=5e-5)
    # many ratings of the usual kind have Wilson's own interval; of a harder kind the same, scaled up
    for scale in (1, 2):
        low = ask(analyst, "kpis.adjusted_low(40000, 40000, %s, 100000, 0.01)", scale * 40_000)
        assert low == pytest.approx(scale * ask(analyst, "kpis.wilson_low(40000, 100000)"), abs=1e-6)
    assert ask(analyst, "kpis.adjusted_high(9, 6, 9.5, 10, 1)") == 1


def test_equal_ratios_have_no_spread(analyst: psycopg.Connection[Any]) -> None:
    # 10.6 of 13 twice: in binary the squares are a little off, and a square root would make that seven digits
    sums = (21.2, 26, 2 * 10.6 * 10.6, 2 * 10.6 * 13, 2 * 13 * 13, 2)
    limits = [ask(analyst, f"kpis.ratio_{end}(%s, %s, %s, %s, %s, %s, %s)", *sums, 1) for end in ("low", "high")]
    assert limits == [21.2 / 26] * 2


@few
@given(x=counts, n=counts)
def test_wilson_limits_equal_python_to_the_last_bit(analyst: psycopg.Connection[Any], x: int, n: int) -> None:
    assert ask(analyst, "kpis.wilson_low(%s, %s)", x, n) == wilson(float(x), float(n), -1.0)
    assert ask(analyst, "kpis.wilson_high(%s, %s)", x, n) == wilson(float(x), float(n), 1.0)


@few
@given(promoters=counts, detractors=counts, passives=counts)
def test_nps_limits_equal_python_to_the_last_bit(
    analyst: psycopg.Connection[Any], promoters: int, detractors: int, passives: int
) -> None:
    n = promoters + detractors + passives
    values = (float(promoters), float(detractors), float(n))
    assert ask(analyst, "kpis.nps_low(%s, %s, %s)", promoters, detractors, n) == nps(*values, -1.0)
    assert ask(analyst, "kpis.nps_high(%s, %s, %s)", promoters, detractors, n) == nps(*values, 1.0)


@few
@given(values=st.lists(st.integers(0, 10**9), max_size=30))
def test_mean_limits_equal_python_to_the_last_bit(analyst: psycopg.Connection[Any], values: list[int]) -> None:
    total, squares, n = sum(values), sum(value * value for value in values), len(values)
    arguments = "(%s::numeric, %s::numeric(38, 0), %s)"
    expected = (float(total), float(squares), float(n))
    assert ask(analyst, f"kpis.mean_low{arguments}", total, squares, n) == mean(*expected, -1.0)
    assert ask(analyst, f"kpis.mean_high{arguments}", total, squares, n) == mean(*expected, 1.0)


def test_limits_are_those_of_the_literature(analyst: psycopg.Connection[Any]) -> None:
    # Wilson 15 of 148: Newcombe 1998, table I. The others worked by hand from their formulas.
    assert ask(analyst, "kpis.wilson_low(15, 148)") == pytest.approx(0.0624, abs=5e-5)
    assert ask(analyst, "kpis.wilson_high(15, 148)") == pytest.approx(0.1605, abs=5e-5)
    # 53 promoters and 17 detractors of 97: 53.75 and 17.75 of 100, so 36 -+ 1.96 * 10 * sqrt(0.715 - 0.36 ** 2).
    assert ask(analyst, "kpis.nps_low(53, 17, 97)") == pytest.approx(36 - 19.6 * math.sqrt(0.5854), abs=1e-3)
    assert ask(analyst, "kpis.nps_high(53, 17, 97)") == pytest.approx(36 + 19.6 * math.sqrt(0.5854), abs=1e-3)
    # 1, 2, 3, 4: mean 2.5, sample variance 5/3.
    assert ask(analyst, "kpis.mean_low(10, 30, 4)") == pytest.approx(2.5 - 1.96 * math.sqrt(5 / 12), abs=1e-4)


@pytest.mark.parametrize(
    "expression",
    [
        "wilson_low(0, 0)",
        "wilson_high(null, 5)",
        "wilson_low(6, 5)",
        "wilson_high(-1, 5)",
        "nps_low(0, 0, 0)",
        "nps_high(3, 3, 5)",
        "mean_low(5, 25, 1)",
        "mean_high(0, 0, 0)",
        "mean_low(null, null, 0)",
    ],
)
def test_where_there_is_nothing_to_say_the_limit_is_null(analyst: psycopg.Connection[Any], expression: str) -> None:
    assert ask(analyst, f"kpis.{expression}") is None


def test_a_share_of_nothing_and_of_all_ends_exactly_at_the_edge(
    analyst: psycopg.Connection[Any],
) -> None:
    for n in (1, 3, 7, 10, 1_000_003):
        assert ask(analyst, "kpis.wilson_low(0, %s)", n) == 0.0
        assert ask(analyst, "kpis.wilson_high(%s, %s)", n, n) == 1.0


@few
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 10**12)),
            st.one_of(st.none(), st.integers(-9, 9)),
        ),
        max_size=40,
    )
)
def test_sum_at_last_sums_the_rows_of_the_latest_day(
    analyst: psycopg.Connection[Any], rows: list[tuple[int | None, int | None]]
) -> None:
    days = [date(1999, 12, 30) + timedelta(days=day) if day is not None else None for _, day in rows]
    complete = [
        (value, day) for (value, _), day in zip(rows, days, strict=True) if value is not None and day is not None
    ]
    last = max((day for _, day in complete), default=None)
    expected = sum(value for value, day in complete if day == last) if complete else None
    found = analyst.execute(
        "select kpis.sum_at_last(value, day) from unnest(%s::bigint[], %s::date[]) as row (value, day)",
        ([value for value, _ in rows], days),
    ).fetchone()
    assert found == (expected,)


@few
@given(rows=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 10**12)), st.one_of(st.none(), st.integers(-9, 9)))))
def test_max_at_last_is_the_highest_of_the_latest_day(
    analyst: psycopg.Connection[Any], rows: list[tuple[int | None, int | None]]
) -> None:
    days = [date(1999, 12, 30) + timedelta(days=day) if day is not None else None for _, day in rows]
    complete = [(day, value) for (value, _), day in zip(rows, days, strict=True) if None not in (value, day)]
    found = analyst.execute(
        "select kpis.max_at_last(value, day) from unnest(%s::bigint[], %s::date[]) as row (value, day)",
        ([value for value, _ in rows], days),
    ).fetchone()
    assert found == (max(complete)[1] if complete else None,)


def test_sum_at_last_gives_the_same_in_parallel(prepared: Settings) -> None:
    with database.connect(prepared, "transformer") as connection:
        connection.execute("""
            create table staging.stock as
            select number::bigint as value, date '2026-01-01' + (number % 90)::int as day
            from generate_series(1, 200000) as number
        """)
        connection.execute("analyze staging.stock")
        connection.execute("set local max_parallel_workers_per_gather = 0")
        one = ask(connection, "kpis.sum_at_last(value, day) from staging.stock")
        connection.execute("set local max_parallel_workers_per_gather = 2")
        connection.execute("set local parallel_setup_cost = 0")
        connection.execute("set local parallel_tuple_cost = 0")
        connection.execute("set local min_parallel_table_scan_size = 0")
        query = "select kpis.sum_at_last(value, day) from staging.stock"
        plan = "\n".join(line for (line,) in connection.execute(f"explain {query}"))
        assert "Partial Aggregate" in plan
        assert connection.execute(query).fetchone() == (one,) == (sum(range(89, 200001, 90)),)


def test_a_percentile_at_last_is_that_of_the_latest_day(analyst: psycopg.Connection[Any]) -> None:
    def found(fraction: float, *rows: tuple[str, int, int]) -> int | None:
        [value] = analyst.execute(
            "select kpis.percentile_at_last(%s) within group (order by kpis.counted_at(day, age, tickets))"
            " from unnest(%s::date[], %s::bigint[], %s::bigint[]) as row (day, age, tickets)",
            (fraction, *map(list, zip(*rows, strict=True))),
        ).fetchone() or [None]
        return value

    rows = [("2026-03-02", 90, 7), ("2026-03-03", 0, 2), ("2026-03-03", 3, 1), ("2026-03-03", 105, 1)]
    assert [found(fraction, *rows) for fraction in (0.5, 0.75, 0.9)] == [0, 3, 105]
    # a pile that was emptied has no age, however old it had been
    assert found(0.5, *rows, ("2026-03-04", 0, 0)) is None
    assert found(0.5, ("1969-07-20", 20_000, 1), ("1969-07-21", 65_535, 16_777_215)) == 65_535


def test_answers_weigh_by_how_seldom_their_stratum_answers(analyst: psycopg.Connection[Any]) -> None:
    def found(*rows: tuple[str, float, float, int, int]) -> list[float] | None:
        [value] = analyst.execute(
            "select kpis.weighted_share(5) within group (order by kpis.answered_part(stratum, up, n, sent, back))"
            " from unnest(%s::text[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[])"
            " as row (stratum, up, n, sent, back)",
            tuple(map(list, zip(*rows, strict=True))),
        ).fetchone() or [None]
        return value and [float(one) for one in value]

    # one in two answers by phone, one in ten by mail, 60 of 200 in all: 2 x 0.3 and 10 x 0.3; 50 x 0.36 + 10 x 9 = 108
    phone, mail = ("voice calm", 40, 50, 100, 50), ("email a|b", 2, 10, 100, 10)
    assert found(phone, mail) == [0.6 * 40 + 3 * 2, 0.6 * 50 + 3 * 10, pytest.approx(60 * 60 / 108)]
    # in two rows of two days it is the same
    halves = [("email a|b", 1, 5, 50, 5)] * 2
    assert found(phone, *halves) == found(phone, mail)
    # 1 of 1,000 would count 250 times: five are the most
    assert found(("chat a", 400, 500, 1000, 500), ("web b", 1, 1, 1000, 1))[:2] == [  # type: ignore[index]
        400 * 0.501 + 5,
        500 * 0.501 + 5,
    ]
    # a link nobody was sent counts once
    assert found(("web link", 3, 4, 0, 0)) == [3, 4, 4]
    assert found(("voice calm", 0, 0, 9, 3)) is None


@pytest.fixture(scope="module")
def filled(prepared: Settings) -> Settings:
    """A raw table of the loader's, a canonical table, a built slot, and published views made after prepare()."""
    with database.connect(prepared, "loader") as connection:
        connection.execute("create schema raw_zendesk")
        connection.execute("create table raw_zendesk.tickets as select 1 as id")
        connection.execute("create table control.loads as select 1 as id")
    with database.connect(prepared, "transformer") as connection:
        connection.execute("create table canonical.tickets as select id from raw_zendesk.tickets")
        connection.execute("create table marts_a.fct_tickets as select id from canonical.tickets")
        connection.execute("create view marts.fct_tickets as select id from marts_a.fct_tickets")
        connection.execute("create view kpis.kpi_tickets_daily as select id from marts_a.fct_tickets")
        connection.execute("insert into control.loads values (2)")
    return prepared


@pytest.mark.parametrize("role", ["analyst", "dashboard"])
def test_readers_see_marts_and_kpis(filled: Settings, role: str) -> None:
    with database.connect(filled, role) as connection:
        assert ask(connection, "count(*) from marts.fct_tickets") == 1
        assert ask(connection, "count(*) from kpi_tickets_daily") == 1  # found without naming the schema


@pytest.mark.parametrize("role", ["analyst", "dashboard"])
@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw_zendesk.tickets",
        "select * from canonical.tickets",
        "select * from marts_a.fct_tickets",
        "select * from control.loads",
        "set default_transaction_read_only = off; create table kpis.mine (id int)",
        "set default_transaction_read_only = off; create table public.mine (id int)",
        "set default_transaction_read_only = off; create schema mine",
        "set default_transaction_read_only = off; create temporary table mine (id int)",
        "set default_transaction_read_only = off; delete from kpis.kpi_tickets_daily",
    ],
)
def test_readers_neither_see_nor_change_anything_else(filled: Settings, role: str, statement: str) -> None:
    with (
        database.connect(filled, role, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        for part in statement.split("; "):
            connection.execute(part)


def test_transformer_reads_raw_but_does_not_change_it(filled: Settings) -> None:
    with database.connect(filled, "transformer") as connection:
        assert ask(connection, "count(*) from raw_zendesk.tickets") == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from raw_zendesk.tickets")


def test_preparing_again_by_several_at_once_changes_nothing_and_breaks_nothing(
    filled: Settings,
) -> None:
    failures: list[Exception] = []

    def prepare() -> None:
        try:
            database.ensure(filled)
            database.prepare(filled)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.connect(filled, "dashboard") as connection:
        assert ask(connection, "count(*) from marts.fct_tickets") == 1


def test_a_server_that_does_not_answer_is_one_clear_message(postgres: Settings) -> None:
    nowhere = outside(postgres, port=1)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(KefuError, match="does not answer") as failure,
    ):
        patch.setenv("KEFU_ANALYST_PASSWORD", "secret-word")
        database.connect(nowhere, "analyst")
    assert "127.0.0.1:1" in str(failure.value)
    assert "secret-word" not in str(failure.value)


def test_a_wrong_password_is_one_clear_message_that_names_the_variable(
    prepared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, port = database.address(prepared)
    name = prepared.warehouse.database
    external = outside(prepared, port=port, database=name)
    monkeypatch.setenv("KEFU_ANALYST_PASSWORD", "wrong-word")
    with pytest.raises(KefuError, match="refuses the password") as failure:
        database.connect(external, "analyst")
    assert "KEFU_ANALYST_PASSWORD" in str(failure.value)
    assert "wrong-word" not in str(failure.value)


def test_an_external_server_without_its_password_names_every_place_looked_at(
    postgres: Settings,
) -> None:
    external = outside(postgres, port=1)
    with pytest.raises(KefuError, match="KEFU_WAREHOUSE_PASSWORD is not set") as failure:
        database.connect(external, "admin")
    assert str(postgres.config.parent / ".env") in str(failure.value)


def test_an_external_server_is_prepared_with_the_passwords_of_the_environment(
    postgres: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, port = database.address(postgres)
    external = outside(postgres, port=port, database="elsewhere")
    monkeypatch.setenv("KEFU_WAREHOUSE_PASSWORD", database.password(postgres, "admin"))
    for role in database.ROLES:
        # The generated ones: the other tests of the session share these roles.
        monkeypatch.setenv(f"KEFU_{role.upper()}_PASSWORD", database.password(postgres, role))
    database.ensure(external)
    database.prepare(external)
    with database.connect(external, "dashboard") as connection:
        assert ask(connection, "current_database()") == "elsewhere"

"""Source systems over HTTP to published numbers: every KPI equals what the simulator knows to be true."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kefu import catalogue, warehouse
from kefu.kpi import Question, ask
from tests.end_to_end import independent, profiles, raw_facts
from tests.end_to_end.centre_truth import facts
from tests.end_to_end.conftest import Centre
from tests.end_to_end.independent import Answer, Facts, answers

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
KPIS = catalogue.load(PROJECT)
SHARED_DIMENSIONS = ("source", "channel", "team")
# frames of facts that raw_facts reads from the tables of a ticketing system and of surveys
FROM_RAW = (
    "created", "replied", "solved", "levelled", "resolved", "turns", "piles", "clocks", "answers", "ratings",
    "invitations", "issues", "linkable", "ages", "reconciled", "compared",
)  # fmt: skip


@pytest.fixture(scope="module")
def known(centre: Centre) -> Facts:
    """The truth of the centre as facts."""
    account = centre.settings.config.parent / "world" / "zendesk"
    return facts(centre.truth, centre.zone, centre.as_of, account)


@pytest.mark.parametrize("grain", ["total", "day", "week", "month"])
@pytest.mark.parametrize("kpi", list(KPIS))
def test_every_kpi_equals_the_truth_at_every_grain(centre: Centre, known: Facts, kpi: str, grain: str) -> None:
    compare(centre, known, kpi, grain, ())


@pytest.mark.parametrize("kpi", list(KPIS))
def test_every_kpi_equals_the_truth_along_every_dimension(centre: Centre, known: Facts, kpi: str) -> None:
    for dimension in KPIS[kpi].dimensions:
        if dimension in ("survey", "segment"):
            continue  # one survey, no segments in this centre
        compare(centre, known, kpi, "total", (dimension,))
    shared = tuple(name for name in SHARED_DIMENSIONS if name in KPIS[kpi].dimensions)
    compare(centre, known, kpi, "week", shared)


@pytest.mark.parametrize(("kpi", "profile"), profiles.PROFILES)
def test_published_definitions_equal_the_truth(centre: Centre, known: Facts, kpi: str, profile: str) -> None:
    shared = tuple(name for name in SHARED_DIMENSIONS if name in KPIS[kpi].dimensions)
    for grain, by in (("total", ()), ("week", shared)):
        compare(centre, known, kpi, grain, by, profile)


@pytest.fixture(scope="module")
def counted(centre: Centre) -> Facts:
    """What the raw rows of the centre say, schedules, policies and edits included."""
    return raw_facts.facts(centre.settings, centre.as_of)


@pytest.mark.parametrize("kpi", [name for name, (frame, _) in independent.KPIS.items() if frame in FROM_RAW])
def test_raw_rows_say_the_same(centre: Centre, counted: Facts, kpi: str) -> None:
    """So that whoever counts the raw rows of the golden stories is known to read business time and promises."""
    shared = tuple(name for name in SHARED_DIMENSIONS if name in KPIS[kpi].dimensions)
    compare(centre, counted, kpi, "week", shared)
    for dimension in set(KPIS[kpi].dimensions) - {*SHARED_DIMENSIONS}:
        compare(centre, counted, kpi, "total", (dimension,))


def compare(
    centre: Centre, known: Facts, kpi: str, grain: str, by: tuple[str, ...], profile: str = catalogue.PROFILE
) -> None:
    """Equal to the last digit in value, numerator and n; the interval to the twelfth."""
    how = None if profile == catalogue.PROFILE else profiles.PROFILES[kpi, profile]
    expected = {key: found for key, found in answers(known, kpi, grain, by, how).items() if worth_a_row(found)}
    found = {
        (None if grain == "total" else row["from"], *(row[name] for name in by)): row
        for row in ask(centre.settings, Question(kpi=kpi, grain=grain, by=by, profile=profile))
    }
    # Parts of several KPIs share a row: one without its own n says nothing of this KPI.
    found = {key: row for key, row in found.items() if row["n"]}
    if grain != "total" and found:
        first = min(key[0] for key in found)
        expected = {(max(key[0], first), *key[1:]): value for key, value in expected.items()}
    assert found.keys() == expected.keys()
    for key, answer in expected.items():
        row = found[key]
        assert (row["value"], row["numerator"], row["n"]) == (answer.value, answer.numerator, answer.n), (kpi, key)
        for end in ("low", "high"):
            mine = getattr(answer, end)
            assert (row[end] is None) == (mine is None), (kpi, key, end, row)
            assert mine is None or math.isclose(row[end], mine, rel_tol=1e-9, abs_tol=1e-12), (kpi, key, end)


def worth_a_row(answer: Answer) -> bool:
    """Whether there is anything to say."""
    return answer.n > 0


def test_the_centre_has_clocks_of_every_outcome_and_metric_and_says_when_running_ones_breach(centre: Centre) -> None:
    with warehouse.connect(centre.settings, "analyst") as connection:
        outcomes = dict(connection.execute("select outcome, count(*) from marts.fct_sla_clocks group by 1").fetchall())
        [metrics] = connection.execute("select count(distinct sla_metric) from marts.fct_sla_clocks").fetchall()
        running = connection.execute(
            "select left_seconds, due_at from marts.fct_sla_clocks where outcome = 'running' and not is_paused"
        ).fetchall()
        [untold] = connection.execute(
            "select count(*) from marts.fct_sla_clocks as clocks where (breached_at is not null) <> exists ("
            "select 1 from marts.fct_sla_events as events where events.clock_id = clocks.clock_id"
            " and events.sla_event = 'breached' and events.occurred_at = clocks.breached_at)"
        ).fetchall()
    assert set(outcomes) == {"running", "met", "breached", "running_breached", "cancelled"}
    assert metrics == (7,)
    now = centre.as_of.replace(tzinfo=None)
    assert running and all(left >= 0 and (due >= now or left == 0) for left, due in running)
    assert untold == (0,)


def test_the_vendors_own_figures_are_ours_but_for_reasons_that_have_a_name(centre: Centre) -> None:
    """The emulator works them out in Python from the account's events; nothing is left to explain."""
    with warehouse.connect(centre.settings, "analyst") as connection:
        verdicts = dict(
            connection.execute("select verdict, count(*) from marts.fct_reconciliations group by 1").fetchall()
        )
    assert verdicts.keys() >= {"equal", "left_out", "opened_by_agent", "last_schedule"}
    assert "unexplained" not in verdicts
    assert verdicts["equal"] > 1000

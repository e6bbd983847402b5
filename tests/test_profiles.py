"""One day of the same contacts under every published definition, and the way from one number to the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kefu import catalogue, control, explain, pipeline, publish, transform, warehouse
from kefu.errors import KefuError
from kefu.kpi import Question, ask
from kefu.settings import Settings, SourceSettings

pytestmark = pytest.mark.slow

DAY = date(2026, 3, 2)
# 1,000 offered: outcome, seconds waited, how often (worked example of the eight published rules, 2026-11)
CONTACTS = [
    ("answered", 20, 760),
    ("answered", 21, 140),
    ("abandoned", 4, 30),
    ("abandoned", 5, 10),
    ("abandoned", 20, 10),
    ("abandoned", 21, 30),
    ("callback_requested", 20, 10),
    ("callback_requested", 40, 5),
    ("voicemail", 60, 5),
]
SERVICE_LEVELS = {
    "kefu": 760 / 950,
    "amazon_connect": 820 / 1000,
    "genesys_answered": 760 / 900,
    "genesys_abandons": 760 / 950,
    "genesys_all": 760 / 1000,
    "talkdesk_contacts": 760 / 970,
    "cisco_ignored": 760 / 950,
    "cisco_positive": 810 / 1000,
    "cisco_negative": 760 / 1000,
    "xcally": 760 / 930,
}
ABANDON_RATES = {"kefu": 50 / 970, "amazon_connect": 80 / 1000, "ccai": 50 / 950}


@pytest.fixture(scope="module")
def day(new_warehouse: Callable[..., Settings]) -> Settings:
    """The day, built and published."""
    settings = new_warehouse(
        sources={"desk": SourceSettings(name="desk", kind="files", options={"mapping": "desk.yml"})}
    )
    pipeline.prepare(settings)
    start = datetime(2026, 3, 2, 1, tzinfo=UTC)
    with warehouse.connect(settings, "loader") as connection:
        number = 0
        for outcome, waited, times in CONTACTS:
            for _ in range(times):
                number += 1
                connection.execute(
                    "insert into raw_desk.calls (call_id, direction, channel, queue, outcome, wait_seconds, started_at,"
                    " queued_at, ended_at, _file, _line, _load_id, _loaded_at) values (%s, 'inbound', 'voice', 'q', %s,"
                    " %s, %s, %s, %s, 'day.csv', %s, 'by hand', %s)",
                    [number, outcome, waited, start, start, start + timedelta(seconds=waited), number, start],
                )
    current = control.begin_build(settings, "a", datetime(2026, 3, 3, tzinfo=UTC))
    transform.build(settings, current)
    for moment in ("built", "checked"):
        control.mark(settings, current, moment)
    publish.publish(settings, current.slot, as_of=current.as_of_at)
    return settings


@pytest.mark.parametrize(
    ("kpi", "expected"),
    [("service_level", SERVICE_LEVELS), ("abandon_rate", ABANDON_RATES)],
    ids=lambda one: str(one)[:13],
)
def test_one_day_under_every_published_definition(day: Settings, kpi: str, expected: dict[str, float]) -> None:
    found = {profile: ask(day, Question(kpi, profile=profile))[0]["value"] for profile in expected}
    assert found == expected
    assert set(expected) == {"kefu", *(one.profile for one in catalogue.load(day.project)[kpi].profiles)}


def test_the_published_spread_is_eight_points(day: Settings) -> None:
    values = {round(100 * value, 1) for value in SERVICE_LEVELS.values()}
    assert values == {84.4, 82.0, 81.7, 81.0, 80.0, 78.4, 76.0}


@pytest.mark.parametrize("to", sorted(set(SERVICE_LEVELS) - {"kefu"}))
@pytest.mark.parametrize("start", ["kefu", "amazon_connect", "xcally"])
def test_the_way_from_one_definition_to_another_accounts_for_every_contact(day: Settings, start: str, to: str) -> None:
    told = explain.explain(day, "service_level", from_profile=start, to_profile=to, first=DAY, last=DAY)
    assert told.contacts() == 1000
    assert told.from_value == pytest.approx(SERVICE_LEVELS[start], abs=0)
    assert told.to_value == pytest.approx(SERVICE_LEVELS[to], abs=0)
    assert (told.steps[-1].value if told.steps else told.from_value) == told.to_value
    assert all(step.before != step.after for step in told.steps)


def test_the_steps_say_who_moved(day: Settings) -> None:
    told = explain.explain(day, "service_level", to_profile="cisco_positive", first=DAY, last=DAY)
    moved: dict[str, Any] = {step.name: (step.contacts, step.before, step.after) for step in told.steps}
    assert moved == {
        "short abandon": (30, "left out", "counted, as met"),
        "abandoned within the target": (20, "counted, as missed", "counted, as met"),
        "call-back asked for within the target": (10, "left out", "counted, as missed"),
        "call-back asked for later": (5, "left out", "counted, as missed"),
        "voicemail, overflow, closed or unfinished": (5, "left out", "counted, as missed"),
    }
    assert explain.rows(told, "zh")[-1]["联络数"] == 1000


def test_a_definition_that_is_none_and_a_kpi_without_classes_are_refused(day: Settings) -> None:
    with pytest.raises(KefuError, match="has no profile 'amazon'"):
        explain.explain(day, "service_level", to_profile="amazon")
    with pytest.raises(KefuError, match="has no profile"):
        ask(day, Question("service_level", profile="none"))
    with pytest.raises(KefuError, match="no count of the same contacts"):
        explain.explain(day, "average_talk_time", to_profile="kefu")

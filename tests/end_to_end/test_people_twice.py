"""The simulator's truth and the raw rows its systems left tell the same of people: two ways down to the same count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kefu import catalogue
from kefu.settings import project_root
from tests.end_to_end import centre_people, people_rules, raw_facts, raw_people
from tests.end_to_end.conftest import Centre
from tests.end_to_end.independent import KPIS, answers

pytestmark = pytest.mark.slow

CATALOGUE = catalogue.load(project_root())
FRAMES = ("agent_days", "evaluations", "reviewed")


@pytest.fixture(scope="module")
def twice(centre: Centre) -> tuple[Any, Any]:
    """What is known of people from the truth, and from raw rows."""
    zone = ZoneInfo(centre.zone)
    known = centre_people.frames(
        centre.truth, centre.zone, centre.as_of, lambda text: raw_facts._at(text).astimezone(zone).date()
    )
    told = raw_people.frames(raw_facts.read(centre.settings), centre.settings, centre.as_of)
    return SimpleNamespace(**known), SimpleNamespace(**told)


@pytest.mark.parametrize("kpi", [name for name, (frame, _) in KPIS.items() if frame in FRAMES])
def test_raw_rows_say_what_the_truth_says(twice: tuple[Any, Any], kpi: str) -> None:
    known, told = twice
    for by in ((), *((name,) for name in CATALOGUE[kpi].dimensions)):
        found = answers(told, kpi, "day", by)
        assert found == answers(known, kpi, "day", by), by
        assert any(answer.n for answer in found.values())


def test_both_have_every_agent_and_day(twice: tuple[Any, Any]) -> None:
    known, told = twice
    keys = ["date", "team", *people_rules.AGENT_DAYS[4:]]
    frames = [one.agent_days[keys].sort_values(keys).reset_index(drop=True) for one in (known, told)]
    assert len(frames[0]) > 500
    assert frames[0].equals(frames[1])

"""The recipes for analysts: each says in both languages what it answers, and runs on what is published."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kefu import golden, kpi, transform, warehouse
from kefu.kpi import Question
from kefu.settings import project_root
from tests.golden.conftest import Told

ANALYSES = sorted((project_root() / "dbt_project" / "analyses").glob("*.sql"))
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture(scope="module")
def centre(told: Callable[[golden.Golden], Told]) -> Told:
    """The warehouse of the stories under the default parameters."""
    return told(next(one for one in golden.load(project_root()) if not one.case.parameters))


@pytest.fixture(scope="module")
def compiled(centre: Told) -> dict[str, str]:
    """Every recipe as dbt compiles it, over what readers see."""
    status, lines = transform.run_dbt(centre.settings, "a", ["compile", "--select", "resource_type:analysis"])
    assert status == 0, "\n".join(lines)
    folder = centre.settings.home / "dbt" / "slot_a" / "compiled" / "kefu" / "analyses"
    return {
        path.stem: re.sub(r'"?\b(marts|kpis)_a\b"?', r"\1", path.read_text(encoding="utf-8"))
        for path in folder.glob("*.sql")
    }


def ask(centre: Told, text: str) -> list[dict[str, Any]]:
    """The rows of a recipe, as an analyst gets them."""
    with warehouse.connect(centre.settings, "analyst") as connection:
        cursor = connection.execute(text.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def test_there_are_ten_recipes_at_least() -> None:
    assert len(ANALYSES) >= 10


@pytest.mark.parametrize("path", ANALYSES, ids=lambda path: path.stem)
def test_a_recipe_says_in_both_languages_what_it_answers(path: Path) -> None:
    english, chinese = path.read_text(encoding="utf-8").splitlines()[:2]
    assert english.startswith("-- ") and "?" in english and not CHINESE.search(english)
    assert chinese.startswith("-- ") and "？" in chinese


@pytest.mark.slow
@pytest.mark.parametrize("path", ANALYSES, ids=lambda path: path.stem)
def test_a_recipe_runs_for_an_analyst_and_finds_something(centre: Told, compiled: dict[str, str], path: Path) -> None:
    assert ask(centre, compiled[path.stem])


@pytest.mark.slow
def test_recipes_add_up_to_the_kpis(centre: Told, compiled: dict[str, str]) -> None:
    [level] = kpi.ask(centre.settings, Question("service_level"))
    by_hour = ask(centre, compiled["service_level_by_interval"])
    assert sum(row["answered_in_target"] for row in by_hour) == level["numerator"]
    assert sum(row["answered_or_abandoned"] for row in by_hour) == level["denominator"]
    [replies] = kpi.ask(centre.settings, Question("first_reply_time"))
    assert sum(row["replied"] for row in ask(centre, compiled["first_reply_distribution"])) == replies["n"]
    [backlog] = kpi.ask(centre.settings, Question("backlog"))
    assert sum(row["open_tickets"] for row in ask(centre, compiled["open_tickets_by_age"])) == backlog["value"]
    [talk] = kpi.ask(centre.settings, Question("average_talk_time"))
    assert sum(row["legs"] for row in ask(centre, compiled["handle_time_by_agent_leg"])) == talk["n"]

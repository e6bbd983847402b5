"""What was published stays what it was, whatever comes later: a real build, then late data, then another definition.

Each is built by dbt, checked and published, and asked for with the command. Numbers are worked out by hand. That any
table, column or roll-back is kept to the last digit is shown on invented tables in tests/test_history.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from kefu import catalogue, control, golden, history, kpi, warehouse, yaml_files
from kefu.settings import Settings
from tests.golden import ask_metricflow, telling
from tests.golden.conftest import deliver, land, turn

pytestmark = pytest.mark.slow

ZONE = ZoneInfo("Asia/Shanghai")
STORY = """
title:
  en: "One call is lost at once, one after a while, and one is told of late"
  zh: "一通立即放弃，一通稍后放弃，另一通迟到"
rules: [E01, E17]
parameters: {reporting_zone: Asia/Shanghai, as_of: 2026-11-01}
story:
  exported_calls:
    - {call: talked, times: 2, arrives: 2026-10-05 10:00:00, queue: returns, outcome: answered, agent: Ann,
       wait_seconds: 10, talk_seconds: 60, transfers: 0}
    - {call: lost, arrives: 2026-10-05 10:10:00, queue: returns, outcome: abandoned, wait_seconds: 30}
    - {call: at_once, arrives: 2026-10-05 10:15:00, queue: returns, outcome: abandoned, wait_seconds: 3}
    - {call: belated, arrives: 2026-10-06 10:20:00, queue: returns, outcome: abandoned, wait_seconds: 40, is_late: true}
expect:
  kpis: [{kpi: offered, value: 5}]
"""
# Version 1 leaves short abandons out of both sides, version 2 counts every call.
BY_HAND = {
    "first": {1: (1, 3)},
    "late call": {1: (2, 4)},
    "new definition": {1: (2, 4), 2: (3, 5)},
}

Everything = dict[tuple[str, ...], list[dict[str, Any]]]


@dataclass(frozen=True)
class Centre:
    """A warehouse that published three times, a day apart."""

    settings: Settings  # with the project as it was at last
    days: dict[str, date]  # by what was new
    said: dict[str, Everything]  # by what was new: every KPI right after the publication


@pytest.fixture(scope="module")
def centre(new_warehouse: Callable[..., Settings], project: Path, tmp_path_factory: pytest.TempPathFactory) -> Centre:
    """Three publications: of the story, with its late call, and by another definition."""
    folder = tmp_path_factory.mktemp("versions")
    path = folder / "99_versions.yaml"
    path.write_text(STORY, encoding="utf-8")
    case = golden.read(path)
    one = golden.Golden(number=99, slug="versions", path=path, told=STORY, case=case)
    settings, centres = land(new_warehouse, [one])
    said = {}
    turn(settings, case)
    said["first"] = everything(settings)
    deliver(settings, telling.late_rows(centres.values()))
    turn(settings, case)
    said["late call"] = everything(settings)
    later = settings.model_copy(update={"project": redefined(project, folder / "project")})
    turn(later, case)
    said["new definition"] = everything(later)
    return Centre(later, a_day_apart(later, list(said)), said)


def redefined(project: Path, root: Path) -> Path:
    """The project with a second version of the abandon rate; the first one stays and is computed on."""
    shutil.copytree(project / "dbt_project", root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copytree(project / "docs", root / "docs", ignore=shutil.ignore_patterns("images"))
    (root / "expectations").symlink_to(project / "expectations")
    path = root / "dbt_project" / "models" / "kpis" / "kpi_telephony_hourly.yml"
    content = yaml_files.read(path)
    [metrics] = [model["metrics"] for model in content["models"] if model["name"] == "kpi_telephony_hourly"]
    [rate] = [metric for metric in metrics if metric["name"] == "abandon_rate"]
    meta = rate["config"]["meta"]
    words = {name: meta[name] for name in ("description", "definition")}
    earlier = {
        **rate,
        "name": "abandon_rate_v1",
        "label": "Abandon rate, version 1",
        "config": {"meta": {"version_of": "abandon_rate", **words}},
    }
    rate |= {"numerator": "every_abandoned", "denominator": "offered"}
    meta |= {
        "description": {"en": "Every abandon / every offered contact.", "zh": "全部放弃量 / 全部进线量。"},
        "definition": {"version": 2, "since": "2026-11-02", "source": "short abandons are no longer left out"},
    }
    metrics.append(earlier)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    catalogue.generate(root)
    return root


def everything(settings: Settings, as_reported: Any = None) -> Everything:
    """Every KPI under every definition, in total and by day."""
    found = {}
    with warehouse.connect(settings, "analyst") as reader:
        for one in catalogue.load(settings.project).values():
            for defined in one.definitions():
                for grain in ("total", "day"):
                    question = kpi.Question(
                        one.id, grain=grain, profile=defined.profile, version=defined.version, as_reported=as_reported
                    )
                    key = (one.id, defined.profile, str(defined.version), grain)
                    found[key] = kpi.ask(settings, question, reader)
    return found


def a_day_apart(settings: Settings, names: list[str]) -> dict[str, date]:
    """Put the publications a day apart, the last one today; the days on which readers first saw them."""
    with warehouse.connect(settings) as connection:
        for table in ("control.publications", "kpis_history.publications"):
            connection.execute(
                f"update {table} set published_at = published_at"
                f" - ((select max(publication_id) from {table}) - publication_id) * interval '24 hours'".encode()
            )
        publications = history.publications(connection)
    return {name: one.published_at.astimezone(ZONE).date() for name, one in zip(names, publications, strict=True)}


@pytest.fixture
def kefu(centre: Centre, tmp_path: Path) -> Callable[..., Any]:
    """The command in a process of its own: its answer, or what it complains about."""
    (tmp_path / "kefu.toml").write_text(
        f'reporting_zone = "{ZONE.key}"\n[warehouse]\ndatabase = "{centre.settings.warehouse.database}"\n',
        encoding="utf-8",
    )
    told = {
        "KEFU_CONFIG": str(tmp_path / "kefu.toml"),
        "KEFU_HOME": str(centre.settings.home),
        "KEFU_PROJECT": str(centre.settings.project),
    }

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "kefu.cli", *arguments, "--format", "json"],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return run


def rate(version: int, sides: tuple[int, int]) -> tuple[int, float, int, int]:
    """What an answer says of a rate."""
    return version, sides[0] / sides[1], *sides


def told(answer: Any) -> tuple[Any, ...]:
    """The same of a row."""
    [row] = answer
    return row["version"], row["value"], row["numerator"], row["denominator"]


@pytest.mark.parametrize("what", BY_HAND)
def test_a_day_says_what_was_published_then(centre: Centre, kefu: Callable[..., Any], what: str) -> None:
    day, versions = centre.days[what], BY_HAND[what]
    then = ("kpi", "abandon_rate", "--as-reported", str(day))
    assert told(kefu(*then)) == rate(max(versions), versions[max(versions)])
    for version, sides in versions.items():
        assert told(kefu(*then, "--version", str(version))) == rate(version, sides)
    if 2 not in versions:
        assert "version 2 under profile 'kefu' was no KPI then" in kefu(*then, "--version", "2")


def test_both_definitions_are_computed_side_by_side(centre: Centre, kefu: Callable[..., Any], tmp_path: Path) -> None:
    """By the command, by the SQL the documentation prints, and by MetricFlow."""
    new, old = (rate(version, BY_HAND["new definition"][version]) for version in (2, 1))
    assert told(kefu("kpi", "abandon_rate")) == told(kefu("kpi", "abandon_rate", "--version", "2")) == new
    assert told(kefu("kpi", "abandon_rate", "--version", "1")) == old
    page = (centre.settings.project / "docs" / "kpis.md").read_text(encoding="utf-8").split("\n## abandon_rate\n")[1]
    page = page.split("\n## ")[0]
    [now] = re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL)
    [before] = re.findall(r"^\| 1 \| `kefu` \|.*\| `([^`]+)` \|$", page, flags=re.MULTILINE)
    with warehouse.connect(centre.settings, "analyst") as analyst:
        for query, value in ((now, new[1]), (f"select {before} from kpis.kpi_telephony_hourly", old[1])):
            assert analyst.execute(query.encode()).fetchall() == [(value,)]
    assert by_metricflow(centre.settings, ["abandon_rate", "abandon_rate_v1"], tmp_path) == [
        {"abandon_rate": new[1], "abandon_rate_v1": old[1]}
    ]


def by_metricflow(settings: Settings, metrics: list[str], folder: Path) -> Any:
    """What MetricFlow says of metrics in total, on the project as it was built last."""
    for path in (settings.project / "dbt_project").iterdir():
        (folder / path.name).symlink_to(path)
    slot = control.current_build(settings).slot
    shutil.copytree(settings.home / "dbt" / f"slot_{slot}", folder / "target")
    return ask_metricflow.answers(settings, folder, [{"metrics": metrics, "group_by": []}])[0]


def test_before_the_first_publication_nothing_was_said(centre: Centre, kefu: Callable[..., Any]) -> None:
    day = centre.days["first"] - timedelta(days=1)
    assert "is not known" in kefu("kpi", "abandon_rate", "--as-reported", str(day))


def test_every_kpi_of_a_day_is_that_of_its_publication(centre: Centre) -> None:
    """To the last digit; what the definition in force now has, publications before it had not."""
    with warehouse.connect(centre.settings, "analyst") as connection:
        publications = history.publications(connection)
    assert len(publications) == len(centre.said) == 3
    for was, publication in zip(centre.said.values(), publications, strict=True):
        with warehouse.connect(centre.settings, "analyst") as reader:
            for (name, profile, version, grain), rows in was.items():
                question = kpi.Question(
                    name,
                    grain=grain,
                    profile=profile,
                    version=int(version),
                    as_reported=publication.published_at,
                )
                assert kpi.ask(centre.settings, question, reader) == rows, (name, profile, version, grain)
    first, second, third = centre.said.values()
    assert {name for name, rows in second.items() if rows != first[name]} >= {
        (name, "kefu", "1", "day") for name in ("offered", "abandon_rate", "service_level")
    }
    # by the same data as before: only what was defined anew is another number
    assert {name[0] for name, rows in third.items() if rows != second.get(name)} == {"abandon_rate"}

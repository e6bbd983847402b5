"""One number everywhere: for every KPI, grain and allowed dimension of the catalogue, the SQL of docs/kpis.md as an
analyst runs it, MetricFlow, `kefu kpi` and an independent count of the raw rows agree.

MetricFlow is asked about the stories told under the defaults, most of them: it reads KPI tables as the SQL does, and
takes minutes.

Generated from the catalogue: a KPI that is added is tested here, and fails until somebody has counted it a second time
(tests/end_to_end/independent.py says how, raw_facts.py from which raw rows). All stories are in it, those told under
other parameters, too. That Superset says the same is shown where it runs (tests/demo/test_superset_numbers.py).
"""

from __future__ import annotations

import math
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
import pytest

from kefu import catalogue, control, golden, kpi, warehouse, yaml_files
from kefu.catalogue import DIMENSION_COLUMNS, GRAINS, Kpi
from kefu.settings import Settings, project_root
from tests.end_to_end import independent, profiles, raw_facts
from tests.end_to_end.independent import Facts
from tests.golden import ask_metricflow, telling
from tests.golden.conftest import Told

pytestmark = pytest.mark.slow

PROJECT = project_root()
KPIS = catalogue.load(PROJECT)
DEFINITIONS = [(one.id, profile.profile) for one in KPIS.values() for profile in (one, *one.profiles)]

# KPIs nobody has counted a second time yet. It is meant to be empty.
NOT_COUNTED_TWICE: frozenset[str] = frozenset()

Key = tuple[Any, ...]  # start of the period, then the dimension's value


def groups() -> Iterator[Any]:
    """Of the stories that share their parameters, and so a warehouse, the first one."""
    seen = set()
    for one in golden.load(PROJECT):
        group = telling.group_of(one.case)
        if group not in seen:
            seen.add(group)
            yield pytest.param(one, id=f"told like {one.id}")


@pytest.fixture(scope="module", params=groups())
def centre(told: Callable[[golden.Golden], Told], request: pytest.FixtureRequest) -> Told:
    """A warehouse of stories: all that are told under the same parameters."""
    return told(request.param)


@pytest.fixture(scope="module")
def counted(centre: Told) -> Facts:
    """The raw rows, counted without the models, as of the time until which the stories are told."""
    case = next(iter(centre.centres.values())).case
    return raw_facts.facts(centre.settings, telling.as_of(case))


@dataclass(frozen=True)
class Reader:
    """Somebody who may read what is published, with one connection for many questions."""

    settings: Settings
    connection: psycopg.Connection[Any]


@pytest.fixture(scope="module")
def reader(centre: Told) -> Iterator[Reader]:
    """An analyst."""
    with warehouse.connect(centre.settings, "analyst") as connection:
        yield Reader(centre.settings, connection)


def splits(one: Kpi) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every grain, whole and by each dimension."""
    for grain in GRAINS:
        if grain in one.grains:
            yield from ((grain, by) for by in ((), *((name,) for name in one.dimensions)))


# --- the same numbers by four ways -----------------------------------------------------------------------------------


def by_kefu(reader: Reader, one: Kpi, grain: str, by: tuple[str, ...]) -> dict[Key, dict[str, Any]]:
    """`kefu kpi`."""
    question = kpi.Question(one.id, grain=grain, by=by, profile=one.profile)
    rows = kpi.ask(reader.settings, question, reader.connection)
    return {(None if grain == "total" else str(row["from"]), *(row[name] for name in by)): row for row in rows}


def by_hand(reader: Reader, one: Kpi, grain: str, by: tuple[str, ...]) -> dict[Key, float | None]:
    """The SQL printed in docs/kpis.md, with the period and the dimension grouped by as an analyst would."""
    period = "service_date" if grain == "day" else f"date_trunc('{grain}', service_date)::date"
    groups = ([] if grain == "total" else [period]) + [DIMENSION_COLUMNS[name] for name in by]
    text = printed_sql()[one.id, one.profile]
    if groups:
        text = text.replace("select ", f"select {', '.join(groups)}, ", 1) + f" group by {', '.join(groups)}"
    rows = reader.connection.execute(text.encode()).fetchall()
    found = {}
    for row in rows:
        *key, value = row
        start = None if grain == "total" else str(key.pop(0))
        found[start, *key] = None if value is None else float(value)
    return found


@cache
def printed_sql() -> dict[tuple[str, str], str]:
    """What docs/kpis.md tells an analyst to run, by KPI and profile."""
    found = {}
    page = (PROJECT / "docs" / "kpis.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        name = section.split("\n", 1)[0].strip()
        if block := re.search(r"```sql\n(.*?)```", section, flags=re.DOTALL):
            found[name, catalogue.PROFILE] = block[1].strip()
            table = block[1].strip().splitlines()[-1]
            for profile, text in re.findall(r"^\| `(\w+)` \|.*\| `([^`]+)` \|$", section, flags=re.MULTILINE):
                found[name, profile] = f"select {text} as value\n{table}"
    return found


Answers = dict[tuple[str, str, Key], dict[Key, Any]]


@pytest.fixture(scope="module")
def metricflow(centre: Told, tmp_path_factory: pytest.TempPathFactory) -> Answers | None:
    """MetricFlow's answers by metric, grain and split: all questions in one process, all metrics of a table at once;
    None for stories told under parameters of their own."""
    if next(iter(centre.centres.values())).case.parameters:
        return None
    entities = primary_entities()
    batches: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for one, profile in DEFINITIONS:
        asked = KPIS[one].under(profile)
        for grain, by in splits(asked) if asked.in_metricflow else ():
            batches[asked.table, grain, by].append(asked.metric)
    questions = []
    for (table, grain, by), metrics in batches.items():
        names = [] if grain == "total" else [f"metric_time__{grain}"]
        names += [f"{entities[table]}__{DIMENSION_COLUMNS[name]}" for name in by]
        questions.append({"metrics": metrics, "group_by": names})
    folder = tmp_path_factory.mktemp("semantic_layer")
    for path in (PROJECT / "dbt_project").iterdir():
        if path.name != "target":
            (folder / path.name).symlink_to(path)
    slot = control.current_build(centre.settings).slot
    shutil.copytree(centre.settings.home / "dbt" / f"slot_{slot}", folder / "target")
    answers = ask_metricflow.answers(centre.settings, folder, questions)
    found: dict[tuple[str, str, Key], dict[Key, Any]] = {}
    for ((_, grain, by), metrics), question, rows in zip(batches.items(), questions, answers, strict=True):
        names = [str(name) for name in question["group_by"]]
        for metric in metrics:
            found[metric, grain, by] = {key_of(grain, names, row): row[metric] for row in rows}
    return found


def key_of(grain: str, names: list[str], row: dict[str, Any]) -> Key:
    """The start of the period and the dimension's value, from a row of MetricFlow's."""
    values = [str(row[name]) for name in names]
    return (None, *values) if grain == "total" else (values[0][:10], *values[1:])


def primary_entities() -> dict[str, str]:
    """The entity MetricFlow's names of a table's dimensions begin with."""
    found = {}
    for path in (PROJECT / "dbt_project" / "models" / "kpis").glob("*.yml"):
        for model in yaml_files.read(path).get("models", ()):  # or only unit tests
            if "primary_entity" in model:
                found[model["name"]] = model["primary_entity"]
                # what MetricFlow forms percentiles of is counted by band in a table of its own
                if bands := model.get("config", {}).get("meta", {}).get("bands"):
                    found[bands] = model["primary_entity"]
    return found


# --- the tests -------------------------------------------------------------------------------------------------------


def is_counted_twice(counted: Facts, name: str) -> bool:
    """Whether the KPI has a second implementation, down to the raw rows."""
    if name not in independent.KPIS:
        return False
    rests_on, _ = independent.KPIS[name]
    return getattr(counted, rests_on, None) is not None


def test_every_kpi_has_been_counted_a_second_time(counted: Facts) -> None:
    without = {name for name in KPIS if not is_counted_twice(counted, name)}
    assert without == NOT_COUNTED_TWICE, "count these a second time: tests/end_to_end/independent.py, raw_facts.py"


@pytest.mark.parametrize(("name", "profile"), DEFINITIONS)
def test_the_catalogues_sql_metricflow_and_kefu_kpi_agree(
    reader: Reader, metricflow: Answers | None, name: str, profile: str
) -> None:
    one = KPIS[name].under(profile)
    for grain, by in splits(one):
        ours = {key: row["value"] for key, row in by_kefu(reader, one, grain, by).items()}
        # without groups SQL has a row even for nothing at all
        nothing: dict[Key, Any] = {(None,): None} if (grain, by) == ("total", ()) else {}
        assert by_hand(reader, one, grain, by) == (ours or nothing), (grain, by)
        if metricflow is None or not one.in_metricflow:
            continue
        theirs = {key: value for key, value in metricflow[one.metric, grain, by].items() if value is not None}
        # MetricFlow leaves out what it has no value for
        assert theirs == {key: value for key, value in ours.items() if value is not None}, (grain, by)


@pytest.mark.parametrize("name", [name for name in KPIS if name not in NOT_COUNTED_TWICE])
def test_what_the_models_count_is_what_raw_rows_say(reader: Reader, counted: Facts, name: str) -> None:
    assert is_counted_twice(counted, name)
    compare(reader, counted, KPIS[name], independent.KPIS[name])


def test_every_profile_has_been_counted_a_second_time_or_on_paper() -> None:
    known = {(name, profile) for name, profile in DEFINITIONS if profile != catalogue.PROFILE}
    assert set(profiles.PROFILES) == known - profiles.ON_PAPER


@pytest.mark.parametrize(("name", "profile"), profiles.PROFILES)
def test_published_definitions_are_what_raw_rows_say(reader: Reader, counted: Facts, name: str, profile: str) -> None:
    compare(reader, counted, KPIS[name].under(profile), profiles.PROFILES[name, profile])


def compare(reader: Reader, counted: Facts, one: Kpi, how: tuple[str, independent.Formula]) -> None:
    """`kefu kpi` against a count of raw rows, at every grain and by every dimension."""
    for grain, by in splits(one):
        expected = {
            (None if key[0] is None else str(key[0]), *key[1:]): answer
            for key, answer in independent.answers(counted, one.id, grain, by, how).items()
            if answer.n
        }
        # parts of several KPIs share a row: one without its own n says nothing of this KPI
        found = {key: row for key, row in by_kefu(reader, one, grain, by).items() if row["n"]}
        assert found.keys() == expected.keys(), (grain, by)
        for key, answer in expected.items():
            row = found[key]
            assert (row["value"], row["numerator"], row["n"]) == (answer.value, answer.numerator, answer.n), (
                grain,
                key,
            )
            for end in ("low", "high"):
                mine = getattr(answer, end)
                assert (row[end] is None) == (mine is None), (grain, key, end)
                assert mine is None or math.isclose(row[end], mine, rel_tol=1e-9, abs_tol=1e-12), (grain, key, end)

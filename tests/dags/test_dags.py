"""The DAGs as Airflow itself reads them: which there are, what they wait for, what they say of themselves."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

CONFIGURATION = """
[sources.zendesk]
base_url = "https://acme.zendesk.com"
email = "robot@acme.example"
start_date = "2026-01-01"

[sources.asterisk]
path = "/var/log/asterisk/queue_log*"

[sources.qualtrics]
base_url = "https://fra1.qualtrics.com"
surveys = ["SV_1"]

[sources.bank]
kind = "files"
enabled = false
mapping = "bank.yml"
"""

# Every DAG, its tasks with what follows each, and what each task announces.
SNAPSHOT: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    **{
        f"ingest_{source}": {
            "extract": (["check_raw_expectations"], []),
            "check_raw_expectations": ([], [f"raw_{source}"]),
        }
        for source in ("zendesk", "asterisk", "qualtrics")
    },
    "build_warehouse": {
        "build_canonical": (["build_marts"], []),
        "build_marts": (["build_kpis"], []),
        "build_kpis": (["check_published_expectations"], []),
        "check_published_expectations": (["publish"], []),
        "publish": ([], ["kpis"]),
    },
    "refresh_dashboards": {"refresh_dashboards": ([], [])},
}


def read(project: Path, folder: Path, configuration: str) -> DagBag:
    with pytest.MonkeyPatch.context() as patch:
        (folder / "kefu.toml").write_text(configuration, encoding="utf-8")
        patch.setenv("KEFU_CONFIG", str(folder / "kefu.toml"))
        patch.setenv("KEFU_HOME", str(folder / "home"))
        from airflow.dag_processing.dagbag import DagBag

        return DagBag(project / "dags", bundle_path=project / "dags")


@pytest.fixture(scope="module")
def bag(project: Path, tmp_path_factory: pytest.TempPathFactory) -> DagBag:
    return read(project, tmp_path_factory.mktemp("dags"), CONFIGURATION)


@pytest.fixture(scope="module")
def dags(bag: DagBag) -> dict[str, Any]:
    return dict(bag.dags)


def test_every_file_is_read_without_error(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}


def test_an_enabled_source_has_a_dag_and_a_disabled_one_has_none(dags: dict[str, Any]) -> None:
    assert set(dags) == set(SNAPSHOT)


def test_the_task_graph_is_the_snapshot(dags: dict[str, Any]) -> None:
    found = {
        name: {
            task.task_id: (sorted(task.downstream_task_ids), [asset.name for asset in task.outlets])
            for task in dag.tasks
        }
        for name, dag in dags.items()
    }
    assert found == SNAPSHOT


def test_the_tasks_are_the_functions_of_the_pipeline(dags: dict[str, Any]) -> None:
    from kefu import pipeline

    called = {
        (name, task.task_id): (task.python_callable, task.op_args) for name, dag in dags.items() for task in dag.tasks
    }
    assert called["ingest_zendesk", "extract"] == (pipeline.extract, (["zendesk"],))
    assert called["ingest_zendesk", "check_raw_expectations"] == (pipeline.check_raw, (["zendesk"],))
    assert called["build_warehouse", "build_marts"] == (pipeline.build, (["marts"],))
    assert called["build_warehouse", "check_published_expectations"] == (pipeline.check_published, ())
    assert called["build_warehouse", "publish"] == (pipeline.publish, ())
    assert called["refresh_dashboards", "refresh_dashboards"] == (pipeline.refresh_dashboards, ())


def test_the_layers_built_are_those_of_the_pipeline(dags: dict[str, Any]) -> None:
    from kefu import transform

    built = [task.task_id for task in dags["build_warehouse"].topological_sort() if "build_" in task.task_id]
    assert built == [f"build_{layer}" for layer in transform.LAYERS]


def test_a_build_waits_for_any_source_and_the_dashboards_for_the_kpis(dags: dict[str, Any]) -> None:
    from airflow.sdk import AssetAny

    condition = dags["build_warehouse"].timetable.asset_condition
    assert isinstance(condition, AssetAny)
    assert {getattr(asset, "name", None) for asset in condition.objects} == {
        "raw_zendesk",
        "raw_asterisk",
        "raw_qualtrics",
    }
    [kpis] = dags["refresh_dashboards"].timetable.asset_condition.objects
    assert kpis.name == "kpis"


def test_no_two_runs_of_a_dag_at_once_and_no_catching_up(dags: dict[str, Any]) -> None:
    assert {dag.max_active_runs for dag in dags.values()} == {1}
    assert {dag.catchup for dag in dags.values()} == {False}


def test_every_dag_has_an_owner_and_tags(dags: dict[str, Any]) -> None:
    for name, dag in dags.items():
        assert dag.tags, name
        assert {task.owner for task in dag.tasks} == {"data-engineering"}, name


def test_every_dag_says_how_to_run_it_again(dags: dict[str, Any]) -> None:
    for name, dag in dags.items():
        assert "\nRe-running: " in (dag.doc_md or ""), name


def test_what_may_pass_is_tried_again_and_a_failed_check_is_not(dags: dict[str, Any]) -> None:
    retries = {(name, task.task_id): task.retries for name, dag in dags.items() for task in dag.tasks}
    assert retries["ingest_zendesk", "extract"] == 3
    assert {count for (_, task), count in retries.items() if task.startswith("build_")} == {1}
    assert {count for (_, task), count in retries.items() if task.startswith("check_")} == {0}
    assert retries["build_warehouse", "publish"] == retries["refresh_dashboards", "refresh_dashboards"] == 3
    assert all(task.retry_exponential_backoff for dag in dags.values() for task in dag.tasks)


def test_a_source_may_have_a_schedule_of_its_own(project: Path, tmp_path: Path) -> None:
    bag = read(project, tmp_path, '[sources.asterisk]\nschedule = "5 6 * * *"\npath = "queue_log*"\n')
    assert bag.import_errors == {}
    assert getattr(bag.dags["ingest_asterisk"].timetable, "expression", None) == "5 6 * * *"


def test_files_are_short_and_import_airflow_first(project: Path) -> None:
    files = sorted((project / "dags").glob("*.py"))
    assert [file.name for file in files] == [
        "build_warehouse.py",
        "ingest_sources.py",
        "refresh_dashboards.py",
    ]
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 40, file.name
        imports = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert isinstance(imports[0], ast.ImportFrom), file.name
        assert imports[0].module == "airflow.sdk", file.name


def test_without_any_source_the_other_dags_are_still_read(project: Path, tmp_path: Path) -> None:
    bag = read(project, tmp_path, "")
    assert bag.import_errors == {}
    assert set(bag.dags) == {"build_warehouse", "refresh_dashboards"}


def test_the_index_names_every_dag(project: Path) -> None:
    index = (project / "dags" / "README.md").read_text(encoding="utf-8")
    for name in ("ingest_<source>", "build_warehouse", "refresh_dashboards"):
        assert f"`{name}`" in index

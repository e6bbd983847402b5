"""Driving the DAGs: what is waited for, what is triggered, what is a failure. Airflow here is a script of answers;
the end-to-end test drives the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.stack import airflow, follow, keeper

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


@dataclass
class Airflow:
    """Runs by DAG, newest first; ``story`` changes them, one step a look."""

    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    story: list[Callable[[Airflow], None]] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)
    turned_on: list[str] = field(default_factory=list)
    outcome: str = "success"  # of what is triggered

    def add(self, dag: str, state: str, start: float, end: float | None = None) -> None:
        times = {"start_date": at(start), "end_date": at(end) if end is not None else None}
        runs = self.history.setdefault(dag, [])
        runs.insert(0, {"dag_run_id": f"{dag}-{len(runs)}", "state": state, **times})

    def set(self, dag: str, state: str, end: float) -> None:
        self.history[dag][0] |= {"state": state, "end_date": at(end)}

    def dags(self) -> dict[str, bool]:
        return dict.fromkeys(["ingest_zendesk", "ingest_asterisk", *follow.DOWNSTREAM], True)

    def import_errors(self) -> list[tuple[datetime, str]]:
        return []

    def unpause(self, dag: str) -> None:
        self.turned_on.append(dag)

    def trigger(self, dag: str) -> str:
        self.triggered.append(dag)
        self.add(dag, self.outcome, 50 * len(self.triggered), 50 * len(self.triggered) + 1)
        return "run"

    def runs(self, dag: str) -> list[dict[str, Any]]:
        return self.history.get(dag, [])

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        [found] = [one for one in self.history[dag] if one["dag_run_id"] == run]
        task = {"task_id": "work", "state": found["state"], "end_date": found["end_date"], "duration": 1.5}
        return [{**task, "try_number": 1}]

    def log(self, *_: object) -> list[dict[str, Any]]:
        return [{"event": "::group::"}, {"event": "failed", "error_detail": [{"exc_value": "there is no bread"}]}]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "kefu.toml").write_text("[sources.zendesk]\n[sources.asterisk]\n", encoding="utf-8")
    monkeypatch.setattr(keeper, "ensure_running", lambda *_: None)
    monkeypatch.setattr(follow, "OWN_RUN_SECONDS", 0)
    (tmp_path / "home" / "airflow").mkdir(parents=True)
    (tmp_path / "home" / "ports.json").write_text('{"airflow": 1}')
    return load_settings(tmp_path / "kefu.toml", tmp_path / "home")


def drive(settings: Settings, monkeypatch: pytest.MonkeyPatch, fake: Airflow) -> list[str]:
    said: list[str] = []

    def sleep(_: float) -> None:
        if fake.story:
            fake.story.pop(0)(fake)

    monkeypatch.setattr(airflow, "Api", lambda _: fake)
    monkeypatch.setattr("time.sleep", sleep)
    follow.through(settings, lambda _: None, said.append)
    return said


def test_what_the_scheduler_starts_by_itself_is_followed_to_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Airflow()
    for dag in ("ingest_zendesk", "ingest_asterisk"):
        fake.add(dag, "running", 0)

    def asterisk_lands(now: Airflow) -> None:
        assert now.turned_on == ["ingest_zendesk", "ingest_asterisk"]
        now.set("ingest_asterisk", "success", 1)

    def zendesk_lands(now: Airflow) -> None:
        now.set("ingest_zendesk", "success", 2)
        now.add("build_warehouse", "running", 2.1)

    def build_ends(now: Airflow) -> None:
        assert set(now.turned_on[2:]) == set(follow.DOWNSTREAM)
        now.set("build_warehouse", "success", 3)
        now.add("refresh_dashboards", "success", 3.1, 4)

    fake.story = [asterisk_lands, lambda _: None, zendesk_lands, lambda _: None, build_ends]
    said = drive(settings, monkeypatch, fake)
    assert fake.triggered == []
    assert "    ✓ build_warehouse.work success (1.5 s)" in said


def test_a_build_that_began_before_the_last_source_landed_does_not_count(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Airflow()
    fake.add("ingest_zendesk", "success", 0, 5)
    fake.add("ingest_asterisk", "success", 0, 1)
    fake.add("build_warehouse", "success", 2, 6)
    fake.add("refresh_dashboards", "success", 6, 7)
    drive(settings, monkeypatch, fake)
    assert fake.triggered == ["build_warehouse", "refresh_dashboards"]


def test_when_everything_succeeded_before_nothing_runs_again_but_all_is_turned_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Airflow()
    fake.add("ingest_zendesk", "success", 0, 1)
    fake.add("ingest_asterisk", "success", 0, 1)
    fake.add("build_warehouse", "success", 2, 3)
    fake.add("refresh_dashboards", "success", 4, 5)
    assert drive(settings, monkeypatch, fake) == []
    assert fake.triggered == []
    assert set(fake.turned_on) == set(fake.dags())
    drive(settings, monkeypatch, fake)
    assert len(fake.turned_on) == 4, "only once: one that was paused by hand stays paused"


def test_what_failed_last_time_is_triggered_again_and_a_new_failure_ends_it_with_the_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Airflow(outcome="failed")
    fake.add("ingest_zendesk", "failed", 0, 1)
    fake.add("ingest_asterisk", "success", 0, 1)
    with pytest.raises(KefuError, match="ingest_zendesk: task work failed") as failure:
        drive(settings, monkeypatch, fake)
    assert "there is no bread" in str(failure.value)
    assert fake.triggered == ["ingest_zendesk"]

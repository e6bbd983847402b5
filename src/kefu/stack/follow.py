"""Drives the DAGs once from source to dashboards in Airflow's real scheduler, and says what happens meanwhile."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.stack import airflow, keeper, state, web
from kefu.stack.console import Say

BUILD, REFRESH = "build_warehouse", "refresh_dashboards"
DOWNSTREAM = (BUILD, REFRESH)
KNOWN_SECONDS = 120  # until Airflow has read the DAG files
OLD_ERROR_SECONDS = 20
OWN_RUN_SECONDS = 8  # within which the scheduler starts what it starts by itself
ACTIVE = ("queued", "running")
LOG_LINES = 30


def through(settings: Settings, say: Say, keep: Say) -> None:
    """See every enabled source ingested, then the warehouse built, then the dashboards refreshed.

    What succeeded before is not done again. ``say`` gets what is under way, ``keep`` what has ended.
    Raises KefuError with the end of the log of the task that failed.
    """
    ingest = [f"ingest_{source.name}" for source in settings.enabled_sources()]
    say("waiting for Airflow to read the DAGs")
    wait_for(settings, [*ingest, *DOWNSTREAM])
    turn_on(settings, ingest)
    watch = _Watch(settings, say, keep)
    # Turned on with the last source under way, one build follows and not one for each source.
    landed = watch.all_done(dict.fromkeys(ingest), before_last=lambda: turn_on(settings, list(DOWNSTREAM)))
    turn_on(settings, list(DOWNSTREAM))
    built = watch.all_done({BUILD: max(landed.values())})
    watch.all_done({REFRESH: built[BUILD]})


def wait_for(settings: Settings, dags: list[str]) -> None:
    """Wait until Airflow knows the DAGs. Raises KefuError if the DAG files cannot be read."""
    api = airflow.Api(settings)
    began = datetime.now(UTC)
    deadline = time.monotonic() + KNOWN_SECONDS
    while missing := [dag for dag in dags if dag not in api.dags()]:
        # An old error may be of a file that has been corrected since and is not read again yet.
        has_waited = datetime.now(UTC) - began > timedelta(seconds=OLD_ERROR_SECONDS)
        errors = [why for at, why in api.import_errors() if at >= began or has_waited]
        if errors:
            raise KefuError(
                "Airflow cannot read the DAG files.",
                found=f"\n{keeper.indented(errors[0].strip())}",
                where=str(settings.project / "dags"),
                do="Correct what it names, then run the same command again.",
            )
        if time.monotonic() > deadline:
            raise KefuError(
                f"Airflow does not know {', '.join(missing)}.",
                where=str(state.log_file(settings, "airflow-dag-processor")),
                do="Read the log; run the same command again.",
            )
        time.sleep(0.5)


def turn_on(settings: Settings, dags: list[str]) -> list[str]:
    """Turn on those of the DAGs that never were, so that one paused by hand stays so. Returns the ones turned on."""
    path = settings.home / "airflow" / "turned_on.json"
    before = state.read_json(path)
    new = [dag for dag in dags if dag not in before]
    if new:
        api = airflow.Api(settings)
        for dag in new:
            api.unpause(dag)
        state.write_whole(path, json.dumps({**before, **dict.fromkeys(new, True)}))
    return new


class _Watch:
    """Looks at runs again and again until they have ended."""

    def __init__(self, settings: Settings, say: Say, keep: Say) -> None:
        self.settings, self.say, self.keep = settings, say, keep
        self.api = airflow.Api(settings)
        self.told: set[tuple[str, str, str, int, str]] = set()

    def all_done(
        self, dags: dict[str, datetime | None], before_last: Callable[[], object] = lambda: None
    ) -> dict[str, datetime]:
        """Wait until each DAG has succeeded, in a run that began after the time given with it; when each ended.

        One the scheduler does not start by itself is triggered, once. ``before_last`` is called before the last of
        them ends.
        """
        triggered, ended = set[str](), dict[str, datetime]()
        idle_since = dict.fromkeys(dags, time.monotonic())
        before = {dag: {run["dag_run_id"] for run in self.api.runs(dag) if run["state"] not in ACTIVE} for dag in dags}
        while len(ended) < len(dags):
            self._see_that_airflow_runs()
            if len(dags) - len(ended) <= 1:
                before_last()
            under_way = []
            for dag, after in dags.items():
                runs = self.api.runs(dag)
                task = ""
                if dag not in ended and runs and runs[0]["dag_run_id"] not in before[dag]:
                    task = self._tell(dag, runs[0])
                active = [run for run in runs if run["state"] in ACTIVE]
                done = [run for run in runs if run["state"] == "success" and _is_after(run, after)]
                failed = [run for run in runs[:1] if run["state"] == "failed"]
                if active:
                    under_way.append(task or dag)
                    ended.pop(dag, None)
                    idle_since[dag] = time.monotonic()
                elif done:
                    ended[dag] = self._last_task_ended(dag, done[0])
                elif failed and failed[0]["dag_run_id"] not in before[dag]:
                    raise self._failure(dag, failed[0])
                elif dag not in triggered and time.monotonic() - idle_since[dag] > OWN_RUN_SECONDS:
                    idle_since[dag] = time.monotonic()
                    with contextlib.suppress(web.NoAnswerError):  # if it was taken all the same, the run shows
                        self.api.trigger(dag)
                        triggered.add(dag)
            self.say(f"{', '.join(under_way)} running" if under_way else "waiting for the scheduler")
            time.sleep(1)
        return ended

    def _see_that_airflow_runs(self) -> None:
        for program in airflow.PROGRAMS:
            keeper.ensure_running(self.settings, program)

    def _tell(self, dag: str, run: dict[str, Any]) -> str:
        """Say which tasks have ended since; returns the one under way."""
        under_way = ""
        for task in self.api.tasks(dag, run["dag_run_id"]):
            state_now = task["state"]
            if state_now == "running":
                under_way = f"{dag}.{task['task_id']}"
            if state_now not in ("success", "failed", "up_for_retry", "upstream_failed"):
                continue
            key = (dag, run["dag_run_id"], task["task_id"], task["try_number"], state_now)
            if key in self.told:
                continue
            self.told.add(key)
            seconds = f"{task['duration']:.1f} s" if task["duration"] is not None else "not run"
            mark = {"success": "✓", "up_for_retry": "↻"}.get(state_now, "✗")
            why = f": {self._why(dag, run, task).splitlines()[0]}" if state_now == "up_for_retry" else ""
            self.keep(f"    {mark} {dag}.{task['task_id']} {state_now.replace('_', ' ')} ({seconds}){why}")
        return under_way

    def _why(self, dag: str, run: dict[str, Any], task: dict[str, Any]) -> str:
        """What ended a task: its exception's words, else the end of its log."""
        try:
            log = self.api.log(dag, run["dag_run_id"], task["task_id"], task["try_number"])
        except KefuError as error:
            return str(error)
        lines = [str(entry.get("event", "")) for entry in log if not str(entry.get("event", "")).startswith("::")]
        return airflow.reason(log) or "\n".join(lines[-LOG_LINES:]) or "it was interrupted"

    def _last_task_ended(self, dag: str, run: dict[str, Any]) -> datetime:
        # Not when the run ended: what a task announced may have started the next DAG before Airflow closed this run.
        ends = [task["end_date"] for task in self.api.tasks(dag, run["dag_run_id"]) if task["end_date"]]
        return max(_instant(end) for end in ends or [run["end_date"]])

    def _failure(self, dag: str, run: dict[str, Any]) -> KefuError:
        failed = [task for task in self.api.tasks(dag, run["dag_run_id"]) if task["state"] == "failed"]
        name, why = (failed[0]["task_id"], self._why(dag, run, failed[0])) if failed else ("(none)", "see its page")
        return KefuError(
            f"{dag}: task {name} failed.",
            found=f"\n{keeper.indented(why)}",
            where=f"{airflow.url(self.settings)}/dags/{dag}/runs/{run['dag_run_id']}",
            do="Correct what it names, then run the same command again: it continues there.",
        )


def _is_after(run: dict[str, Any], after: datetime | None) -> bool:
    return after is None or (run["start_date"] is not None and _instant(run["start_date"]) >= after)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

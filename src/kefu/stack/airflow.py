"""Airflow as plain processes: api-server, scheduler with its LocalExecutor, dag-processor.

No triggerer: Kefu has no deferrable tasks. One user, ``admin``; its password is generated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.stack import metadata, state, web
from kefu.stack.keeper import Program, indented, tail

USER = "admin"
PROGRAMS = {
    "airflow-api-server": ("api-server", "--workers", "1"),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
}
PREFERRED_PORT = 8080


def url(settings: Settings) -> str:
    """Where the web interface is."""
    return f"http://{state.LOOPBACK}:{state.port(settings, 'airflow')}"


def password(settings: Settings) -> str:
    """The generated password of ``admin``."""
    return state.generated(settings, "airflow_admin_password")


def environment(settings: Settings) -> dict[str, str]:
    """The environment of every Airflow process; it holds secrets."""
    home, address = settings.home / "airflow", url(settings)
    airflow = {
        "CORE__DAGS_FOLDER": settings.project / "dags",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 4,
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "CORE__FERNET_KEY": state.generated(settings, "airflow_fernet_key", _fernet_key),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": metadata.database(settings, "airflow"),
        "API__HOST": state.LOOPBACK,
        "API__PORT": state.port(settings, "airflow"),
        "API__BASE_URL": address,
        "API__SECRET_KEY": state.generated(settings, "airflow_api_secret_key", state.long_secret),
        "API_AUTH__JWT_SECRET": state.generated(settings, "airflow_jwt_secret", state.long_secret),
        "LOGGING__BASE_LOG_FOLDER": settings.home / "logs" / "airflow",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 120,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 120,
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        # a second a step otherwise; at a tenth of it, an idle scheduler keeps a sixth of a core busy
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.4,
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    loopback = ",".join(filter(None, (os.environ.get("NO_PROXY"), state.LOOPBACK, "localhost")))
    return {
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": str(value) for name, value in airflow.items()},
        "KEFU_CONFIG": str(settings.config),
        "KEFU_HOME": str(settings.home),
        "KEFU_PROJECT": str(settings.project),
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "GX_ANALYTICS_ENABLED": "false",
    }


def prepare(settings: Settings) -> bool:
    """Bring Airflow's database to the installed version. Returns whether there was anything to do."""
    passwords = state.folder(settings, "airflow") / "passwords.json"
    state.write_whole(passwords, json.dumps({USER: password(settings)}))
    stamp = settings.home / "airflow" / "prepared"
    wanted = f"airflow {version('apache-airflow')}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        metadata.database(settings, "airflow")
        return False
    log = state.log_file(settings, "airflow-prepare")
    with state.locked(settings, "airflow-prepare"), log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=settings.home,
            env={**_inherited(), **environment(settings)},
        )
    if done.returncode:
        raise KefuError(
            "Airflow's database could not be prepared.",
            found=f"its log ends:\n{indented(tail(log))}",
            where=str(log),
            do="Correct what it names, then run the same command again.",
        )
    state.write_whole(stamp, wanted)
    return True


def programs(settings: Settings, secrets: Mapping[str, str] | None = None) -> list[Program]:
    """What has to run; ``secrets`` win over those the environment has."""
    shared = {**environment(settings), **(secrets or {})}
    return [Program(name, (sys.executable, "-m", "airflow", *command), shared) for name, command in PROGRAMS.items()]


def health(settings: Settings) -> dict[str, str]:
    """What each part says of itself: ``healthy`` or what is wrong. KefuError if nobody answers."""
    answer = web.call("GET", f"{url(settings)}/api/v2/monitor/health", seconds=5)
    return {part: answer[part]["status"] or "not heard of" for part in ("metadatabase", "scheduler", "dag_processor")}


class Api:
    """Airflow's REST interface as ``admin``; only what the stack needs."""

    def __init__(self, settings: Settings) -> None:
        """Log in; KefuError if nobody answers."""
        self.base = f"{url(settings)}/api/v2"
        self._token = web.call(
            "POST", f"{url(settings)}/auth/token", body={"username": USER, "password": password(settings)}
        )["access_token"]

    def __call__(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One request below ``/api/v2``; KefuError on refusal.

        What may be asked twice is: under load the scheduler holds a DAG's row for longer than one wants to wait.
        """
        attempts = 1 if method == "POST" else 3
        while True:
            try:
                return web.call(method, f"{self.base}/{path}", token=self._token, body=body, seconds=60)
            except web.NoAnswerError:
                attempts -= 1
                if not attempts:
                    raise

    def dags(self) -> dict[str, bool]:
        """The DAGs Airflow knows, id -> paused."""
        return {dag["dag_id"]: dag["is_paused"] for dag in self("GET", "dags?limit=100")["dags"]}

    def import_errors(self) -> list[tuple[datetime, str]]:
        """When DAG files could not be read, and why."""
        errors = self("GET", "importErrors")["import_errors"]
        return [(datetime.fromisoformat(error["timestamp"]), error["stack_trace"]) for error in errors]

    def unpause(self, dag: str) -> None:
        """Let the scheduler run the DAG."""
        self("PATCH", f"dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str) -> str:
        """Start a run now; its id."""
        return str(self("POST", f"dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"])

    def runs(self, dag: str, limit: int = 10) -> list[dict[str, Any]]:
        """The latest runs, newest first."""
        return list(self("GET", f"dags/{dag}/dagRuns?order_by=-run_after&limit={limit}")["dag_runs"])

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        from urllib.parse import quote

        return list(self("GET", f"dags/{dag}/dagRuns/{quote(run)}/taskInstances")["task_instances"])

    def log(self, dag: str, run: str, task: str, attempt: int) -> list[dict[str, Any]]:
        """What a task wrote in one attempt: entries with ``event`` and, for an exception, ``error_detail``."""
        from urllib.parse import quote

        answer = self("GET", f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/logs/{attempt}")
        return [line if isinstance(line, dict) else {"event": str(line)} for line in answer.get("content", [])]


def reason(log: list[dict[str, Any]]) -> str | None:
    """What the exception said that ended a task, if its log has one."""
    details = [entry["error_detail"] for entry in log if entry.get("error_detail")]
    return str(details[-1][0]["exc_value"]) if details else None


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _fernet_key() -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(os.urandom(32)).decode()

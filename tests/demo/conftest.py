"""The running demo, once for all tests that look at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kefu.settings import Settings, load_settings


@dataclass(frozen=True)
class DemoStack:
    """A running `kefu demo`: what it printed, how long it took, and how to get in."""

    settings: Settings
    superset_url: str
    passwords: dict[str, str]
    output: str
    seconds: float


def _hold_still(settings: Settings) -> None:
    """No source is read at its hour: what a page shows and what SQL says must not change between two looks."""
    from kefu.stack import airflow

    api = airflow.Api(settings)
    for dag in api.dags():
        if dag.startswith("ingest_"):
            api("PATCH", f"dags/{dag}", {"is_paused": True})


@pytest.fixture(scope="package")
def demo_stack(project: Path) -> Iterator[DemoStack]:
    """The whole stack on invented data: `kefu demo` in a folder of its own, stopped after the last test of this one."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-demo-"))
    shutil.copy(project / "kefu.toml", folder / "kefu.toml")
    environment = {**os.environ, "KEFU_CONFIG": str(folder / "kefu.toml"), "KEFU_HOME": str(folder / "home")}
    kefu = [sys.executable, "-m", "kefu.cli"]
    began = time.monotonic()
    try:
        done = subprocess.run(
            [*kefu, "demo"], env=environment, cwd=folder, capture_output=True, text=True, timeout=1200, check=False
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        settings = load_settings(folder / "home" / "demo" / "kefu.toml", folder / "home")
        _hold_still(settings)
        from kefu.stack import superset

        yield DemoStack(
            settings,
            superset.url(settings),
            {user: superset.password(settings, user) for user in ("admin", "executive", "analyst")},
            output,
            time.monotonic() - began,
        )
    finally:
        subprocess.run([*kefu, "down"], env=environment, cwd=folder, timeout=300, check=False)
        shutil.rmtree(folder, ignore_errors=True)

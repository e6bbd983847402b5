"""`kefu demo`, whole: Airflow's real scheduler, marts and `kefu kpi` against the simulator's truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path

import pytest

from kefu import catalogue, control, simulator
from tests.demo.conftest import DemoStack
from tests.end_to_end.centre_truth import facts
from tests.end_to_end.conftest import Centre
from tests.end_to_end.independent import Facts
from tests.end_to_end.raw_voice import team_hours
from tests.end_to_end.test_invented_centre import compare

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
KPIS = catalogue.load(PROJECT)


@pytest.fixture(scope="module")
def centre(demo_stack: DemoStack) -> Centre:
    """The demo's warehouse and what really happened in its world."""
    world = demo_stack.settings.home / "demo" / "world"
    told = json.loads((world / "world.json").read_text(encoding="utf-8"))
    as_of = control.current_build(demo_stack.settings).as_of_at.replace(tzinfo=UTC)
    return Centre(demo_stack.settings, simulator.truth.read(world), told["zone"], as_of)


@pytest.fixture(scope="module")
def known(centre: Centre) -> Facts:
    """The truth as facts."""
    account = centre.settings.home / "demo" / "world" / "zendesk"
    return facts(centre.truth, centre.zone, centre.as_of, account, team_hours(centre.settings, centre.as_of))


def test_the_demo_prints_where_to_look_and_how_to_stop(demo_stack: DemoStack) -> None:
    assert demo_stack.superset_url in demo_stack.output
    for password in demo_stack.passwords.values():
        assert password in demo_stack.output
    assert "make down" in demo_stack.output


@pytest.mark.parametrize("kpi", list(KPIS))
def test_what_airflow_built_equals_the_truth(centre: Centre, known: Facts, kpi: str) -> None:
    compare(centre, known, kpi, "total", ())
    for grain, dimension in (("week", "team"), ("month", "channel")):
        if dimension in KPIS[kpi].dimensions:
            compare(centre, known, kpi, grain, (dimension,))


def test_a_second_demo_reuses_everything_and_takes_under_a_minute(demo_stack: DemoStack) -> None:
    """The one promise about time that users are given; it is generous here."""
    home = demo_stack.settings.home
    environment = {**os.environ, "KEFU_CONFIG": str(home.parent / "kefu.toml"), "KEFU_HOME": str(home)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "kefu.cli", "demo"],
        env=environment,
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert demo_stack.superset_url in done.stdout
    assert time.monotonic() - began < 180

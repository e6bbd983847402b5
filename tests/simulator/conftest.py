"""One simulated world for all tests of the simulator: seven weeks at a third of the size."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from kefu import simulator
from kefu.simulator import Summary, truth

START, END = date(2026, 10, 1), date(2026, 11, 20)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return simulator.write(tmp_path_factory.mktemp("world"), seed=7, start=START, end=END, scale=0.34)


@pytest.fixture(scope="session")
def known(world: Summary) -> dict[str, list[dict[str, Any]]]:
    """The truth about that world."""
    return truth.read(world.directory)

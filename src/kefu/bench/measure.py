"""Runs a step in a process of its own and watches what it takes: wall clock by the step itself, memory from outside.

Client memory is what the process and all its children hold together at one moment; the server's is what its processes
hold for themselves, shared buffers left out. Looked at ten times a second, so a shorter peak may be missed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kefu.errors import KefuError

_EVERY, _SAID_EVERY = 0.1, 5.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PATIENCE = 15.0
# Without these dlt, with or without Kefu, imports all of Airflow and calls home.
_QUIET = {"PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false", "RUNTIME__DLTHUB_TELEMETRY": "false"}
_FOREIGN = {"PYTHONDONTWRITEBYTECODE", "KEFU_CONFIG", "KEFU_HOME"}


@dataclass(frozen=True)
class Taken:
    """What one step took: seconds on its clock, processor seconds of it, its children and the server meanwhile, peak
    megabytes of it and its children, and of the server."""

    seconds: float
    cpu_seconds: float
    client_mb: float
    server_mb: float
    detail: dict[str, Any] = field(default_factory=dict)


class Watch:
    """Wall clock and processor time from its making on: of this process, its children and the database server."""

    def __init__(self, server: int) -> None:
        """``server`` is the id of the server's main process."""
        self._server = server
        self.began = time.monotonic()
        self._cpu_began = self._cpu()

    def read(self) -> dict[str, float]:
        """``seconds`` and ``cpu_seconds`` since then."""
        return {"seconds": time.monotonic() - self.began, "cpu_seconds": self._cpu() - self._cpu_began}

    def _cpu(self) -> float:
        ours = sum(os.times()[:4])  # with the children that have ended
        return ours + sum(map(_cpu_of, family(self._server)))


def step(
    name: str,
    arguments: dict[str, Any],
    folder: Path,
    *,
    server: int,
    progress: Callable[[str], None] = lambda line: None,
) -> Taken:
    """Run ``kefu.bench.steps`` for one step; ``server`` is the id of the database server's main process.

    Raises KefuError with the end of what the step said if it fails.
    """
    asked, answer, log = (folder / f"step.{kind}" for kind in ("json", "answer.json", "log"))
    asked.write_text(json.dumps(arguments | {"server": server}))
    answer.unlink(missing_ok=True)
    client = beside = 0
    heard = time.monotonic()
    with log.open("w") as output, _process(name, asked, answer, output) as process, log.open() as said:
        while process.poll() is None:
            client = max(client, sum(resident(pid) for pid in family(process.pid)))
            beside = max(beside, sum(own(pid) for pid in family(server)))
            if time.monotonic() - heard >= _SAID_EVERY and (lines := said.read().split("\n")[:-1]):
                progress(lines[-1].strip())
                heard = time.monotonic()
            time.sleep(_EVERY)
    found = json.loads(answer.read_text()) if answer.exists() else {}
    if process.returncode or "seconds" not in found:
        lines = log.read_text(errors="replace").splitlines()[-30:]
        raise KefuError(
            f"The step {name!r} failed (status {process.returncode}).", found=found.get("error") or "\n".join(lines)
        )
    return Taken(found.pop("seconds"), found.pop("cpu_seconds"), client / 2**20, beside / 2**20, found)


@contextlib.contextmanager
def _process(name: str, asked: Path, answer: Path, output: Any) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "kefu.bench.steps", name, str(asked), str(answer)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=asked.parent,  # no settings of anybody's working directory
        env={**{key: value for key, value in os.environ.items() if key not in _FOREIGN}, **_QUIET},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a step as Ctrl-C would, so that it ends what it started; after a while it and its children by force."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
        return
    for pid in reversed(family(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def family(pid: int) -> list[int]:
    """A process and everything it started, ancestors first; empty if it is gone."""
    found, place = [pid], 0
    while place < len(found):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{found[place]}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        place += 1
    return found if Path(f"/proc/{pid}").exists() else []


def resident(pid: int) -> int:
    """Bytes of memory a process holds, shared ones too; 0 if it is gone."""
    return _pages(pid)[0] * _PAGE


def own(pid: int) -> int:
    """Bytes of memory a process holds for itself alone; 0 if it is gone."""
    resident, shared = _pages(pid)
    return (resident - shared) * _PAGE


def _cpu_of(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def _pages(pid: int) -> tuple[int, int]:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0, 0
    return int(fields[1]), int(fields[2])

"""The telephone system's log as it grows: queue_log, appended to and rotated like the true one.

Asterisk needs no server here, because connectors read its file. `advance` brings a log directory forward to an instant.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import orjson

from kefu.simulator import asterisk
from kefu.simulator.world import World


def advance(data: Path | str, log_directory: Path | str, until: datetime) -> int:
    """Append what the log of the world in ``data`` gained up to and including ``until``; returns the lines appended.

    ``log_directory`` (created if need be) is the true log's folder: ``queue_log`` grows in place, keeps its inode, and
    is renamed at each rotation; older ones are compressed. Call it with later and later instants.
    """
    data, target = Path(data), Path(log_directory)
    target.mkdir(parents=True, exist_ok=True)
    described = orjson.loads((data / "world.json").read_bytes())
    world = World(
        described["seed"],
        date.fromisoformat(described["start"]),
        date.fromisoformat(described["end"]),
        described["zone"],
        described["scale"],
    )
    seen = target / ".advanced"
    done = int(seen.read_text()) if seen.exists() else 0
    rotations = [at for at in asterisk.rotations(world) if done < at]
    reached, lines = int(until.timestamp()), 0
    live = target / asterisk.name(0)
    file = live.open("ab")
    try:
        for at, line in _lines(data / "asterisk"):
            if at <= done:
                continue
            while rotations and rotations[0] <= min(at, reached):
                rotations.pop(0)
                file.close()
                _rotate(target)
                file = live.open("ab")
            if at > reached:
                break
            file.write(line)
            lines += 1
    finally:
        file.close()
    seen.write_text(str(max(reached, done)))
    return lines


def _rotate(target: Path) -> None:
    """What logrotate does with ``delaycompress``: .1 is compressed to .2.gz, the live file becomes .1."""
    ages = sorted(int(path.name.split(".")[1]) for path in target.glob("queue_log.*.gz"))
    for age in reversed(ages):
        (target / asterisk.name(age)).rename(target / asterisk.name(age + 1))
    yesterday = target / asterisk.name(1)
    if yesterday.exists():
        (target / asterisk.name(2)).write_bytes(asterisk.compress(yesterday.read_bytes()))
        yesterday.unlink()
    (target / asterisk.name(0)).rename(yesterday)


def _lines(source: Path) -> Iterator[tuple[int, bytes]]:
    """Every line of the whole log, oldest first, with its second."""
    age = len(list(source.glob("queue_log*")))
    while age > 0:
        age -= 1
        path = source / asterisk.name(age)
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in content.splitlines(keepends=True):
            yield int(line.split(b"|", 1)[0]), line

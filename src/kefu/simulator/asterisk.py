"""Asterisk's queue_log as files: the present one and the rotated ones, as logrotate leaves them.

Weekly, at midnight of Monday in the centre's zone, ``queue_log`` becomes ``queue_log.1``; the one before becomes
``queue_log.2.gz``, and so on (``delaycompress``).
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

from kefu.simulator.world import World

STORED_BLOCK = 0xFFFF


def write(world: World, log: list[tuple[int, str]], directory: Path) -> int:
    """Write the whole log; returns its lines. ``log`` holds (epoch second, line) in the order of writing."""
    directory.mkdir(parents=True, exist_ok=True)
    instants = [at for at, _ in log]
    borders = [0, *(bisect_left(instants, at) for at in rotations(world)), len(log)]
    pieces = list(pairwise(borders))
    for age, (begin, end) in enumerate(reversed(pieces)):
        content = "".join(f"{line}\n" for _, line in log[begin:end]).encode()
        (directory / name(age)).write_bytes(compress(content) if age >= 2 else content)
    return len(log)


def rotations(world: World) -> list[int]:
    """Epoch seconds at which the log is rotated: every Monday's midnight within the period."""
    return [world.epoch(day) for day in world.days() if day.weekday() == 0 and day > world.start]


def name(age: int) -> str:
    """What the log of this age is called; 0 is the one being written."""
    return ("queue_log", "queue_log.1")[age] if age < 2 else f"queue_log.{age}.gz"


def compress(content: bytes) -> bytes:
    """A gzip file that is the same everywhere.

    zlib's builds compress alike but not to the same bytes; stored blocks leave them nothing to differ in.
    """
    blocks = [content[at : at + STORED_BLOCK] for at in range(0, len(content), STORED_BLOCK)] or [b""]
    body = b"".join(
        struct.pack("<BHH", place == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for place, block in enumerate(blocks)
    )
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return header + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)

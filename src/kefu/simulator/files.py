"""Writing rows as JSON lines, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson


def dumps(row: object) -> bytes:
    """One line of JSON without spaces, keys in the order given."""
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write the rows one a line, as they come; returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(dumps(row))
            count += 1
    return count


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file written by `write_lines`."""
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)

"""Which files of a source have to be read, and in which order.

A file is known by its name. Of rows that come with the same key in several files those of the latest delivery
stay. So a file that changes may lay bare rows of an earlier one which it used to cover: files whose keys overlap
with it are read again, in the order they were delivered in, and the result is the same as if all had been.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kefu.errors import KefuError
from kefu.files.cells import clean
from kefu.files.mapping import FileMapping

_WILDCARD = re.compile(r"[*?\[]")
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", ".swp")

Ranges = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Found:
    """A file that is there, the name it is known by, the mapping it goes through."""

    name: str
    path: Path
    mapping: FileMapping


@dataclass(frozen=True)
class Entry:
    """What is remembered of a loaded file. ``number`` is its place in the order of deliveries."""

    sha256: str
    size: int
    modified: float
    mapping: str
    number: int
    ranges: Ranges

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Entry:
        """From the source's memory."""
        ranges = {entity: (low, high) for entity, (low, high) in state["ranges"].items()}
        return cls(state["sha256"], state["size"], state["modified"], state["mapping"], state["number"], ranges)

    def state(self) -> dict[str, Any]:
        """For the source's memory."""
        return {**vars(self), "ranges": {entity: list(pair) for entity, pair in self.ranges.items()}}


def find_files(base: Path, mapping: FileMapping, override: Iterable[str]) -> list[Found]:
    """The files of a mapping's paths (or of ``override``), in the order in which they count as delivered.

    Raises KefuError when a path without wildcards leads nowhere.
    """
    patterns = list(override) or list(mapping.paths)
    if not patterns:
        raise KefuError(
            f"Where are the files of {mapping.path.name}?",
            expected="path: exports/*.csv, in the mapping or in kefu.toml",
            where=str(mapping.path),
        )
    found: dict[Path, Found] = {}
    for pattern in patterns:
        whole = Path(pattern).expanduser()
        whole = whole if whole.is_absolute() else base / whole
        if not _WILDCARD.search(pattern):
            if whole.is_dir():
                whole = whole / "*"
            elif not whole.exists() and mapping.file.when_missing == "refuse":
                raise KefuError(
                    f"There is no file {whole.name}.",
                    expected=f"a file {whole}",
                    where=str(mapping.path),
                    do="Correct the path, or say file: {when_missing: ignore} if it comes later.",
                )
        for each in glob.glob(str(whole), recursive=True):  # noqa: PTH207 - takes absolute patterns
            path = Path(each)
            if path.is_file() and not _is_aside(path.name):
                found.setdefault(path, Found(clean(_name(path, base, whole)), path, mapping))
    by_time = mapping.file.order == "modified"
    return sorted(
        found.values(),
        key=lambda file: (file.path.stat().st_mtime if by_time else 0, natural(file.name)),
    )


def _is_aside(name: str) -> bool:
    """Whether a file is no delivery: a manifest, a lock of Excel, a transfer that still runs."""
    return name.endswith(".manifest.json") or name.startswith("~$") or name.lower().endswith(_UNFINISHED)


def _name(path: Path, base: Path, pattern: Path) -> str:
    """A file's name does not depend on the machine: from the folder of kefu.toml on, or from the last fixed folder."""
    if path.is_relative_to(base):
        return path.relative_to(base).as_posix()
    fixed = pattern
    while _WILDCARD.search(fixed.name) or fixed == path:
        fixed = fixed.parent
    while _WILDCARD.search(str(fixed)):
        fixed = fixed.parent
    return path.relative_to(fixed.parent if fixed.name else fixed).as_posix()


def natural(name: str) -> list[tuple[int, int, str]]:
    """An order of names in which 2 comes before 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", name)]


def check_names(files: Iterable[Found]) -> None:
    """Raises KefuError when two mappings read one file, or two files have one name."""
    met: dict[str, Found] = {}
    for file in files:
        other = met.setdefault(file.name, file)
        if other is not file:
            same = other.path == file.path
            raise KefuError(
                f"The file {file.name} goes through two mappings." if same else f"Two files are called {file.name}.",
                found=f"{other.path} ({other.mapping.path.name}) and {file.path} ({file.mapping.path.name})",
                do="Make two sources of them, or let the paths of the mappings not overlap.",
            )


def uncovered(known: Mapping[str, Entry], replaced: Iterable[str], reread: Iterable[str]) -> list[str]:
    """The files to read again because ``replaced`` ones may have covered their rows, earliest delivery first.

    With them come those that are ``reread`` in any case. With a file every later one that overlaps it is read again
    too, or its rows would come back over theirs.
    """
    replaced = set(replaced)
    again: set[str] = set(reread)
    for name in replaced:
        again |= {
            other
            for other, entry in known.items()
            if other not in replaced
            and entry.number < known[name].number
            and _overlap(entry.ranges, known[name].ranges)
        }
    waiting = list(again)
    while waiting:
        entry = known[waiting.pop()]
        for other, later in known.items():
            if (
                other not in again
                and other not in replaced
                and later.number > entry.number
                and _overlap(entry.ranges, later.ranges)
            ):
                again.add(other)
                waiting.append(other)
    return sorted(again, key=lambda name: known[name].number)


def _overlap(one: Ranges, other: Ranges) -> bool:
    return any(
        entity in other and low <= other[entity][1] and other[entity][0] <= high for entity, (low, high) in one.items()
    )

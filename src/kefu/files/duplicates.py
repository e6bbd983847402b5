"""Rows of one file that have the same key: found by a fingerprint of 16 bytes a row, settled by the mapping's policy.

Fingerprints wait in a file and are compared a share at a time, so memory stays flat however long the file is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import pyarrow as pa

from kefu.files.cells import as_text
from kefu.files.entities import Entity

SHARE = 500_000  # fingerprints compared at a time
SHARE_COMBINED = 100_000  # the same where whole rows have to be held
SLICE = 1 << 20

Policy = Literal["quarantine", "first", "last", "number", "combine"]

SAME_ROW = "the same row again"
SAME_KEY = "its key occurs again in this file with other values"
TAKEN = "its key occurs again and the next number is taken"


@dataclass(frozen=True)
class Fate:
    """What becomes of a row whose key is not its own."""

    outcome: Literal["merged", "quarantined", "renamed", "combined"]
    reason: str
    line: int
    key: str | None = None
    row: str | None = None
    new_key: str | int | None = None
    values: Mapping[str, Any] | None = None  # of the row that stands for all that were combined


def fingerprint(key: str) -> bytes:
    """16 bytes that differ for different keys."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class KeyFile:
    """The fingerprints of a file's keys in one entity, in the order of the rows."""

    def __init__(self, path: Path) -> None:
        """Nothing is written before the first key."""
        self.path = path
        self.rows = 0
        self._stream: IO[bytes] | None = None

    def add(self, keys: Sequence[str]) -> None:
        """Append the keys of the next rows."""
        if self._stream is None:
            self._stream = self.path.open("wb")
        self._stream.write(b"".join(map(fingerprint, keys)))
        self.rows += len(keys)

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def groups(self, size: int) -> Iterator[list[list[int]]]:
        """The rows that share a key, about ``size`` keys at a time."""
        if not self.rows:
            return
        self.close()
        prints = np.memmap(self.path, dtype="<u8", mode="r", shape=(self.rows, 2))
        shares = -(-self.rows // size)
        for share in range(shares):
            rows = np.concatenate(
                [
                    start + np.nonzero(prints[start : start + SLICE, 0] % shares == share)[0]
                    for start in range(0, self.rows, SLICE)
                ]
            )
            yield _same(prints[rows], rows)

    def has(self, keys: Sequence[str]) -> set[int]:
        """Which of some keys occur, by their position."""
        wanted = {fingerprint(key): index for index, key in enumerate(keys)}
        if not self.rows or not wanted:
            return set()
        self.close()
        prints = np.memmap(self.path, dtype="V16", mode="r", shape=(self.rows,))
        firsts = np.memmap(self.path, dtype="<u8", mode="r", shape=(self.rows, 2))
        heads = np.array([int.from_bytes(each[:8], "little") for each in wanted], dtype="<u8")
        found = set()
        for start in range(0, self.rows, SLICE):
            near = start + np.nonzero(np.isin(firsts[start : start + SLICE, 0], heads))[0]
            found |= {wanted[bytes(prints[row])] for row in near if bytes(prints[row]) in wanted}
        return found


def _same(prints: Any, rows: Any) -> list[list[int]]:
    if len(rows) < 2:
        return []
    order = np.lexsort((rows, prints[:, 1], prints[:, 0]))
    ordered = prints[order]
    same = np.all(ordered[1:] == ordered[:-1], axis=1)
    if not same.any():
        return []
    groups: list[list[int]] = []
    for index in np.nonzero(same)[0]:
        if index and same[index - 1] and groups:
            groups[-1].append(int(rows[order[index + 1]]))
        else:
            groups.append([int(rows[order[index]]), int(rows[order[index + 1]])])
    return groups


Rule = str | tuple[str, ...]
COMBINING = ("first", "last", "least", "greatest", "sum", "join", "further_rows")


@dataclass(frozen=True)
class Duplicates:
    """What a mapping says of rows with the same key: the policy, the field that orders them, how fields combine."""

    policy: Policy = "quarantine"
    by: str | None = None
    combine: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    number: int
    line: int
    content: bytes
    by: Any
    key: tuple[Any, ...]
    text: str | None
    values: Mapping[str, Any] | None


def settle(
    keys: KeyFile, tables: Sequence[Path | None], entity: Entity, duplicates: Duplicates
) -> Iterator[tuple[int, Fate]]:
    """Each row that cannot stay as it is, with its fate; rows are numbered through the Arrow files in their order.

    ``first`` and ``last`` keep one row per key (by the field ``by``, else by their order in the file),
    ``quarantine`` none of those that differ, ``number`` all, with a new key, ``combine`` makes one row of them. Rows
    that are equal in everything are merged under every policy but ``number``.
    """
    renamed: dict[int, Fate] = {}
    for groups in keys.groups(SHARE_COMBINED if duplicates.policy == "combine" else SHARE):
        if not groups:
            continue
        rows = _fetch({row for group in groups for row in group}, tables, entity.key, duplicates)
        for group in groups:
            members = sorted((rows[row] for row in group), key=lambda row: (row.line, row.number))
            if duplicates.policy == "number":
                renamed.update(_numbered(members, entity.key.index(entity.numbered)))
            elif duplicates.policy == "quarantine":
                yield from _kept_apart(members)
            elif duplicates.policy == "combine":
                yield from _combined(members, entity, duplicates)
            else:
                yield from _one_kept(members, duplicates)
    _quarantine_taken(renamed, keys)
    yield from renamed.items()


def _kept_apart(members: list[_Row]) -> Iterator[tuple[int, Fate]]:
    if len({row.content for row in members}) == 1:
        yield from ((row.number, Fate("merged", SAME_ROW, row.line)) for row in members[1:])
        return
    for row in members:
        yield row.number, Fate("quarantined", SAME_KEY, row.line, _key_text(row.key), row.text)


def _ordered(members: list[_Row], by: str | None) -> list[_Row]:
    """In the order of a field (those where it is unknown first), else of the file."""
    if by is None:
        return members
    unknown = [row for row in members if row.by is None]
    return unknown + sorted((row for row in members if row.by is not None), key=lambda row: row.by)


def _one_kept(members: list[_Row], duplicates: Duplicates) -> Iterator[tuple[int, Fate]]:
    ordered = _ordered(members, duplicates.by)
    known = [row for row in ordered if row.by is not None] or ordered
    kept = known[0] if duplicates.policy == "first" else known[-1]
    for row in members:
        if row.number != kept.number:
            same = row.content == kept.content
            reason = SAME_ROW if same else f"another row with its key is kept ({duplicates.policy})"
            yield row.number, Fate("merged", reason, row.line)


def _combined(members: list[_Row], entity: Entity, duplicates: Duplicates) -> Iterator[tuple[int, Fate]]:
    different: dict[bytes, _Row] = {}
    for row in members:
        if row.content in different:
            yield row.number, Fate("merged", SAME_ROW, row.line)
        else:
            different[row.content] = row
    parts = _ordered(list(different.values()), duplicates.by)
    if len(parts) == 1:
        return
    first = min(parts, key=lambda row: (row.line, row.number))
    names = parts[0].values or {}
    values = {
        name: _combination([row.values[name] for row in parts if row.values], duplicates.combine.get(name, "first"))
        for name in names
    }
    yield first.number, Fate("combined", "", first.line, values={**values, "_line": first.line})
    for row in parts:
        if row is not first:
            yield row.number, Fate("merged", f"combined with others into one of {entity.name}", row.line)


def _combination(cells: list[Any], rule: Rule) -> Any:
    if rule == "further_rows":
        return len(cells) - 1
    known = [cell for cell in cells if cell is not None]
    if not known:
        return None
    if isinstance(rule, tuple):  # the first of these words that occurs
        return next((word for word in rule if word in known), known[0])
    if rule == "first":
        return known[0]
    if rule == "last":
        return known[-1]
    if rule == "sum":
        return sum(known[1:], known[0])
    if rule == "join":
        return ", ".join(dict.fromkeys(known))
    return min(known) if rule == "least" else max(known)


def _numbered(members: list[_Row], at: int) -> Iterator[tuple[int, Fate]]:
    for number, row in enumerate(members[1:], start=2):
        old = row.key[at]
        new = old + number - 1 if isinstance(old, int) else f"{old}#{number}"
        key = "\x1f".join(as_text(cell) for cell in (*row.key[:at], new, *row.key[at + 1 :]))
        yield row.number, Fate("renamed", SAME_KEY, row.line, key, row.text, new)


def _quarantine_taken(fates: dict[int, Fate], keys: KeyFile) -> None:
    """A new number may already be somebody's key: then the row has to wait in the quarantine."""
    rows = list(fates)
    taken = {rows[index] for index in keys.has([fates[row].key or "" for row in rows])}
    met: set[str] = set()
    for row in rows:
        fate = fates[row]
        if row in taken or fate.key in met:
            shown = (fate.key or "").replace("\x1f", ", ")
            fates[row] = Fate("quarantined", TAKEN, fate.line, shown, fate.row)
        met.add(fate.key or "")


def _key_text(key: tuple[Any, ...]) -> str:
    return ", ".join(as_text(cell) for cell in key)


def _fetch(
    wanted: set[int], tables: Sequence[Path | None], key: tuple[str, ...], duplicates: Duplicates
) -> Mapping[int, _Row]:
    found: dict[int, _Row] = {}
    whole = duplicates.policy == "combine"
    offset = 0
    for path in tables:
        if path is None:
            continue
        with pa.ipc.open_stream(path) as batches:
            for batch in batches:
                here = [index for index in range(batch.num_rows) if offset + index in wanted]
                for index, row in zip(here, batch.take(pa.array(here, pa.int64())).to_pylist(), strict=True):
                    line, text = row.pop("_line"), row.pop("_row", None)
                    found[offset + index] = _Row(
                        number=offset + index,
                        line=line,
                        content=fingerprint(repr(row)),
                        by=row.get(duplicates.by) if duplicates.by else None,
                        key=tuple(row[name] for name in key),
                        text=text,
                        values=row if whole else None,
                    )
                offset += batch.num_rows
    return found

"""One file through its mapping: every row is loaded, filtered, merged or quarantined, and counted as that.

Nothing leaves before the file has been read to its end: mapped rows wait in temporary Arrow files, so a file that
turns out to be cut off in its last block leaves no trace. Memory does not grow with the file.
"""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from kefu.files.accounts import Account, account_pages
from kefu.files.cells import Cell, Column, Problem, as_text, clean, shown
from kefu.files.duplicates import Fate, KeyFile, settle
from kefu.files.entities import Entity
from kefu.files.frames import Chunk, Frame, has_problems, is_problem, tidy
from kefu.files.headers import Reader, missing_columns
from kefu.files.mapping import Block, FileMapping
from kefu.files.opening import Delivery, refused, unchanged
from kefu.files.readers import CHUNK_ROWS, open_reader
from kefu.sources import Page, Rejected


@dataclass
class _Part:
    """A block's rows of one file while they wait."""

    block: Block
    account: Account
    schema: pa.Schema
    path: Path
    writer: Any = None
    rows: int = 0


class Conversion:
    """A file being taken in. Use as ``with Conversion(...) as conversion``: the temporary files go at the end.

    ``read`` raises RefusedError; after it ``pages``, ``rejects`` and ``accounts`` may be asked.
    """

    def __init__(self, delivery: Delivery, mapping: FileMapping, chunk_rows: int = CHUNK_ROWS) -> None:
        """Nothing is read yet; ``chunk_rows`` are held in memory at a time."""
        self.delivery = delivery
        self.mapping = mapping
        self.chunk_rows = chunk_rows
        self.columns: Sequence[str] = ()
        self.format = ""
        self.ranges: dict[str, tuple[str, str]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="kefu-")
        folder = Path(self._folder.name)
        self._parts = [
            _Part(block, Account(block.entity.name, block.part), _schema(block), folder / f"{index}.arrow")
            for index, block in enumerate(mapping.blocks)
        ]
        self._keys = {name: KeyFile(folder / f"{name}.keys") for name in mapping.entities}
        self._rejects: IO[str] = (folder / "rejects.jsonl").open("w+", encoding="utf-8")
        self._gone: dict[str, bytearray] = {}
        self._renamed: dict[tuple[str, int], Fate] = {}
        self._combined: dict[str, Any] = {}

    def __enter__(self) -> Conversion:
        """The conversion itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was waiting."""
        for part in self._parts:
            if part.writer is not None:
                part.writer.close()
        for keys in self._keys.values():
            keys.close()
        self._rejects.close()
        self._folder.cleanup()

    @property
    def accounts(self) -> list[Account]:
        """What became of the rows, a block at a time."""
        return [part.account for part in self._parts]

    def read(self) -> None:
        """Read the file to its end. Raises RefusedError; then nothing of it counts."""
        name = self.delivery.name
        reader = open_reader(self.delivery, self.mapping.file, self._needed(), self.chunk_rows)
        rows = 0
        try:
            self.format = reader.format
            for chunk in reader.chunks():
                rows += len(chunk.lines) + len(chunk.broken)
                for part in self._parts:
                    self._take(chunk, part)
            self.columns = reader.columns
            self._check_columns(reader)
        finally:
            reader.close()
        if not unchanged(self.delivery):
            raise refused(name, "it changed while it was read.", do="Deliver under another name, then rename.")
        if self.delivery.rows is not None and self.delivery.rows != rows:
            raise refused(
                name,
                "it has not as many rows as its manifest says.",
                expected=f"{self.delivery.rows} rows",
                found=f"{rows} rows",
                do="Have it delivered again.",
            )
        for part in self._parts:
            if part.writer is not None:
                part.writer.close()
                part.writer = None
        self._settle_duplicates()
        for account in self.accounts:
            account.check()

    def _needed(self) -> frozenset[str]:
        paths = {block.each for block in self.mapping.blocks if block.each}
        return self.mapping.columns | paths

    def _check_columns(self, reader: Reader) -> None:
        if missing := reader.missing():
            problems = [f"no record has {name!r}" for name in missing]
            raise missing_columns(self.delivery, problems, reader.columns)

    # --- a chunk through a block ---

    def _take(self, chunk: Chunk, part: _Part) -> None:
        block, account = part.block, part.account
        if block.each:
            if chunk.each is None:
                raise refused(self.delivery.name, "'each' needs records with lists: JSON or Parquet.")
            chunk = chunk.each(block.each)
        account.read += chunk.size + len(chunk.broken)
        for row in chunk.broken:
            self._reject(account, row.reason, row.text, row.line, row.column, row.value)
        frame, origin = self._filtered(chunk, part)
        if not frame.size:
            return
        columns = {name: frame.field(name) for name in block.values}
        problems = _first_problems(columns, frame.size)
        self._check_scales(block, columns, problems)
        arrays, kept = _arrays(block.entity, columns, problems, frame.size)
        for index, found in sorted(problems.items()):
            column, problem = found[0]
            reason = "; ".join(f"{name}: {each.reason}" for name, each in found)
            self._reject(
                account,
                reason,
                chunk.row_text(origin[index]),
                frame.lines[index],
                problem.column or column,
                problem.value,
            )
        if not kept:
            return
        self._count_forgiven(account, block, frame, kept)
        lines = [frame.lines[index] for index in kept]
        arrays["_line"] = pa.array(lines, pa.int64())
        if "_row" in part.schema.names:
            arrays["_row"] = pa.array([clean(chunk.row_text(origin[index])) for index in kept], pa.string())
        batch = pa.record_batch([arrays[name] for name in part.schema.names], schema=part.schema)
        if part.writer is None:
            part.writer = pa.ipc.new_stream(part.path, part.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        part.writer.write_batch(batch)
        part.rows += len(kept)
        account.loaded += len(kept)
        self._remember_keys(block.entity, columns, kept)

    def _filtered(self, chunk: Chunk, part: _Part) -> tuple[Frame, list[int]]:
        """The rows no filter takes, and where in the chunk they are."""
        mapping, account = self.mapping, part.account
        cells = _cell_source(chunk, mapping)
        frame = mapping.frame(chunk.size, cells, part.block, chunk.lines, chunk.numbers, self.delivery.name)
        origin = list(range(chunk.size))
        for each in (*mapping.filters, *part.block.filters):
            flags = each.drops.compute(frame)
            kept = [index for index, flag in enumerate(flags) if flag is False]
            if len(kept) == frame.size:
                continue
            account.count("filtered", each.name, [frame.lines[i] for i, flag in enumerate(flags) if flag is True])
            for index, flag in enumerate(flags):
                if isinstance(flag, Problem):
                    reason = f"filter {each.name!r}: {flag.reason}"
                    text = chunk.row_text(origin[index])
                    self._reject(account, reason, text, frame.lines[index], flag.column, flag.value)
            frame, origin = frame.without_the_rest(kept), [origin[index] for index in kept]
        return frame, origin

    def _check_scales(
        self, block: Block, columns: Mapping[str, Column], problems: dict[int, list[tuple[str, Problem]]]
    ) -> None:
        """A rating needs an answer that its scale knows."""
        if block.entity.name != "survey_responses":
            return
        empty: Column = [None] * len(columns["metric"])
        rows = zip(columns["metric"], columns.get("scale", empty), columns.get("value", empty), strict=True)
        for index, (metric, scale, value) in enumerate(rows):
            if index in problems or metric == "other":
                continue
            if value is None:
                problem = Problem("a rating without an answer; filter such rows if they mean none was given", "value")
            elif scale is None:
                problem = Problem("a rating without a scale", "scale", shown(value))
            elif self.mapping.scales and as_text(scale) not in self.mapping.scales:
                problem = Problem("is no scale of the seed dim_scale", "scale", shown(scale))
            elif self.mapping.scales and as_text(value) not in self.mapping.scales[as_text(scale)]:
                problem = Problem(f"is no answer on the scale {scale}", "value", shown(value))
            else:
                continue
            problems[index] = [("value" if problem.column == "value" else "scale", problem)]

    @staticmethod
    def _count_forgiven(account: Account, block: Block, frame: Frame, kept: Sequence[int]) -> None:
        for name, value in block.values.items():
            if not value.forgives:
                continue
            cells = frame.forgiven(name)
            if not cells:
                continue
            by_reason: dict[str, list[int]] = {}
            for index in kept:
                if is_problem(cells[index]):
                    by_reason.setdefault(f"{name}: {cells[index].reason}", []).append(frame.lines[index])
            for reason, lines in by_reason.items():
                account.count("set_unknown", reason, lines)

    def _remember_keys(self, entity: Entity, columns: Mapping[str, Column], kept: Sequence[int]) -> None:
        if len(entity.key) == 1:
            only = columns[entity.key[0]]
            keys = [as_text(only[index]) for index in kept]
        else:
            parts = [columns[name] for name in entity.key]
            keys = ["\x1f".join(as_text(cells[index]) for cells in parts) for index in kept]
        self._keys[entity.name].add(keys)
        low, high = self.ranges.get(entity.name, (keys[0], keys[0]))
        self.ranges[entity.name] = (min(low, min(keys)), max(high, max(keys)))

    def _reject(
        self, account: Account, reason: str, text: str, line: int, column: str | None, value: str | None
    ) -> None:
        account.count("quarantined", reason, [line])
        record = [account.entity, reason, clean(text), line, column, None if value is None else clean(value)]
        self._rejects.write(json.dumps(record) + "\n")

    # --- rows with the same key ---

    def _settle_duplicates(self) -> None:
        for name, keys in self._keys.items():
            parts = [part for part in self._parts if part.block.entity.name == name]
            starts = [sum(part.rows for part in parts[:index]) for index in range(len(parts))]
            tables = [part.path if part.rows else None for part in parts]
            block = parts[0].block
            gone = self._gone[name] = bytearray(keys.rows)
            combined: list[Mapping[str, Any]] = []
            for row, fate in settle(keys, tables, block.entity, block.duplicates):
                account = parts[bisect_right(starts, row) - 1].account
                if fate.outcome == "renamed":
                    self._renamed[name, row] = fate
                    continue
                gone[row] = 1
                if fate.values is not None:
                    combined.append(fate.values)
                    if len(combined) >= CHUNK_ROWS:
                        self._keep_combined(block.entity, combined)
                        combined = []
                    continue
                account.loaded -= 1
                if fate.outcome == "merged":
                    account.count("merged", fate.reason, [fate.line])
                else:
                    columns = ", ".join(block.entity.key)
                    self._reject(account, fate.reason, fate.row or "", fate.line, columns, fate.key)
            if combined:
                self._keep_combined(block.entity, combined)
        for writer in self._combined.values():
            writer.close()

    def _keep_combined(self, entity: Entity, rows: Sequence[Mapping[str, Any]]) -> None:
        schema = entity.table().schema()
        if entity.name not in self._combined:
            path = Path(self._folder.name) / f"{entity.name}.combined"
            self._combined[entity.name] = pa.ipc.new_stream(path, schema)
        self._combined[entity.name].write_table(
            pa.Table.from_pylist([{**row, "_file": self.delivery.name} for row in rows], schema=schema)
        )

    # --- what comes out ---

    def pages(self) -> Iterator[Page]:
        """The rows for the warehouse, then the file's accounts."""
        offsets = dict.fromkeys(self._keys, 0)
        for part in self._parts:
            if not part.rows:
                continue
            name = part.block.entity.name
            with pa.ipc.open_stream(part.path) as batches:
                for batch in batches:
                    table = self._page(part.block.entity, pa.Table.from_batches([batch]), offsets[name])
                    offsets[name] += batch.num_rows
                    if table.num_rows:
                        yield name, table
        for name in self._combined:
            with pa.ipc.open_stream(Path(self._folder.name) / f"{name}.combined") as batches:
                for batch in batches:
                    yield name, pa.Table.from_batches([batch])
        yield from account_pages(self.delivery, self.mapping.path.name, self.accounts)

    def _page(self, entity: Entity, table: pa.Table, start: int) -> pa.Table:
        """Waiting rows, numbered from ``start``, as they are loaded: without those that go, with their new keys."""
        rows = range(start, start + table.num_rows)
        if renamed := {row: self._renamed[entity.name, row] for row in rows if (entity.name, row) in self._renamed}:
            position = table.schema.get_field_index(entity.numbered)
            cells = table.column(position).to_pylist()
            for row, fate in renamed.items():
                cells[row - start] = fate.new_key
            kind = table.schema.field(position)
            table = table.set_column(position, kind, pa.array(cells, kind.type))
        gone = self._gone[entity.name][start : start + table.num_rows]
        if any(gone):
            table = table.filter(pa.array([not each for each in gone]))
        schema = entity.table().schema()
        columns = []
        for spec in schema:
            if spec.name == "_file":
                columns.append(pa.repeat(pa.scalar(self.delivery.name, spec.type), table.num_rows))
            elif spec.name in table.schema.names:
                columns.append(table.column(spec.name))
            else:
                columns.append(pa.nulls(table.num_rows, spec.type))
        return pa.table(columns, schema=schema)

    def rejects(self) -> Iterator[Rejected]:
        """The rows for the quarantine."""
        self._rejects.flush()
        self._rejects.seek(0)
        for text in self._rejects:
            entity, reason, row, line, column, value = json.loads(text)
            yield Rejected(entity, reason, row, self.delivery.name, line, column, value)


def _schema(block: Block) -> pa.Schema:
    declared = block.entity.table().schema()
    fields = [declared.field(name) for name in block.entity.fields if name in block.values]
    fields.append(declared.field("_line"))
    if block.duplicates.policy == "quarantine":
        fields.append(pa.field("_row", pa.string()))
    return pa.schema(fields)


def _cell_source(chunk: Chunk, mapping: FileMapping) -> Any:
    return lambda name: tidy(chunk.column(name), trim=mapping.file.trim, unknown=mapping.file.unknown)


def _first_problems(columns: Mapping[str, Column], size: int) -> dict[int, list[tuple[str, Problem]]]:
    """The problems of each row that has any, in the order of the fields; one cell's problem counts once."""
    problems: dict[int, list[tuple[str, Problem]]] = {}
    for name, cells in columns.items():
        if not has_problems(cells):
            continue
        for index, cell in enumerate(cells):
            if type(cell) is Problem:
                found = problems.setdefault(index, [])
                if all(other is not cell for _, other in found):
                    found.append((name, cell))
    return problems


def _arrays(
    entity: Entity, columns: Mapping[str, Column], problems: dict[int, list[tuple[str, Problem]]], size: int
) -> tuple[dict[str, pa.Array], list[int]]:
    """The columns as Arrow arrays of the rows without problems; text no database takes is one more problem."""
    schema = entity.table().schema()
    while True:
        kept = [index for index in range(size) if index not in problems] if problems else list(range(size))
        arrays: dict[str, Any] = {}
        unstorable = False
        for name, cells in columns.items():
            good = cells if len(kept) == size else [cells[index] for index in kept]
            array = _array(good, schema.field(name).type)
            if array is None:
                unstorable = True
                for index in kept:
                    problem = _unstorable(name, cells[index])
                    if problem is not None:  # a problem has no truth value
                        problems.setdefault(index, []).append((name, problem))
            else:
                arrays[name] = array
        if not unstorable:
            return arrays, kept


def _array(cells: Column, kind: pa.DataType) -> Any:
    """The cells as an array; None if one of them is text that no database takes."""
    try:
        array = pa.array(cells, kind)
    except UnicodeEncodeError:
        return None
    return None if pa.types.is_string(kind) and pc.any(pc.match_substring(array, "\x00")).as_py() else array


def _unstorable(name: str, cell: Cell) -> Problem | None:
    if not isinstance(cell, str) or ("\x00" not in cell and _encodes(cell)):
        return None
    reason = "holds a NUL character" if "\x00" in cell else "holds half a character (a lone surrogate)"
    return Problem(reason, name, clean(shown(cell) or ""))


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

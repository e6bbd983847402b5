"""Workbooks (.xlsx), a row at a time."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from kefu.files.cells import Cell, Column, as_text
from kefu.files.frames import Broken, Chunk
from kefu.files.headers import Header, tidy_name
from kefu.files.mapping import FileOptions
from kefu.files.opening import Delivery, Format, refused, refusing, seekable
from kefu.files.records import record_text


class WorkbookReader:
    """A sheet of an .xlsx workbook, a row at a time. Cells keep their type: dates are dates, numbers numbers."""

    format: Format = "xlsx"

    def __init__(
        self, delivery: Delivery, stream: IO[bytes], options: FileOptions, needed: frozenset[str], chunk_rows: int
    ) -> None:
        """Open the file as far as its columns. Raises RefusedError."""
        self.delivery = delivery
        self.options = options
        self.chunk_rows = chunk_rows
        self._stream = seekable(stream)
        with self._refusing():
            import openpyxl

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles and extensions nobody reads here
                self._book = openpyxl.load_workbook(self._stream, read_only=True, data_only=True)
            sheet = self._sheet()
            if hasattr(sheet, "reset_dimensions"):
                sheet.reset_dimensions()  # what writers say about the size is often wrong
            self._rows = enumerate(sheet.iter_rows(values_only=True), start=1)
            self.columns: Sequence[str] = self._names()
        self.positions = Header(delivery, self.columns, options.optional).positions(needed)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            with refusing(self.delivery.name):
                yield
        except (KeyError, SyntaxError, ValueError, TypeError, AttributeError) as error:  # a damaged part inside
            raise refused(
                self.delivery.name,
                "the workbook is damaged.",
                found=f"{type(error).__name__}: {error}",
                where=str(self.delivery.path),
                do="Open and save it once more, or have it delivered again.",
            ) from None

    def _sheet(self) -> Any:
        names = list(self._book.sheetnames)
        if not names:
            raise refused(
                self.delivery.name, "the workbook is damaged: it has no sheets.", where=str(self.delivery.path)
            )
        wanted = self.options.sheet
        if wanted is None:
            if len(names) == 1:
                return self._book[names[0]]
            raise refused(
                self.delivery.name,
                "it has several sheets.",
                found=", ".join(names),
                do="Say which: file: {sheet: NAME}.",
            )
        if isinstance(wanted, int):
            if 1 <= wanted <= len(names):
                return self._book[names[wanted - 1]]
        else:
            same = [name for name in names if name == wanted] or [
                name for name in names if tidy_name(name) == tidy_name(wanted)
            ]
            if same:
                return self._book[same[0]]
        raise refused(
            self.delivery.name, f"there is no sheet {wanted!r}.", found=", ".join(names), do="Correct file.sheet."
        )

    def _names(self) -> list[str]:
        declared = list(self.options.columns)
        for _ in range(self.options.skip_lines):
            next(self._rows, None)
        if not self.options.header and declared:
            return declared
        first = next(((line, cells) for line, cells in self._rows if any(_filled(cell) for cell in cells)), None)
        if first is None:
            raise refused(self.delivery.name, "the sheet is empty.", do="Say which sheet: file: {sheet: NAME}.")
        if not self.options.header:
            self._rows = itertools.chain([first], self._rows)  # type: ignore[assignment]
            return [f"#{number}" for number in range(1, len(first[1]) + 1)]
        names = ["" if cell is None else as_text(cell) for cell in first[1]]
        while names and not names[-1].strip():
            names.pop()
        if declared and len(declared) != len(names):
            raise refused(
                self.delivery.name,
                "file.columns does not have as many names as the sheet has columns.",
                expected=str(len(declared)),
                found=f"{len(names)}: {', '.join(names)}",
            )
        for _ in range(self.options.skip_rows):
            next(self._rows, None)
        return declared or names

    def chunks(self) -> Iterator[Chunk]:
        """The rows; rows without any content are none."""
        width, number = len(self.columns), 0
        held: deque[tuple[int, int, Sequence[Cell]]] = deque()
        rows: list[tuple[int, int, Sequence[Cell]]] = []
        with self._refusing():
            for line, cells in self._rows:
                if not any(_filled(cell) for cell in cells):
                    continue
                number += 1
                held.append((line, number, cells))
                if len(held) > self.options.footer_rows:
                    rows.append(held.popleft())
                if len(rows) >= self.chunk_rows:
                    yield self._chunk(rows, width)
                    rows = []
        if rows or not number:
            yield self._chunk(rows, width)

    def _chunk(self, rows: list[tuple[int, int, Sequence[Cell]]], width: int) -> Chunk:
        good: list[tuple[int, int, Sequence[Cell]]] = []
        broken: list[Broken] = []
        for line, number, cells in rows:
            if len(cells) > width and self.options.long_rows != "cut" and any(_filled(cell) for cell in cells[width:]):
                reason = "the row has more fields than the header"
                broken.append(Broken(line, reason, self._text(cells), None, f"{len(cells)} of {width}"))
            else:
                good.append((line, number, cells))
        positions = self.positions

        def column(name: str) -> Column:
            position = positions[name]
            if position is None:
                return [None] * len(good)
            return [cells[position] if position < len(cells) else None for _, _, cells in good]

        return Chunk(
            [line for line, _, _ in good],
            [number for _, number, _ in good],
            column,
            lambda index: self._text(good[index][2]),
            broken,
        )

    def _text(self, cells: Sequence[Cell]) -> str:
        names = itertools.chain(self.columns, (f"#{number}" for number in itertools.count(len(self.columns) + 1)))
        return record_text(dict(zip(names, cells, strict=False)))

    def missing(self) -> list[str]:
        """Nothing: the header said it all."""
        return []

    def close(self) -> None:
        """Let go of the file."""
        self._book.close()
        self._stream.close()


def _filled(cell: Cell) -> bool:
    return cell is not None and not (isinstance(cell, str) and not cell.strip())

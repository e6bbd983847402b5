"""CSV, TSV and their kin, a batch of rows at a time, with the physical lines each row stands on."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from kefu.files.cells import Column
from kefu.files.frames import Broken, Chunk
from kefu.files.headers import Header, tidy_name
from kefu.files.mapping import FileOptions
from kefu.files.opening import Delivery, Format, decoded, detect_encoding, explain_encoding, refused, refusing

_TELLS_DELIMITER = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
FIELD_LIMIT = 64 << 20  # characters of one field; the csv module's own limit is 128 KiB


@dataclass
class _Batch:
    """Rows as the csv module gives them, with the physical lines they stand on."""

    base: int  # physical lines the csv reader had taken before this batch
    kept: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    broken: list[tuple[int, Broken]] = field(default_factory=list)

    def text(self, start: int, end: int) -> str:
        """The physical lines of a row, as they are in the file."""
        return "".join(self.kept[start - self.base : end - self.base]).rstrip("\r\n")

    def cut(self, last: int) -> None:
        """Forget the rows after number ``last``: the footer."""
        keep = sum(number <= last for number in self.numbers)
        del self.rows[keep:], self.spans[keep:], self.numbers[keep:]
        self.broken = [(number, row) for number, row in self.broken if number <= last]


class DelimitedReader:
    """CSV, TSV and their kin. A row's line is the physical line it begins on, also after quoted line breaks."""

    format: Format = "delimited"

    def __init__(
        self, delivery: Delivery, stream: IO[bytes], options: FileOptions, needed: frozenset[str], chunk_rows: int
    ) -> None:
        """Open the file as far as its columns. Raises RefusedError."""
        self.delivery = delivery
        self.options = options
        self.chunk_rows = chunk_rows
        self.encoding = detect_encoding(stream, options.encoding)
        self._text = decoded(stream, self.encoding)
        self._kept: list[str] = []
        self._skipped = options.skip_lines
        self._first: tuple[list[str], int, int] | None = None
        csv.field_size_limit(FIELD_LIMIT)
        with self._explaining_encoding():
            for _ in range(options.skip_lines):
                next(self._text, None)
            peeked = self._peek()
            delimiter = options.delimiter
            if peeked and (told := _TELLS_DELIMITER.fullmatch(peeked[-1].strip("\r\n"))):  # Excel's own first line
                self._skipped += len(peeked)
                delimiter, peeked = told[1], self._peek()
            if delimiter == "auto":
                delimiter = _likely_delimiter(peeked[-1] if peeked else "", needed | set(options.columns))
            self.delimiter = delimiter
            self._rows = csv.reader(self._physical_lines(peeked), strict=True, **self._dialect(delimiter))
            self.columns: Sequence[str] = self._names()
        self.positions = Header(delivery, self.columns, options.optional).positions(needed)

    def _dialect(self, delimiter: str) -> dict[str, Any]:
        quote = self.options.quote
        return {
            "delimiter": delimiter,
            "quotechar": quote or None,
            "quoting": csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            "escapechar": self.options.escape,
            "skipinitialspace": self.options.trim and delimiter != " ",
        }

    @contextmanager
    def _explaining_encoding(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError:
            raise explain_encoding(
                self.delivery.path, self.delivery.name, self.encoding, self.options.encoding
            ) from None

    def _peek(self) -> list[str]:
        """The lines up to the first with text."""
        peeked = []
        for line in self._text:
            peeked.append(line)
            if line.strip() and not (self.options.comment and line.startswith(self.options.comment)):
                break
        return peeked

    def _physical_lines(self, peeked: list[str]) -> Iterator[str]:
        comment = self.options.comment
        for line in itertools.chain(peeked, self._text):
            self._kept.append(line)
            yield "\n" if comment and line.startswith(comment) else line

    def _names(self) -> list[str]:
        declared = list(self.options.columns)
        if not self.options.header:
            return declared or self._numbered_names()
        try:
            names = next((row for row in self._rows if any(cell.strip() for cell in row)), None)
        except csv.Error as error:
            raise refused(
                self.delivery.name,
                "its header cannot be read.",
                found=str(error),
                do="If quotes mean nothing here, say file: {quote: none}; if other lines come first, skip_lines.",
            ) from None
        if names is None:
            raise refused(
                self.delivery.name,
                "it is empty: there is no line with text.",
                do="Have it delivered again; an export without rows has its header.",
            )
        if declared and len(declared) != len(names):
            raise refused(
                self.delivery.name,
                "file.columns does not have as many names as the file has columns.",
                expected=f"{len(declared)}: {', '.join(declared)}",
                found=f"{len(names)}: {', '.join(names)}",
            )
        for _ in range(self.options.skip_rows):
            next(self._rows, None)
        return declared or names

    def _numbered_names(self) -> list[str]:
        """Without names the columns are called #1, #2, …, as many as the first row has."""
        try:
            row = next((row for row in self._rows if row), None)
        except csv.Error as error:
            raise refused(self.delivery.name, "its first row cannot be read.", found=str(error)) from None
        if row is None:
            raise refused(self.delivery.name, "it is empty: there is no line with text.")
        self._first = (row, self._rows.line_num - 1, self._rows.line_num)
        return [f"#{number}" for number in range(1, len(row) + 1)]

    def chunks(self) -> Iterator[Chunk]:
        """The rows; the footer, blank lines and comments are none."""
        footer, held, number = self.options.footer_rows, [], 0
        with refusing(self.delivery.name), self._explaining_encoding():
            for batch, last in self._batches():
                number = last
                held.append(batch)
                if len(held) > 1 and (not footer or len(batch.numbers) + len(batch.broken) >= footer):
                    while len(held) > 1:
                        yield self._chunk(held.pop(0))
            for batch in held:
                batch.cut(number - footer)
                yield self._chunk(batch)

    def _batches(self) -> Iterator[tuple[_Batch, int]]:
        """Batches of rows, each with the number of its last one."""
        reader, width, number, done = self._rows, len(self.columns), 0, False
        quoted = bool(self.options.quote)
        while not done:
            batch = _Batch(reader.line_num if number else 0, self._kept)
            rows, spans, numbers = batch.rows, batch.spans, batch.numbers
            while len(rows) < self.chunk_rows:
                start = reader.line_num
                try:
                    if self._first is not None:
                        row, start, end = self._first
                        self._first = None
                    else:
                        row = next(reader)
                        end = reader.line_num
                except StopIteration:
                    done = True
                    break
                except csv.Error as error:
                    number += 1
                    batch.broken.append((number, self._malformed(batch, start, str(error))))
                    continue
                if not row:
                    continue
                number += 1
                if len(row) != width:
                    row = self._fitted(row, width)
                    if len(row) != width:
                        batch.broken.append((number, self._wrong_width(batch, start, end, len(row), quoted)))
                        continue
                rows.append(row)
                spans.append((start, end))
                numbers.append(number)
            self._kept = []
            yield batch, number

    def _fitted(self, row: list[str], width: int) -> list[str]:
        if len(row) < width and self.options.short_rows == "fill":
            return row + [""] * (width - len(row))
        if len(row) > width and self.options.long_rows == "cut":
            return row[:width]
        return row

    def _line(self, start: int) -> int:
        return self._skipped + start + 1

    def _malformed(self, batch: _Batch, start: int, error: str) -> Broken:
        if "unexpected end of data" in error:
            raise refused(
                self.delivery.name,
                f"a quotation mark opened in line {self._line(start)} is never closed.",
                where=str(self.delivery.path),
                do="The file is cut off, or quotes mean nothing in it: then say file: {quote: none}.",
            )
        if "field larger than" in error:
            raise refused(
                self.delivery.name,
                f"a field in line {self._line(start)} is larger than {FIELD_LIMIT >> 20} million characters.",
                do="A quotation mark is probably not closed; if quotes mean nothing here, say file: {quote: none}.",
            )
        reason = "a quoted value goes on after its closing quote" if "expected after" in error else error
        return Broken(self._line(start), reason, batch.text(start, self._rows.line_num))

    def _wrong_width(self, batch: _Batch, start: int, end: int, found: int, quoted: bool) -> Broken:
        reason = f"the row has {'more' if found > len(self.columns) else 'fewer'} fields than the header"
        return Broken(self._line(start), reason, batch.text(start, end), None, f"{found} of {len(self.columns)}")

    def _chunk(self, batch: _Batch) -> Chunk:
        rows, spans, positions = batch.rows, batch.spans, self.positions

        def column(name: str) -> Column:
            position = positions[name]
            return [None] * len(rows) if position is None else [row[position] for row in rows]

        return Chunk(
            lines=[self._line(start) for start, _ in spans],
            numbers=batch.numbers,
            column=column,
            row_text=lambda index: batch.text(*spans[index]),
            broken=[row for _, row in batch.broken],
        )

    def missing(self) -> list[str]:
        """Nothing: the header said it all."""
        return []

    def close(self) -> None:
        """Let go of the file."""
        self._text.close()


def _likely_delimiter(line: str, wanted: Iterable[str]) -> str:
    """The delimiter under which a header line has the most of the wanted names, then the most fields."""
    known = {tidy_name(name) for name in wanted}

    def merit(delimiter: str) -> tuple[int, int]:
        names = [tidy_name(name.strip().strip('"')) for name in line.rstrip("\r\n").split(delimiter)]
        return len(known & set(names)), len(names)

    return max((",", "\t", ";", "|"), key=merit)

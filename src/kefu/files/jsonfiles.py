"""JSON: one record a line, or one document with a list of records, read without holding it whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, Any, TextIO

from kefu.files.frames import Broken, Chunk
from kefu.files.mapping import FileOptions
from kefu.files.opening import Delivery, Format, decoded, detect_encoding, explain_encoding, refused, refusing
from kefu.files.records import Seen, record_text, records_chunk, steps_of


class JsonReader:
    """JSON lines (one record a line) or one document with a list of records, read without holding it whole."""

    def __init__(
        self,
        delivery: Delivery,
        stream: IO[bytes],
        options: FileOptions,
        needed: frozenset[str],
        chunk_rows: int,
        *,
        by_line: bool,
    ) -> None:
        """Open the file as far as its columns. Raises RefusedError."""
        self.format: Format = "json_lines" if by_line else "json"
        self.delivery = delivery
        self.options = options
        self.chunk_rows = chunk_rows
        self.encoding = detect_encoding(stream, options.encoding)
        self._text = decoded(stream, self.encoding)
        self._seen = Seen(needed, options.optional)

    @property
    def columns(self) -> Sequence[str]:
        """The columns met so far."""
        return list(self._seen.columns)

    def chunks(self) -> Iterator[Chunk]:
        """The records, in order."""
        source = self._by_line() if self.format == "json_lines" else self._of_document()
        records: list[Any] = []
        lines: list[int] = []
        numbers: list[int] = []
        broken: list[Broken] = []
        number = 0
        with refusing(self.delivery.name), self._explaining_encoding():
            for line, record in source:
                number += 1
                if isinstance(record, Broken):
                    broken.append(record)
                else:
                    self._seen.note(record)
                    records.append(record)
                    lines.append(line)
                    numbers.append(number)
                if len(records) + len(broken) >= self.chunk_rows:
                    yield records_chunk(records, lines, numbers, broken, self._seen)
                    records, lines, numbers, broken = [], [], [], []
        if number and not self._seen.records:
            raise refused(
                self.delivery.name,
                "not one of its rows is a JSON object.",
                found=broken[0].text[:80] if broken else None,
                do="Say file: {format: json} for one document, with records for the path of its list.",
            )
        yield records_chunk(records, lines, numbers, broken, self._seen)

    @contextmanager
    def _explaining_encoding(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError:
            raise explain_encoding(
                self.delivery.path, self.delivery.name, self.encoding, self.options.encoding
            ) from None

    def _by_line(self) -> Iterator[tuple[int, Any]]:
        for line, text in enumerate(self._text, start=1):
            text = text.strip().lstrip("\x1e\ufeff")  # JSON text sequences begin their records with 0x1e
            if not text:
                continue
            try:
                record = _loads(text)
            except (ValueError, RecursionError) as error:
                yield line, Broken(line, f"is not valid JSON: {getattr(error, 'msg', 'too deep')}", text)
                continue
            if not isinstance(record, dict):
                yield line, Broken(line, "is not a JSON object", text)
                continue
            yield line, record

    def _of_document(self) -> Iterator[tuple[int, Any]]:
        document = _Document(self._text, self.delivery)
        for line, record in document.records(self.options.records):
            if isinstance(record, dict):
                yield line, record
            else:
                yield line, Broken(line, "is not a JSON object", record_text(record))

    def missing(self) -> list[str]:
        """The columns no record had; a file without records is not blamed."""
        return self._seen.missing()

    def close(self) -> None:
        """Let go of the file."""
        self._text.close()


BLOCK = 1 << 20  # characters read at a time
_DECODER = json.JSONDecoder(parse_float=Decimal)
_loads = _DECODER.decode


class _Document:
    """A JSON document walked through without holding more than one value of it."""

    def __init__(self, text: TextIO, delivery: Delivery) -> None:
        self.text = text
        self.delivery = delivery
        self.buffer = ""
        self.position = 0
        self.line = 1
        self.ended = False

    def records(self, path: str | None) -> Iterator[tuple[int, Any]]:
        """(line, record) of every element of the list at a path; the document itself is the list without one."""
        mark = self._peek()
        if mark == "":
            raise refused(self.delivery.name, "it is empty: there is no text in it.")
        for step in steps_of(path) if path else ():
            self._descend(str(step), path or "")
        if self._peek() != "[":
            raise refused(
                self.delivery.name,
                f"there is no list of records {f'at {path!r}' if path else 'at its top'}.",
                found=self._lists() if not path else None,
                do="Say where the list is: file: {records: data.items}.",
            )
        self._take("[")
        if self._peek() == "]":
            return
        while True:
            self._peek()
            line = self.line
            yield line, self._value()
            mark = self._peek()
            if mark == ",":
                self._take(",")
            elif mark == "]":
                return
            else:
                raise self._malformed("',' or ']' expected")

    def _descend(self, key: str, path: str) -> None:
        if self._peek() != "{":
            raise refused(self.delivery.name, f"there is no {path!r} in it.", do="Correct file.records.")
        self._take("{")
        keys = []
        while self._peek() == '"':
            found = self._value()
            keys.append(found)
            self._peek()
            self._take(":")
            self._peek()
            if found == key:
                return
            self._value()
            if self._peek() == ",":
                self._take(",")
        raise refused(
            self.delivery.name,
            f"there is no {path!r} in it.",
            found=f"the keys {', '.join(map(str, keys[:40]))}",
            do="Correct file.records.",
        )

    def _lists(self) -> str | None:
        """The lists an object has, for the message."""
        if self._peek() != "{":
            return None
        record = self._value()
        lists = [key for key, value in record.items() if isinstance(value, list)]
        return f"an object whose lists are {', '.join(lists)}" if lists else f"an object with {', '.join(record)}"

    def _fill(self) -> bool:
        block = "" if self.ended else self.text.read(BLOCK)
        self.ended = not block
        if self.position:
            self.line += self.buffer.count("\n", 0, self.position)
            self.buffer, self.position = self.buffer[self.position :], 0
        self.buffer += block
        return bool(block)

    def _peek(self) -> str:
        """The next character that is no space; '' at the end."""
        while True:
            while self.position < len(self.buffer):
                if self.buffer[self.position] not in " \t\r\n\ufeff":
                    self.line += self.buffer.count("\n", 0, self.position)
                    self.buffer, self.position = self._rest(), 0
                    return self.buffer[0]
                self.position += 1
            if not self._fill():
                return ""

    def _rest(self) -> str:
        return self.buffer[self.position :] if self.position else self.buffer

    def _take(self, mark: str) -> None:
        if self.buffer[self.position : self.position + 1] != mark:
            raise self._malformed(f"{mark!r} expected")
        self.position += 1

    def _value(self) -> Any:
        """The value that starts here, wherever it ends."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.position)
            except RecursionError:
                raise self._malformed("nested too deeply") from None
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.buffer) - 16
                if cut and self._fill():
                    continue
                raise self._malformed(error.msg, error.pos) from None
            if end == len(self.buffer) and self._fill():
                continue  # a number may go on
            self.position = end
            return value

    def _malformed(self, said: str, position: int | None = None) -> Exception:
        line = self.line + self.buffer.count("\n", 0, self.position if position is None else position)
        if (self.ended and not self.buffer[self.position :].strip()) or (self.ended and position is not None):
            return refused(
                self.delivery.name,
                "it is cut off or no valid JSON.",
                found=f"{said}, line {line}",
                where=str(self.delivery.path),
                do="Have it delivered again.",
            )
        return refused(
            self.delivery.name, "it is no valid JSON.", found=f"{said}, line {line}", where=str(self.delivery.path)
        )

"""Records with lists and records inside: what JSON and nested Parquet share."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kefu.files.cells import Column, as_text
from kefu.files.frames import Broken, Chunk

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
ABSENT = object()


def steps_of(path: str) -> list[str | int]:
    """A path such as ``customer.id`` or ``tags[0]`` in its steps."""
    return [int(number) if number else name for name, number in _STEP.findall(path)]


def look_up(record: Any, path: str) -> Any:
    """What is at ``customer.id`` or ``tags[0]`` of a record; the marker ABSENT if nothing is."""
    if isinstance(record, dict) and path in record:
        return record[path]
    for step in steps_of(path):
        if isinstance(step, int):
            if not isinstance(record, list) or step >= len(record):
                return ABSENT
            record = record[step]
        elif isinstance(record, dict) and step in record:
            record = record[step]
        else:
            return ABSENT
    return record


def _could_have(record: Any, path: str) -> bool:
    """Whether a record has the path, or nothing where it would go on: ``agent: null`` says nothing on agent.name."""
    if look_up(record, path) is not ABSENT:
        return True
    steps = steps_of(path)
    return any(look_up(record, _path_of(steps[:end])) is None for end in range(1, len(steps)))


def _path_of(steps: Sequence[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _with(record: Any, steps: Sequence[str | int], element: Any) -> Any:
    """The record with the element in place of the list at a path; nothing else is copied."""
    if not steps:
        return element
    changed = dict(record)
    changed[steps[0]] = _with(record[steps[0]], steps[1:], element)
    return changed


class Seen:
    """Which of the needed columns have been met in any record, and which columns there are."""

    def __init__(self, needed: frozenset[str], optional: frozenset[str]) -> None:
        """``needed`` are the paths a mapping reads; ``optional`` ones need not be there."""
        self._unmet = set(needed - optional)
        self._elements: dict[str, int] = {}
        self.columns: dict[str, None] = {}
        self.records = 0

    def missing(self) -> list[str]:
        """The columns no record had; a file without records, or a list without elements, is not blamed."""
        empty = tuple(f"{path}." for path, elements in self._elements.items() if not elements)
        return sorted(name for name in self._unmet if not name.startswith(empty)) if self.records else []

    def look_for(self, records: Sequence[Any]) -> None:
        """Look for the needed columns that were not met so far."""
        self._unmet -= {name for name in self._unmet if any(_could_have(record, name) for record in records)}

    def count(self, path: str, elements: int) -> None:
        """Remember how many elements the lists at a path had."""
        self._elements[path] = self._elements.get(path, 0) + elements

    def note(self, record: Any) -> None:
        """Remember what a record has."""
        self.records += 1
        if self.records <= 1_000:
            self._list(record, "")

    def _list(self, record: Any, prefix: str) -> None:
        if isinstance(record, dict) and len(self.columns) < 500:
            for key, value in record.items():
                self.columns.setdefault(f"{prefix}{key}")
                if isinstance(value, list) and value and isinstance(value[0], dict):
                    value = value[0]
                self._list(value, f"{prefix}{key}.")


def records_chunk(records: list[Any], lines: list[int], numbers: list[int], broken: list[Broken], seen: Seen) -> Chunk:
    """A chunk of records; what is met of the needed columns is noted."""

    seen.look_for(records)

    def column(name: str) -> Column:
        cells = [look_up(record, name) for record in records]
        return [None if cell is ABSENT else cell for cell in cells]

    def each(path: str) -> Chunk:
        steps = steps_of(path)
        longer: list[Any] = []
        at_lines: list[int] = []
        at_numbers: list[int] = []
        spoiled: list[Broken] = []
        for record, line, number in zip(records, lines, numbers, strict=True):
            elements = look_up(record, path)
            if elements is ABSENT:
                continue
            if elements is None:
                continue
            if not isinstance(elements, list):
                text = record_text(record)
                spoiled.append(Broken(line, "is not a list", text, path, as_text(elements)[:200]))
                continue
            longer += [_with(record, steps, element) for element in elements]
            at_lines += [line] * len(elements)
            at_numbers += [number] * len(elements)
        seen.count(path, len(longer))
        return records_chunk(longer, at_lines, at_numbers, [*broken, *spoiled], seen)

    return Chunk(lines, numbers, column, lambda index: record_text(records[index]), broken, each)


def record_text(record: Any) -> str:
    """A record as JSON, as the quarantine shows it."""
    return json.dumps(record, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return as_text(value)

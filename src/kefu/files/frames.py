"""Rows on their way from a file to the tables: a chunk as the reader gives it, a frame as the fields see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kefu.files.cells import Cell, Column, Problem, SpoiledError, as_text

if TYPE_CHECKING:
    from kefu.files.fields import Value

BUILT_IN = ("line_number", "row_number", "file_name")


@dataclass(frozen=True)
class Broken:
    """A row that is no row: too many fields, an unclosed quote, no JSON."""

    line: int
    reason: str
    text: str
    column: str | None = None
    value: str | None = None


@dataclass
class Chunk:
    """Some rows of a file: ``column`` gives the cells of a column, ``row_text`` a row as it stands there."""

    lines: list[int]
    numbers: list[int]
    column: Callable[[str], Column]
    row_text: Callable[[int], str]
    broken: list[Broken] = field(default_factory=list)
    each: Callable[[str], Chunk] | None = None

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.lines)


class Frame:
    """The rows of a chunk (or some of them) with every value computed at most once."""

    def __init__(
        self,
        size: int,
        raw: Callable[[str], Column],
        values: Mapping[str, Value],
        lets: Mapping[str, Value],
        lines: Sequence[int],
        numbers: Sequence[int],
        file_name: str,
    ) -> None:
        """``raw`` gives the cells of a column of the file; ``values`` and ``lets`` are what can be computed."""
        self.size = size
        self.values = values
        self.lets = lets
        self.lines = lines
        self.numbers = numbers
        self.file_name = file_name
        self._raw = raw
        self._cache: dict[tuple[str, str], Column] = {}
        self._whole: Frame | None = None
        self._indices: Sequence[int] = ()

    def column(self, name: str) -> Column:
        """The cells of a column of the file: trimmed, unknown ones None."""
        return self._get("column", name)

    def field(self, name: str) -> Column:
        """A mapped field."""
        return self._get("field", name)

    def let(self, name: str) -> Column:
        """A named value of the mapping."""
        return self._get("let", name)

    def built_in(self, name: str) -> Column:
        """line_number, row_number or file_name."""
        if name == "file_name":
            return [self.file_name] * self.size
        return list(self.lines if name == "line_number" else self.numbers)

    def rows(self, indices: Sequence[int]) -> Frame:
        """Some of the rows. What is asked of them is computed for the whole frame, once."""
        part = self._part(indices)
        part._whole, part._indices = self, indices
        return part

    def without_the_rest(self, indices: Sequence[int]) -> Frame:
        """Some of the rows, the others forgotten: nothing more is computed for those."""
        part = self._part(indices)
        part._cache = {key: _pick(cells, indices) for key, cells in self._cache.items() if key[0] != "column"}
        return part

    def forgiven(self, name: str) -> Column:
        """The cells of a forgiving field as they were before problems became unknown; empty if there were none."""
        return self._cache.get(("forgiven", name), [])

    def _part(self, indices: Sequence[int]) -> Frame:
        return Frame(
            len(indices),
            lambda name: _pick(self.column(name), indices),
            self.values,
            self.lets,
            _pick(self.lines, indices),
            _pick(self.numbers, indices),
            self.file_name,
        )

    def _get(self, kind: str, name: str) -> Column:
        cells = self._cache.get((kind, name))
        if cells is None:
            cells = self._cache[kind, name] = self._compute(kind, name)
        return cells

    def _compute(self, kind: str, name: str) -> Column:
        if self._whole is not None:
            return _pick(self._whole._get(kind, name), self._indices)
        if kind == "column":
            return self._raw(name)
        value = (self.values if kind == "field" else self.lets)[name]
        cells = value.compute(self)
        if value.forgives and has_problems(cells):
            if kind == "field":
                self._cache["forgiven", name] = cells
            return [None if is_problem(cell) else cell for cell in cells]
        return cells


def _pick(cells: Sequence[Cell], indices: Sequence[int]) -> Column:
    return [cells[index] for index in indices]


def tidy(cells: Column, *, trim: bool, unknown: frozenset[str]) -> Column:
    """Cells as read to cells as meant: spaces around texts gone, empty ones and unknown markers None."""
    if not trim:
        return [None if cell is None or cell == "" or _marked(cell, unknown) else cell for cell in cells]
    if set(map(type, cells)) == {str}:
        if unknown:
            return [text if (text := cell.strip()) and text not in unknown else None for cell in cells]
        return [cell.strip() or None for cell in cells]
    tidied: Column = []
    append = tidied.append
    for cell in cells:
        if type(cell) is str:
            text = cell.strip()
            append(None if not text or text in unknown else text)
        else:
            append(None if cell is None or _marked(cell, unknown) else cell)
    return tidied


def _marked(cell: Cell, unknown: frozenset[str]) -> bool:
    if not unknown or isinstance(cell, (list, dict)):
        return False
    try:
        return as_text(cell) in unknown
    except SpoiledError:
        return False


def is_problem(cell: Cell) -> bool:
    """Whether a cell could not be read."""
    return type(cell) is Problem


def has_problems(cells: Column) -> bool:
    """Whether any cell could not be read."""
    return Problem in set(map(type, cells))

"""One field of a mapping, compiled: from the options to a function that computes it for all rows of a frame.

The order is always the same: ``when`` and ``cases`` choose the rows, then where the value comes from, what it
becomes (`kefu.files.conversions`), then ``default``, then ``required``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kefu.files.cells import Cell, Column, Problem, as_text, shown
from kefu.files.clocks import clock_moment, label_of, settled
from kefu.files.conversions import Memory, Target, as_it_is, conversion, fixed, plain_text, safely
from kefu.files.frames import Frame, has_problems, is_problem
from kefu.files.scopes import Compute, Options, Scope, texts

SOURCES = ("column", "columns", "first_of", "constant", "expression", "time")
_COMPANIONS = {
    "join": "columns", "skip_unknown": "columns", "date": "time", "after": "time", "within": "time",
    "date_format": "time", "time_format": "time",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A compiled field or named value. ``columns``, ``fields`` and ``lets`` are what it reads."""

    name: str
    compute: Compute
    columns: frozenset[str]
    fields: frozenset[str]
    lets: frozenset[str]
    forgives: bool = False  # a cell that cannot be read becomes unknown instead of spoiling its row


def normal_options(value: Any) -> dict[str, Any]:
    """The short forms of a field as options: a column's name, ``= formula``, a constant."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, str):
        return {"expression": value[1:].strip()} if value.startswith("=") else {"column": value}
    return {"constant": value}


def compile_value(value: Any, target: Target, scope: Scope, *, required: bool = False) -> Value:
    """Compile a field, or a named value (``target`` without a type).

    Raises ValueError with all that is wrong, one line each.
    """
    options = normal_options(value)
    base = {key: option for key, option in options.items() if key not in ("cases", "when", "default", "required")}
    trouble = _Trouble()
    cases = []
    for number, case in enumerate(options.get("cases", ()), start=1):
        condition = trouble.none(partial(_condition, case["when"], scope), f"case {number}: ")
        compute = trouble.none(partial(_plain, _case_options(base, case), target, scope), f"case {number}: ")
        if condition and compute:
            cases.append((condition, compute))
    compute = None
    if not options.get("cases") or set(base) & set(SOURCES):
        compute = trouble.none(lambda: _plain(base, target, scope))
    when = trouble.none(lambda: _condition(options["when"], scope)) if "when" in options else None
    default = trouble.none(lambda: fixed(target, options["default"], base, scope)) if "default" in options else None
    trouble.raise_if_any()
    label = _label(base)
    insists = bool(options.get("required", False))

    def chosen(frame: Frame) -> Column:
        cells = _by_case(frame, cases, compute) if cases else compute(frame) if compute else [None] * frame.size
        if default is not None:
            cells = [default if cell is None else cell for cell in cells]
        return _insist(cells, label) if insists else cells

    def whole(frame: Frame) -> Column:
        cells = chosen(frame) if when is None else _where(frame, when, chosen)
        return _insist(cells, label) if required else cells

    return Value(
        target.name,
        whole,
        frozenset(scope.columns_read),
        frozenset(scope.fields_read),
        frozenset(scope.lets_read),
        forgives=options.get("on_error") == "unknown",
    )


class _Trouble:
    """Collects what is wrong, so that all of it can be told at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def none(self, build: Callable[[], Any], prefix: str = "") -> Any:
        """What is built, or None and its trouble kept."""
        try:
            return build()
        except ValueError as error:
            self.lines += [line for each in str(error).splitlines() if (line := prefix + each) not in self.lines]
            return None

    def raise_if_any(self) -> None:
        if self.lines:
            raise ValueError("\n".join(self.lines))


def _case_options(base: Options, case: Options) -> dict[str, Any]:
    """The options of a case laid over those beside it; its own source takes the place of the other's."""
    added = {key: option for key, option in case.items() if key not in ("when", "cases")}
    if set(added) & set(SOURCES):
        base = {key: option for key, option in base.items() if key not in (*SOURCES, *_COMPANIONS)}
    return {**base, **added}


# --- which rows -----------------------------------------------------------------------------------------------


def _condition(text: str, scope: Scope) -> Compute:
    """A formula that is true or false; unknown is false."""
    _, cells = scope.expression(text)

    def flag(cell: Cell) -> Cell:
        if cell is None:
            return False
        if cell is True or cell is False or is_problem(cell):
            return cell
        return Problem(f"the condition {text!r} is neither true nor false", None, shown(cell))

    def flags(frame: Frame) -> Column:
        found = cells(frame)
        return found if set(map(type, found)) <= {bool} else [flag(cell) for cell in found]

    return flags


def _insist(cells: Column, label: str | None) -> Column:
    if type(None) not in set(map(type, cells)):
        return cells
    empty = Problem("is required but unknown", label)
    return [empty if cell is None else cell for cell in cells]


def _where(frame: Frame, condition: Compute, compute: Compute) -> Column:
    """The value where the condition holds, unknown elsewhere; a condition that cannot be told spoils the row."""
    flags = condition(frame)
    wanted = [index for index, flag in enumerate(flags) if flag is True]
    if len(wanted) == frame.size:
        return compute(frame)
    cells: Column = [None] * frame.size
    if has_problems(flags):
        cells = [flag if is_problem(flag) else None for flag in flags]
    if wanted:
        for index, cell in zip(wanted, compute(frame.rows(wanted)), strict=True):
            cells[index] = cell
    return cells


def _by_case(frame: Frame, cases: list[tuple[Compute, Compute]], otherwise: Compute | None) -> Column:
    """For each row the value of the first case that holds, else the other one."""
    cells: Column = [None] * frame.size
    left = list(range(frame.size))
    for condition, compute in cases:
        flags = condition(frame)
        chosen = [index for index in left if flags[index] is True]
        if chosen:
            for index, cell in zip(chosen, compute(frame.rows(chosen)), strict=True):
                cells[index] = cell
        if has_problems(flags):
            for index in left:
                if is_problem(flags[index]):
                    cells[index] = flags[index]
        left = [index for index in left if flags[index] is False]
    if left and otherwise is not None:
        for index, cell in zip(left, otherwise(frame.rows(left)), strict=True):
            cells[index] = cell
    return cells


# --- where the value comes from -------------------------------------------------------------------------------


def _plain(options: Options, target: Target, scope: Scope) -> Compute:
    """The field without ``when``, ``cases``, ``default`` and ``required``."""
    kind = target.read_as(options)
    _one_source(options)
    if "time" in options:
        if kind not in (None, "timestamp"):
            raise ValueError(f"'time' makes a moment, but {target.name} is none")
        return clock_moment(options, scope)
    if "constant" in options:
        constant = fixed(target, options["constant"], options, scope)
        return lambda frame: [constant] * frame.size
    cells_of, label = _origin(options, scope), _label(options)
    convert = conversion(target, options, scope)
    if convert is as_it_is:
        return cells_of
    if convert is plain_text:
        return lambda frame: [
            cell if (type(cell) is str and cell) or cell is None else safely(convert, cell, label)
            for cell in cells_of(frame)
        ]
    compute = _computed(cells_of, convert, label, kind) if "expression" in options else _read(cells_of, convert, label)
    ambiguous = options.get("ambiguous")
    return settled(compute, ambiguous, scope, label) if isinstance(ambiguous, dict) else compute


def _read(cells_of: Compute, convert: Callable[[Cell], Cell], label: str | None) -> Compute:
    memory = Memory(convert, label)
    return lambda frame: memory.over(cells_of(frame))


def _computed(cells_of: Compute, convert: Callable[[Cell], Cell], label: str | None, kind: str | None) -> Compute:
    """What was computed seldom repeats, and often has its type already."""

    def compute(frame: Frame) -> Column:
        return [
            cell
            if cell is None or (type(cell) is datetime and cell.tzinfo is UTC and kind == "timestamp")
            else safely(convert, cell, label)
            for cell in cells_of(frame)
        ]

    return compute


def _one_source(options: Options) -> None:
    said = [source for source in SOURCES if source in options]
    if not said:
        raise ValueError(f"where does the value come from? Give one of {', '.join(SOURCES)}")
    if len(said) > 1:
        raise ValueError(f"{' and '.join(said)} cannot both be the source of the value")
    for option, source in _COMPANIONS.items():
        if option in options and source not in options:
            raise ValueError(f"{option!r} goes with {source!r}")


def _label(options: Options) -> str | None:
    """The columns named in the quarantine."""
    if "time" in options:
        return label_of(options)
    for source in ("column", "columns", "first_of"):
        if source in options:
            return ", ".join(texts(options[source]))
    return None


def _origin(options: Options, scope: Scope) -> Compute:
    if "column" in options:
        return scope.column(as_text(options["column"]))
    if "expression" in options:
        return scope.expression(options["expression"])[1]
    inputs = [scope.column(name) for name in texts(options.get("columns") or options.get("first_of"))]
    if "first_of" in options:
        return lambda frame: [
            next((part for part in parts if part is not None), None)
            for parts in zip(*(column(frame) for column in inputs), strict=True)
        ]
    separator, skip = options.get("join", "-"), options.get("skip_unknown", False)
    return lambda frame: [
        _joined(parts, separator, skip) for parts in zip(*(column(frame) for column in inputs), strict=True)
    ]


def _joined(parts: tuple[Cell, ...], separator: str, skip: bool) -> Cell:
    try:
        return separator.join(parts)  # mostly all are known texts
    except TypeError:
        known = [part for part in parts if part is not None]
    for part in known:
        if is_problem(part):
            return part
    if not known or (len(known) < len(parts) and not skip):
        return None
    return separator.join(as_text(part) for part in known)

"""What the operators of an expression do with cells.

An unknown value makes a calculation unknown; it is equal only to unknown, and comparing its size is false. A text
that meets a number is read as one, the way numbers are written in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from kefu.files.cells import Cell, Problem, SpoiledError, UnfitError, as_text, number_of_seconds
from kefu.files.values import boolean_reader, length_in_seconds

Number = int | Decimal
_KINDS = {"bool": "true or false", "list": "a list", "dict": "a record", "str": "a text", "datetime": "a moment"}


def holds(cell: Cell) -> bool:
    """Whether a condition holds; unknown does not. Raises UnfitError for anything that is neither true nor false."""
    if cell is True:
        return True
    if cell is False or cell is None:
        return False
    if type(cell) is Problem:
        raise SpoiledError(cell)
    raise UnfitError("a condition must be true or false; compare the value, or use boolean(…)")


def joined(left: Cell, right: Cell) -> Cell:
    """``&``: two texts put together."""
    if left is None or right is None:
        return None
    return as_text(left) + as_text(right)


def whole(number: Number, how: str) -> int:
    """A whole number, rounded as the decimal module names it."""
    return number if isinstance(number, int) else int(number.to_integral_value(how))


def _kind(cell: Cell) -> str:
    return _KINDS.get(type(cell).__name__, "a value")


class Operators:
    """The operators of a file's formulas; ``number`` reads its numbers."""

    def __init__(self, number: Callable[[Cell], Number]) -> None:
        """``number`` is as `kefu.files.cells.as_number` for the marks of the file."""
        self.number = number
        self._boolean = boolean_reader((), ())

    def by_name(self) -> dict[str, Callable[..., Any]]:
        """All of them, under the names the compiled formulas call."""
        operators = (
            holds, joined, self.equal, self.unequal, self.less, self.less_equal, self.greater, self.greater_equal,
            self.within, self.not_within, self.add, self.subtract, self.multiply, self.divide, self.floor_divide,
            self.remainder, self.negative,
        )  # fmt: skip
        return {operator.__name__: operator for operator in operators}

    def _pair(self, left: Cell, right: Cell) -> tuple[Cell, Cell]:
        """Two known cells ready to be compared: text meets a number as a number."""
        kind, other = type(left), type(right)
        if kind is other:
            return left, right
        if kind is Problem or other is Problem:
            raise SpoiledError(left if kind is Problem else right)
        if kind is bool or other is bool:
            if kind is str or other is str:
                return self._boolean(left), self._boolean(right)
            raise UnfitError("true or false is compared with something else")
        numbers = (int, Decimal, float, timedelta)
        if isinstance(left, numbers) or isinstance(right, numbers):
            return self.number(left), self.number(right)
        raise UnfitError(f"{_kind(left)} is compared with {_kind(right)}")

    def equal(self, left: Cell, right: Cell) -> bool:
        """``==``: unknown equals only unknown; a text that is no number is simply not equal to one."""
        if type(left) is str and type(right) is str:
            return left == right
        if type(left) is Problem or type(right) is Problem:
            raise SpoiledError(left if type(left) is Problem else right)
        if left is None or right is None:
            return left is right
        try:
            left, right = self._pair(left, right)
        except UnfitError:
            if isinstance(left, str) or isinstance(right, str):
                return False
            raise
        return bool(left == right)

    def unequal(self, left: Cell, right: Cell) -> bool:
        """``!=``."""
        return not self.equal(left, right)

    def less(self, left: Cell, right: Cell) -> bool:
        """``<``."""
        if type(left) is datetime and type(right) is datetime:
            return left < right
        if left is None or right is None:
            return _not_spoiled(left, right)
        left, right = self._pair(left, right)
        return bool(left < right)

    def less_equal(self, left: Cell, right: Cell) -> bool:
        """``<=``."""
        if left is None or right is None:
            return _not_spoiled(left, right)
        left, right = self._pair(left, right)
        return bool(left <= right)

    def greater(self, left: Cell, right: Cell) -> bool:
        """``>``."""
        return self.less(right, left)

    def greater_equal(self, left: Cell, right: Cell) -> bool:
        """``>=``."""
        return self.less_equal(right, left)

    def within(self, cell: Cell, choices: Cell) -> bool:
        """``in``: one of a list, or part of a text."""
        if isinstance(choices, str):
            return cell is not None and as_text(cell) in choices
        if choices is None:
            return False
        return any(self.equal(cell, choice) for choice in choices)

    def not_within(self, cell: Cell, choices: Cell) -> bool:
        """``not in``."""
        return not self.within(cell, choices)

    def add(self, left: Cell, right: Cell) -> Cell:
        """``+``: numbers, or a moment and a length of time."""
        if left is None or right is None:
            return None
        if isinstance(left, datetime):
            return left + self._length(right)
        if isinstance(right, datetime):
            return right + self._length(left)
        return self.number(left) + self.number(right)

    def subtract(self, left: Cell, right: Cell) -> Cell:
        """``-``: numbers; between two moments the seconds; a moment so much earlier."""
        if left is None or right is None:
            return None
        if isinstance(left, datetime):
            return number_of_seconds(left - right) if isinstance(right, datetime) else left - self._length(right)
        return self.number(left) - self.number(right)

    def _length(self, cell: Cell) -> timedelta:
        return timedelta(microseconds=int(length_in_seconds(cell, (), self.number) * 1_000_000))

    def multiply(self, left: Cell, right: Cell) -> Cell:
        """``*``."""
        if left is None or right is None:
            return None
        return self.number(left) * self.number(right)

    def divide(self, left: Cell, right: Cell) -> Cell:
        """``/``, to 28 digits."""
        if left is None or right is None:
            return None
        result = Decimal(self.number(left)) / Decimal(self.number(right))
        return int(result) if result == result.to_integral_value() else result

    def floor_divide(self, left: Cell, right: Cell) -> Cell:
        """``//``: how often the right goes into the left."""
        quotient = self.divide(left, right)
        return None if quotient is None else whole(quotient, ROUND_FLOOR)

    def remainder(self, left: Cell, right: Cell) -> Cell:
        """``%``: what is left then."""
        if left is None or right is None:
            return None
        return self.number(left) - self.floor_divide(left, right) * self.number(right)

    def negative(self, cell: Cell) -> Cell:
        """``-`` before a number."""
        return None if cell is None else -self.number(cell)


def _not_spoiled(left: Cell, right: Cell) -> bool:
    for cell in (left, right):
        if type(cell) is Problem:
            raise SpoiledError(cell)
    return False

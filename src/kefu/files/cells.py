"""Values of single cells: what can stand in one, how it reads as text or number, what is wrong with it.

A cell is None (unknown), text, int, Decimal, bool, a date, time, datetime or timedelta, or a list or dict (JSON).
A cell that could not be read is a `Problem`; it travels like a value and spoils only what really uses it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

Cell = Any
Column = list[Cell]

_PLAIN_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


class UnfitError(Exception):
    """A value does not fit. ``reason`` names no value, so that equal reasons can be counted together."""

    def __init__(self, reason: str) -> None:
        """``reason`` follows on the value: "is not a number"."""
        super().__init__(reason)
        self.reason = reason


class SpoiledError(Exception):
    """Something was computed from a cell that could not be read."""

    def __init__(self, problem: Problem) -> None:
        """``problem`` is that of the cell."""
        super().__init__(problem.reason)
        self.problem = problem


@dataclass(frozen=True, eq=False)
class Problem:
    """Why a cell could not be read: the column it came from, the value found there, the reason."""

    reason: str
    column: str | None = None
    value: str | None = None

    def _spoil(self, *_: object) -> NoReturn:
        raise SpoiledError(self)

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _spoil
    __bool__ = __hash__ = __len__ = __iter__ = __contains__ = _spoil
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _spoil
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __neg__ = __pos__ = _spoil


def as_text(cell: Cell) -> str:
    """A known cell as text: whole numbers without ``.0``, moments in ISO form, lists and records as JSON."""
    if type(cell) is str:
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, (float, Decimal)):
        number = cell if isinstance(cell, Decimal) else Decimal(repr(cell))
        if number.is_finite():
            whole = number == number.to_integral_value()
            return format(number.quantize(Decimal(1)) if whole and abs(number) < 10**25 else number, "f")
        return str(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, Problem):
        raise SpoiledError(cell)
    if isinstance(cell, bytes):
        return cell.hex()
    return json.dumps(cell, ensure_ascii=False, default=str)


def as_number(cell: Cell) -> int | Decimal:
    """A known cell as an exact number. Raises UnfitError for anything that is not plainly one."""
    kind = type(cell)
    if kind is int or kind is Decimal:
        return cell  # type: ignore[no-any-return]
    if kind is str:
        return plain_number(cell)
    if isinstance(cell, bool):
        raise UnfitError("is true or false, not a number")
    if isinstance(cell, (int, Decimal)):
        return cell
    if isinstance(cell, float):
        number = Decimal(repr(cell))
        if not number.is_finite():
            raise UnfitError("is not a finite number")
        return number
    if isinstance(cell, timedelta):
        return number_of_seconds(cell)
    if isinstance(cell, Problem):
        raise SpoiledError(cell)
    raise UnfitError("is not a number")


def plain_number(text: str) -> int | Decimal:
    """A number written with a decimal point and no thousands separators. Raises UnfitError."""
    if text.isascii() and text.isdigit() and len(text) < 4_000:
        return int(text)
    text = text.strip()
    if not _PLAIN_NUMBER.fullmatch(text):
        raise UnfitError("is not a number")
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UnfitError("is not a number") from None


def number_of_seconds(length: timedelta) -> int | Decimal:
    """A length of time in seconds, exact to the microsecond."""
    whole = length.days * 86_400 + length.seconds
    return whole if not length.microseconds else whole + Decimal(length.microseconds) / 1_000_000


def shown(cell: Cell, limit: int = 500) -> str | None:
    """A cell as it appears in the quarantine and in messages."""
    if cell is None:
        return None
    if isinstance(cell, Problem):
        return cell.value
    text = as_text(cell)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: str) -> str:
    """Text a database takes: NUL and halves of surrogate pairs made visible."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")

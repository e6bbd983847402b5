"""Numbers, durations and yes-or-no as files write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Literal

from kefu.files.cells import (
    Cell,
    Problem,
    SpoiledError,
    UnfitError,
    as_number,
    as_text,
    number_of_seconds,
    plain_number,
)
from kefu.files.formats import wall_clock

Policy = Literal["quarantine", "zero", "unknown", "keep"]
Rounding = Literal["nearest", "down", "up"]

THOUSANDS = {"space": " \u00a0\u2009\u202f", "apostrophe": "'’", "comma": ",", "point": "."}


def number_reader(decimal: str, thousands: str | None) -> Callable[[Cell], int | Decimal]:
    """Reads numbers with the given decimal mark and thousands separator; both must be where they belong."""
    separators = THOUSANDS.get(thousands or "", thousands or "")
    if decimal == "." and not separators:
        return as_number
    mark = re.escape(decimal)
    group = f"[{re.escape(separators)}]" if separators else None
    whole = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+" if group else "[0-9]+"
    pattern = re.compile(rf"([-+−]?)({whole})?(?:{mark}([0-9]*))?")

    def read(cell: Cell) -> int | Decimal:
        if not isinstance(cell, str):
            return as_number(cell)
        found = pattern.fullmatch(cell.strip())
        if not found or not (found[2] or found[3]):
            said = f"with decimal {decimal!r}" + (f" and thousands {thousands!r}" if thousands else "")
            raise UnfitError(f"is not a number {said}")
        digits = re.sub(group, "", found[2] or "0") if group else found[2] or "0"
        sign = "-" if found[1] in ("-", "−") else ""
        return plain_number(f"{sign}{digits}.{found[3]}" if found[3] else f"{sign}{digits}")

    return read


def whole_number(number: int | Decimal) -> int:
    """A number without a fraction as an integer. Raises UnfitError for 3.5 and for what no bigint holds."""
    if number != int(number):
        raise UnfitError("is not a whole number")
    if not -(2**63) <= number < 2**63:
        raise UnfitError("is too large")
    return int(number)


def storable(number: int | Decimal) -> Decimal:
    """A number as the warehouse holds it: 12 digits before the point, 6 after it, half up. Raises UnfitError."""
    if not -(10**12) < number < 10**12:
        raise UnfitError("is too large")
    return Decimal(number).quantize(Decimal("0.000001"), ROUND_HALF_UP)


SECONDS_OF = {
    "milliseconds": Decimal("0.001"),
    "seconds": Decimal(1),
    "minutes": Decimal(60),
    "hours": Decimal(3_600),
    "days": Decimal(86_400),
}
_PARTS = {"h:mm:ss": 3, "mm:ss": 2, "h:mm": 2}
DURATION_FORMATS = (*_PARTS, *SECONDS_OF, "units", "iso")
_COLONS = re.compile(
    r"(?:([0-9]+)\s*(?:d|days?|\.|\s)\s*)?([0-9]+):([0-9]{1,2})(?::([0-9]{1,2}))?(?:[.,]([0-9]+))?", re.I
)
_UNIT_SECONDS = {
    unit: seconds
    for units, seconds in (
        ("ms msec milliseconds millisecond 毫秒", Decimal("0.001")),
        ("s sec secs second seconds 秒", Decimal(1)),
        ("m min mins minute minutes 分 分钟", Decimal(60)),
        ("h hr hrs hour hours 时 小时", Decimal(3_600)),
        ("d day days 天", Decimal(86_400)),
    )
    for unit in units.split()
}
_UNIT = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*([^\W\d_]+)\.?")
_ISO = re.compile(
    r"P(?:([0-9.]+)D)?(?:T(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?)?",
    re.I,
)


def length_in_seconds(
    cell: Cell, formats: tuple[str, ...], read_number: Callable[[Cell], int | Decimal] = as_number
) -> int | Decimal:
    """A duration in seconds, exact. Raises UnfitError.

    Without ``formats``: h:mm:ss, ``1h 5m``, ISO (PT1H5M) or a plain number of seconds; two parts (``5:30``) can
    mean minutes or hours and need a declared format.
    """
    if isinstance(cell, Problem):
        raise SpoiledError(cell)
    if isinstance(cell, timedelta):
        return number_of_seconds(cell)
    if isinstance(cell, datetime):  # how a spreadsheet stores a duration over a day
        return number_of_seconds(cell - wall_clock(1899, 12, 30))
    if isinstance(cell, time):
        return cell.hour * 3_600 + cell.minute * 60 + cell.second + Decimal(cell.microsecond) / 1_000_000
    unit = next((form for form in formats if form in SECONDS_OF), None if formats else "seconds")
    if not isinstance(cell, str):
        if unit is None:
            raise UnfitError("is a number; say format: seconds, minutes, hours, days or milliseconds")
        return _scaled(read_number(cell), unit)
    text = cell.strip()
    sign = -1 if text[:1] in "-−" and text[:1] else 1
    body = text[1:].strip() if sign < 0 or text[:1] == "+" else text
    if ":" in body:
        return sign * _colon_length(body, formats)
    if body[:1] in "Pp" and (not formats or "iso" in formats):
        return sign * _iso_length(body)
    if unit is not None:
        try:
            return _scaled(read_number(text), unit)
        except UnfitError:
            pass
    if not formats or "units" in formats:
        return sign * _unit_length(body)
    raise UnfitError("is not a duration written as " + " | ".join(formats))


def _scaled(number: int | Decimal, unit: str) -> int | Decimal:
    return number if unit == "seconds" else number * SECONDS_OF[unit]


def _colon_length(body: str, formats: tuple[str, ...]) -> int | Decimal:
    found = _COLONS.fullmatch(body)
    allowed = [form for form in formats if form in _PARTS] if formats else ["h:mm:ss"]
    if not found:
        raise UnfitError("is not a duration")
    days, first, second, third, fraction = found.groups()
    parts = 3 if third is not None else 2
    fitting = [form for form in allowed if _PARTS[form] == parts]
    if not fitting:
        if not formats:
            raise UnfitError("can be minutes and seconds or hours and minutes; say format: mm:ss or h:mm")
        raise UnfitError("is not a duration written as " + " | ".join(formats))
    if int(second) > 59 or int(third or 0) > 59 or (fraction and fitting[0] == "h:mm"):
        raise UnfitError(f"is not a duration written as {fitting[0]}")
    units = {"h:mm:ss": (3_600, 60, 1), "mm:ss": (60, 1, 0), "h:mm": (3_600, 60, 0)}[fitting[0]]
    whole = int(days or 0) * 86_400 + int(first) * units[0] + int(second) * units[1] + int(third or 0) * units[2]
    return whole + Decimal(f"0.{fraction}") if fraction else whole


def _unit_length(body: str) -> int | Decimal:
    rest, total, found_any = body, Decimal(0), False
    while rest:
        found = _UNIT.match(rest)
        if not found or found[2].lower() not in _UNIT_SECONDS:
            raise UnfitError("is not a duration (h:mm:ss, 1h 5m, PT1H5M or a number)")
        total += Decimal(found[1].replace(",", ".")) * _UNIT_SECONDS[found[2].lower()]
        found_any, rest = True, rest[found.end() :].lstrip(" ,")
    if not found_any:
        raise UnfitError("is not a duration (h:mm:ss, 1h 5m, PT1H5M or a number)")
    return int(total) if total == int(total) else total


def _iso_length(body: str) -> int | Decimal:
    found = _ISO.fullmatch(body)
    if not found or not any(found.groups()):
        raise UnfitError("is not an ISO duration such as PT1H5M")
    try:
        days, hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
    except ArithmeticError:
        raise UnfitError("is not an ISO duration such as PT1H5M") from None
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    return int(total) if total == int(total) else total


@dataclass(frozen=True)
class Signs:
    """What to do with a negative number: ``noise`` is how far below zero still counts as zero."""

    negative: Policy = "quarantine"
    noise: Decimal = Decimal(0)

    def apply(self, number: int | Decimal) -> int | Decimal | None:
        """The number after the policy; None for unknown. Raises UnfitError."""
        if number >= 0 or self.negative == "keep":
            return number
        if -number <= self.noise or self.negative == "zero":
            return 0
        if self.negative == "unknown":
            return None
        raise UnfitError("is negative; say negative: zero, unknown or keep if that has a meaning here")


def rounded(number: int | Decimal, how: Rounding) -> int:
    """Whole seconds: to the nearest (half up), down or up. Raises UnfitError for what no bigint holds."""
    if isinstance(number, Decimal):
        ways = {"nearest": ROUND_HALF_UP, "down": ROUND_FLOOR, "up": ROUND_CEILING}
        number = int(number.to_integral_value(ways[how]))
    return whole_number(number)


TRUE_WORDS = ("true", "t", "yes", "y", "1", "on", "是", "对", "√")
FALSE_WORDS = ("false", "f", "no", "n", "0", "off", "否", "错", "×")


def boolean_reader(true: tuple[str, ...], false: tuple[str, ...]) -> Callable[[Cell], bool]:
    """Reads yes-or-no: the declared words (any case), or the usual ones."""
    words = {word.lower(): True for word in true or TRUE_WORDS} | {word.lower(): False for word in false or FALSE_WORDS}

    def read(cell: Cell) -> bool:
        if isinstance(cell, bool):
            return cell
        try:
            return words[as_text(cell).strip().lower()]
        except KeyError:
            raise UnfitError("is neither yes nor no; say true: [...] and false: [...]") from None

    return read

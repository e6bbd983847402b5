"""What a cell becomes: unknown markers, ``extract``, upper or lower case, ``map``, its type, limits. In that order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from kefu.files.cells import Cell, Column, Problem, SpoiledError, UnfitError, as_number, as_text, shown
from kefu.files.dates import Reading, readings
from kefu.files.scopes import Options, Scope, texts
from kefu.files.values import (
    DURATION_FORMATS,
    Signs,
    boolean_reader,
    length_in_seconds,
    rounded,
    storable,
    whole_number,
)

Convert = Callable[[Cell], Cell]

_KINDS = {"duration": "seconds"}
_SAID = {"seconds": "a duration in seconds", "timestamp": "a moment", "text": "a text", "integer": "a whole number"}
REMEMBERED = 50_000  # distinct texts of a column


@dataclass(frozen=True)
class Target:
    """The field to fill: the type of its column (None: a named value, as it is read) and the words it may hold."""

    name: str
    kind: str | None = None
    words: tuple[str, ...] = ()
    may_be_negative: bool = True

    def read_as(self, options: Options) -> str | None:
        """The type a value is read as. Raises ValueError when ``type`` does not suit the field."""
        said = options.get("type")
        if said is None:
            return self.kind
        kind = _KINDS.get(said, said)
        if self.kind in (None, kind) or (self.kind == "text" and kind in ("number", "integer", "boolean")):
            return kind
        if self.kind == "seconds" and kind in ("number", "integer"):
            return self.kind
        if self.kind in ("integer", "number") and kind in ("integer", "number", "seconds"):
            return kind if kind == "seconds" else self.kind
        raise ValueError(f"type: {said}, but {self.name} is {_SAID.get(self.kind or '', f'a {self.kind}')}")

    def check_words(self, values: Iterable[Any], what: str) -> None:
        """Raises ValueError when a constant of the mapping is no word of the field."""
        for value in values:
            if self.words and value is not None and as_text(value) not in self.words:
                raise ValueError(f"{what} {value!r} is none of {' | '.join(self.words)}")


def as_it_is(cell: Cell) -> Cell:
    """No conversion."""
    return cell


def plain_text(cell: Cell) -> Cell:
    """A cell as text; an empty text is unknown."""
    return as_text(cell) or None


def conversion(target: Target, options: Options, scope: Scope) -> Convert:
    """The conversion the options of a field ask for. Raises ValueError for what cannot be meant."""
    read = reader(target, options, scope)
    steps = [step for step in (_extract(options), _letters(options), _translate(target, options)) if step]
    markers = frozenset(texts(options.get("unknown")))
    check = _limits(options)
    if not (markers or steps or check):
        return read

    def convert(cell: Cell) -> Cell:
        if markers and as_text(cell) in markers:
            return None
        for step in steps:
            cell = step(cell)
            if cell is None:
                return None
        result = read(cell)
        if check and result is not None:
            check(result)
        return result

    return convert


def fixed(target: Target, value: Any, options: Options, scope: Scope) -> Cell:
    """A constant of the mapping as a value of the field. Raises ValueError."""
    try:
        return reader(target, {**options, "ambiguous": "quarantine"}, scope)(value)
    except UnfitError as misfit:
        raise ValueError(f"{value!r} {misfit.reason}") from None


def _extract(options: Options) -> Convert | None:
    if "extract" not in options:
        return None
    try:
        pattern = re.compile(options["extract"])
    except re.error as error:
        raise ValueError(f"extract: {options['extract']!r} is not a valid pattern: {error}") from None

    def step(cell: Cell) -> Cell:
        found = pattern.search(as_text(cell))
        if not found:
            raise UnfitError(f"does not hold the pattern {pattern.pattern!r}")
        return found[1 if pattern.groups else 0] or None

    return step


def _letters(options: Options) -> Convert | None:
    if options.get("lower") and options.get("upper"):
        raise ValueError("'lower' and 'upper' exclude each other")
    if options.get("lower"):
        return lambda cell: as_text(cell).lower()
    if options.get("upper"):
        return lambda cell: as_text(cell).upper()
    return None


def _translate(target: Target, options: Options) -> Convert | None:
    if "map" not in options:
        for option in ("otherwise", "unmapped", "ignore_case"):
            if option in options:
                raise ValueError(f"{option!r} goes with 'map'")
        return None
    if "otherwise" in options and "unmapped" in options:
        raise ValueError("'otherwise' and 'unmapped' exclude each other")
    words: dict[str, Any] = dict(options["map"])
    otherwise, policy = options.get("otherwise"), options.get("unmapped", "quarantine")
    if options.get("type") is None:
        target.check_words(words.values(), "map gives")
        target.check_words([otherwise], "otherwise gives")
    fold = str.casefold if options.get("ignore_case") else str
    table = {fold(" ".join(word.split())): meaning for word, meaning in words.items()}

    def step(cell: Cell) -> Cell:
        text = as_text(cell)
        if text in words:
            return words[text]
        key = fold(" ".join(text.split()))
        if key in table:
            return table[key]
        if otherwise is not None:
            return otherwise
        if policy == "quarantine":
            raise UnfitError("is not in the map; add it, or say otherwise: or unmapped:")
        return cell if policy == "keep" else None

    return step


def _limits(options: Options) -> Callable[[Cell], None] | None:
    if "min" not in options and "max" not in options:
        return None
    least, most = (None if options.get(key) is None else Decimal(str(options[key])) for key in ("min", "max"))

    def check(cell: Cell) -> None:
        number = as_number(cell)
        if least is not None and number < least:
            raise UnfitError(f"is less than {least}")
        if most is not None and number > most:
            raise UnfitError(f"is more than {most}")

    return check


# --- types ----------------------------------------------------------------------------------------------------


def reader(target: Target, options: Options, scope: Scope) -> Convert:
    """Reads a known cell as the type of the field."""
    kind = target.read_as(options)
    if kind is None:
        return as_it_is
    return {
        "text": _text,
        "integer": _integer,
        "number": _number,
        "seconds": _seconds,
        "timestamp": _timestamp,
        "boolean": _boolean,
    }[kind](target, options, scope)


def _text(target: Target, options: Options, scope: Scope) -> Convert:
    words = frozenset(target.words)
    if not words:
        return plain_text
    reason = f"is none of {' | '.join(target.words)}; translate it with map"

    def read(cell: Cell) -> Cell:
        text = as_text(cell)
        if text not in words:
            raise UnfitError(reason)
        return text

    return read


def _signs(target: Target, options: Options, noise: timedelta) -> Signs:
    standard = "keep" if target.may_be_negative else "quarantine"
    return Signs(options.get("negative", standard), Decimal(str(noise.total_seconds())))


def _number(target: Target, options: Options, scope: Scope) -> Convert:
    read, signs = scope.numbers(options), _signs(target, options, timedelta(0))
    finish: Convert = {"text": as_text, "number": storable}.get(target.kind or "", as_it_is)

    def convert(cell: Cell) -> Cell:
        number = signs.apply(read(cell))
        return None if number is None else finish(number)

    return convert


def _integer(target: Target, options: Options, scope: Scope) -> Convert:
    read, signs = scope.numbers(options), _signs(target, options, timedelta(0))
    finish: Convert = as_text if target.kind == "text" else as_it_is

    def convert(cell: Cell) -> Cell:
        number = signs.apply(read(cell))
        return None if number is None else finish(whole_number(number))

    return convert


def _seconds(target: Target, options: Options, scope: Scope) -> Convert:
    formats = texts(options.get("format"))
    for form in formats:
        if form not in DURATION_FORMATS:
            raise ValueError(f"format {form!r}: a duration is written as {', '.join(DURATION_FORMATS)}")
    read, signs = scope.numbers(options), _signs(target, options, scope.noise(options))
    how = options.get("round", "nearest")

    def convert(cell: Cell) -> Cell:
        number = signs.apply(length_in_seconds(cell, formats, read))
        return None if number is None else rounded(number, how)

    return convert


def _boolean(target: Target, options: Options, scope: Scope) -> Convert:
    read = boolean_reader(texts(options.get("true")), texts(options.get("false")))
    return (lambda cell: as_text(read(cell))) if target.kind == "text" else read


def _timestamp(target: Target, options: Options, scope: Scope) -> Convert:
    formats = scope.formats(options)
    may_lack_zone = "expression" in options or all(form.text.startswith("epoch") for form in formats)
    zone = scope.zone(options) if may_lack_zone else scope.needed_zone(options)
    policy = options.get("ambiguous", "quarantine")
    both = f"can be read as {' and as '.join(form.text for form in formats)}, and means different days"

    def instant(moment: datetime) -> datetime:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        if zone is None:
            raise UnfitError("has no time zone; say time: {zone: …}")
        return zone.utc(moment)

    def read(cell: Cell) -> Cell:
        found = readings(cell, formats)
        if len(found) == 1 or policy == "first":
            return instant(found[0].moment)
        if policy == "quarantine":
            raise UnfitError(both)
        if policy == "unknown":
            return None
        return Undecided(tuple(replace(reading, moment=instant(reading.moment)) for reading in found), both)

    return read


@dataclass(frozen=True)
class Undecided:
    """A date that can be read in several ways, until another moment of its row settles it."""

    readings: tuple[Reading, ...]
    reason: str

    def closest_to(self, anchor: Cell, within: timedelta | None, label: str | None) -> Cell:
        """The one reading that is nearest to the anchor and, if so said, the only one near; else a `Problem`."""
        said = " or ".join(reading.moment.strftime("%Y-%m-%d %H:%M UTC") for reading in self.readings)
        if type(anchor) is Problem:
            return anchor
        if not isinstance(anchor, datetime):
            return Problem(f"{self.reason}; what should settle it is unknown", label, said)
        gaps = sorted((abs(reading.moment - anchor), index) for index, reading in enumerate(self.readings))
        if within is not None and gaps[0][0] > within:
            return Problem(f"{self.reason}; none is close enough", label, said)
        if gaps[0][0] == gaps[1][0] or (within is not None and gaps[1][0] <= within):
            return Problem(f"{self.reason}; more than one is close", label, said)
        return self.readings[gaps[0][1]].moment


# --- over columns ---------------------------------------------------------------------------------------------


class Memory(dict[Cell, Cell]):
    """What texts met before were converted to: columns repeat themselves. A text that does not fit is a Problem."""

    def __init__(self, convert: Convert, label: str | None) -> None:
        """``label`` names the column in the quarantine."""
        super().__init__({None: None})
        self.convert = convert
        self.label = label

    def __missing__(self, cell: Cell) -> Cell:
        """Convert a text met for the first time, or anything that is no text."""
        result = safely(self.convert, cell, self.label)
        if type(cell) is str:
            self[cell] = result
        return result

    def over(self, cells: Column) -> Column:
        """The cells converted."""
        try:
            return [self[cell] for cell in cells]
        except (TypeError, SpoiledError):  # lists, records and problems cannot be looked up
            return [None if cell is None else safely(self.convert, cell, self.label) for cell in cells]
        finally:
            if len(self) > REMEMBERED:
                self.clear()
                self[None] = None


def safely(convert: Convert, cell: Cell, label: str | None) -> Cell:
    """The cell converted, or the `Problem` of doing so."""
    try:
        return convert(cell)
    except UnfitError as misfit:
        return Problem(misfit.reason, label, shown(cell))
    except SpoiledError as spoiled:
        return spoiled.problem
    except (ArithmeticError, ValueError, TypeError):
        return Problem("cannot be read", label, shown(cell))

"""The functions of expressions. Unless it says otherwise, a function of an unknown value is unknown."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NoReturn

from kefu.files.cells import Cell, Problem, SpoiledError, UnfitError, as_number, as_text, number_of_seconds
from kefu.files.dates import readings
from kefu.files.formats import EPOCH, compile_format
from kefu.files.operators import Operators, whole
from kefu.files.values import boolean_reader, length_in_seconds
from kefu.files.zones import Zone

MANY = 50  # arguments of a function that takes any number


@dataclass(frozen=True)
class Function:
    """A function: how it is used, what it means, between how many arguments (``least`` and ``most``) it takes."""

    call: Callable[..., Cell]
    usage: str
    meaning: str
    least: int
    most: int

    @property
    def name(self) -> str:
        """As it is written."""
        return self.usage.partition("(")[0]


FUNCTIONS: dict[str, Function] = {}
SYNONYMS = {
    "earliest": "least",
    "latest": "greatest",
    "min": "least",
    "max": "greatest",
    "integer": "number",
    "ceil": "ceiling",
}


def _describe(call: Callable[..., Cell], usage: str, meaning: str, *, takes_unknown: bool = False) -> Function:
    parameters = inspect.signature(call).parameters.values()
    fixed = [each for each in parameters if each.kind is not each.VAR_POSITIONAL]
    least = sum(each.default is each.empty for each in fixed)
    open_ended = len(fixed) < len(parameters)
    return Function(
        call if takes_unknown else _unless_unknown(call),
        usage,
        meaning,
        max(least, 1) if not open_ended else least + 1,
        MANY if open_ended else len(fixed),
    )


def _unless_unknown(call: Callable[..., Cell]) -> Callable[..., Cell]:
    def unless_unknown(*cells: Cell) -> Cell:
        for cell in cells:
            if cell is None:
                return None
            if type(cell) is Problem:
                raise SpoiledError(cell)
        return call(*cells)

    return unless_unknown


def _function(
    usage: str, meaning: str, *, takes_unknown: bool = False
) -> Callable[[Callable[..., Cell]], Callable[..., Cell]]:
    def register(call: Callable[..., Cell]) -> Callable[..., Cell]:
        function = _describe(call, usage, meaning, takes_unknown=takes_unknown)
        FUNCTIONS[function.name] = function
        return call

    return register


# --- choosing -------------------------------------------------------------------------------------------------


@_function("if(condition, then[, else])", "one of two values", takes_unknown=True)
def _if(condition: Cell, then: Cell, otherwise: Cell = None) -> NoReturn:
    raise AssertionError("compiled to a conditional expression")


@_function(
    "case(condition, value, condition, value, …[, else])", "the value of the first true condition", takes_unknown=True
)
def _case(condition: Cell, *others: Cell) -> NoReturn:
    raise AssertionError("compiled to conditional expressions")


@_function("coalesce(a, b, …)", "the first that is known", takes_unknown=True)
def _coalesce(*cells: Cell) -> Cell:
    return next((cell for cell in cells if cell is not None), None)


@_function("known(a)", "whether a value is there", takes_unknown=True)
def _known(cell: Cell) -> bool:
    if type(cell) is Problem:
        raise SpoiledError(cell)
    return cell is not None


@_function("null_if(a, b)", "a, but unknown if it equals b")
def _null_if(cell: Cell, marker: Cell) -> Cell:
    return None if as_text(cell) == as_text(marker) else cell


# --- texts ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _count(cell: Cell) -> int:
    return max(int(as_number(cell)), 0)


@_function("text(a)", "as text")
def _text(cell: Cell) -> str:
    return as_text(cell)


@_function("concat(a, b, …)", "texts put together; unknown ones are left out", takes_unknown=True)
def _concat(*cells: Cell) -> str | None:
    return "".join(as_text(cell) for cell in cells if cell is not None) or None


@_function("join(separator, a, b, …)", "the known ones put together with a separator", takes_unknown=True)
def _join(separator: Cell, *cells: Cell) -> str | None:
    known = [as_text(cell) for cell in cells if cell is not None]
    return as_text(separator).join(known) if known else None


@_function("lower(text)", "in lower case")
def _lower(cell: Cell) -> str:
    return as_text(cell).lower()


@_function("upper(text)", "in upper case")
def _upper(cell: Cell) -> str:
    return as_text(cell).upper()


@_function("trim(text)", "without spaces around, with single ones inside")
def _trim(cell: Cell) -> str:
    return " ".join(as_text(cell).split())


@_function("length(text)", "the number of characters")
def _length(cell: Cell) -> int:
    return len(as_text(cell))


@_function("left(text, n)", "the first n characters")
def _left(cell: Cell, length: Cell) -> str:
    return as_text(cell)[: _count(length)]


@_function("right(text, n)", "the last n characters")
def _right(cell: Cell, length: Cell) -> str:
    count = _count(length)
    return as_text(cell)[-count:] if count else ""


@_function("substring(text, start[, length])", "a part; the first character is 1")
def _substring(cell: Cell, start: Cell, length: Cell = None) -> str:
    first = int(as_number(start))
    if first < 1:
        raise UnfitError("substring counts from 1")
    text = as_text(cell)[first - 1 :]
    return text if length is None else text[: _count(length)]


@_function("split(text, separator, n)", "the n-th part, the last is -1; unknown if there are not so many")
def _split(cell: Cell, separator: Cell, part: Cell) -> str | None:
    parts = as_text(cell).split(as_text(separator))
    number = int(as_number(part))
    if not number:
        raise UnfitError("split counts from 1, or from -1 backwards")
    try:
        return parts[number - 1 if number > 0 else number].strip() or None
    except IndexError:
        return None


@_function("replace(text, old, new)", "every old replaced by new")
def _replace(cell: Cell, old: Cell, new: Cell) -> str:
    return as_text(cell).replace(as_text(old), as_text(new))


@_function("pad(text, width[, character])", "filled up on the left, with zeros unless said otherwise")
def _pad(cell: Cell, width: Cell, filler: Cell = "0") -> str:
    return as_text(cell).rjust(min(_count(width), 1_000), as_text(filler)[:1] or "0")


@_function("contains(text, part)", "whether the part is in it")
def _contains(cell: Cell, part: Cell) -> bool:
    return as_text(part) in as_text(cell)


@_function("starts_with(text, part)", "whether it begins with the part")
def _starts_with(cell: Cell, part: Cell) -> bool:
    return as_text(cell).startswith(as_text(part))


@_function("ends_with(text, part)", "whether it ends with the part")
def _ends_with(cell: Cell, part: Cell) -> bool:
    return as_text(cell).endswith(as_text(part))


@_function("matches(text, pattern)", "whether the regular expression is found in it")
def _matches(cell: Cell, pattern: Cell) -> bool:
    return _pattern(as_text(pattern)).search(as_text(cell)) is not None


@_function(
    "extract(text, pattern[, group])",
    "what the regular expression (its first group) finds; unknown if it finds nothing",
)
def _extract(cell: Cell, pattern: Cell, group: Cell = None) -> str | None:
    compiled = _pattern(as_text(pattern))
    wanted = int(as_number(group)) if group is not None else min(compiled.groups, 1)
    if wanted > compiled.groups:
        raise UnfitError("the pattern has no such group")
    found = compiled.search(as_text(cell))
    return (found[wanted] or None) if found else None


@_function("replace_pattern(text, pattern, new)", "every find of the regular expression replaced")
def _replace_pattern(cell: Cell, pattern: Cell, new: Cell) -> str:
    return _pattern(as_text(pattern)).sub(as_text(new), as_text(cell))


@_function("hash(a, b, …)", "a short text that differs when any of the values differs", takes_unknown=True)
def _hash(*cells: Cell) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for cell in cells:
        part = b"\xff" if cell is None else as_text(cell).encode("utf-8", "surrogatepass")
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


# --- yes or no, times -----------------------------------------------------------------------------------------

_read_boolean = boolean_reader((), ())


@_function("boolean(a)", "yes, true, on, 1, 是 as true; no, false, off, 0, 否 as false")
def _boolean(cell: Cell) -> bool:
    return _read_boolean(cell)


def _moment(cell: Cell) -> datetime:
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return cell
    raise UnfitError("a moment is needed here: a field of type timestamp, or timestamp(…)")


@_function("seconds_between(start, end)", "from one moment to another; negative if the end is earlier")
def _seconds_between(start: Cell, end: Cell) -> int | Decimal:
    return number_of_seconds(_moment(end) - _moment(start))


@_function("epoch(moment)", "seconds since 1970 began in UTC")
def _epoch(cell: Cell) -> int | Decimal:
    return number_of_seconds(_moment(cell) - EPOCH)


# --- what depends on how the file writes numbers and which zone it is in --------------------------------------

_LOCAL = re.compile(r"YYYY|MM|DD|HH|mm|ss|dddd|M|D|H")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def file_functions(zone: Zone | None, operators: Operators) -> dict[str, Function]:
    """The functions that have to know the file's time zone or its numbers."""
    functions = [*_number_functions(operators), *_zone_functions(zone)]
    return {function.name: function for function in functions}


def _number_functions(operators: Operators) -> list[Function]:
    read = operators.number

    def rounded(cell: Cell, digits: Cell = 0) -> int | Decimal:
        places = int(as_number(digits))
        result = Decimal(read(cell)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        return int(result) if places <= 0 else result

    def absolute(cell: Cell) -> int | Decimal:
        number = read(cell)
        return -number if number < 0 else number

    def extreme(cells: tuple[Cell, ...], is_better: Callable[[Cell, Cell], bool]) -> Cell:
        best: Cell = None
        for cell in cells:
            if cell is None:
                continue
            candidate = read(cell) if type(cell) is str else cell
            if best is None or is_better(candidate, best):
                best = candidate
        if type(best) is Problem:
            raise SpoiledError(best)
        return best

    def least(*cells: Cell) -> Cell:
        return extreme(cells, operators.less)

    def greatest(*cells: Cell) -> Cell:
        return extreme(cells, operators.greater)

    return [
        _describe(lambda cell: read(cell), "number(a)", "as a number, read as the file writes numbers"),
        _describe(lambda cell: length_in_seconds(cell, (), read), "seconds(a)", "h:mm:ss, '1h 5m', PT1H5M in seconds"),
        _describe(rounded, "round(number[, digits])", "to the nearest, half up"),
        _describe(lambda cell: whole(read(cell), ROUND_FLOOR), "floor(number)", "down to a whole number"),
        _describe(lambda cell: whole(read(cell), ROUND_CEILING), "ceiling(number)", "up to a whole number"),
        _describe(absolute, "abs(number)", "without its sign"),
        _describe(least, "least(a, b, …)", "the smallest number or earliest moment of those known", takes_unknown=True),
        _describe(
            greatest, "greatest(a, b, …)", "the largest number or latest moment of those known", takes_unknown=True
        ),
    ]


def _zone_functions(zone: Zone | None) -> list[Function]:
    def here() -> Zone:
        if zone is None:
            raise UnfitError("the mapping says no time zone; say time: {zone: …}")
        return zone

    def timestamp(cell: Cell, form: Cell = "iso") -> datetime:
        found = readings(cell, (compile_format(as_text(form)),))[0].moment
        return found.astimezone(UTC) if found.tzinfo is not None else here().utc(found)

    def local(cell: Cell, form: Cell = "YYYY-MM-DD HH:mm:ss") -> str:
        moment = here().local(_moment(cell))
        parts = {
            "YYYY": f"{moment.year:04}", "MM": f"{moment.month:02}", "DD": f"{moment.day:02}",
            "HH": f"{moment.hour:02}", "mm": f"{moment.minute:02}", "ss": f"{moment.second:02}",
            "M": str(moment.month), "D": str(moment.day), "H": str(moment.hour), "dddd": _WEEKDAYS[moment.weekday()],
        }  # fmt: skip
        return _LOCAL.sub(lambda found: parts[found[0]], as_text(form))

    return [
        _describe(
            timestamp, "timestamp(text[, format])", "a moment, read in the file's time zone; iso without a format"
        ),
        _describe(
            local, "local(moment[, format])", "what clocks in the file's time zone showed, as text, e.g. 'YYYY-MM-DD'"
        ),
    ]

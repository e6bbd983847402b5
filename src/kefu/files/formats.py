"""Formats of dates and times, compiled to parsers.

A format is written with the letters of a date (``D/M/YYYY HH:mm``), in strptime's way (``%d/%m/%Y %H:%M``) or as one
of the words ``iso``, ``epoch_s``, ``epoch_ms``, ``epoch_us``, ``excel``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache

from kefu.files.cells import UnfitError, plain_number


def wall_clock(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0
) -> datetime:
    """What a clock on a wall shows; its zone is another matter. ValueError if the calendar has no such moment."""
    return datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001 - that is the point


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXCEL_EPOCH = wall_clock(1899, 12, 30)  # right from 1 March 1900 on: Excel counts a 29 February 1900
EPOCH_UNITS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
WORDS = ("iso", *EPOCH_UNITS, "excel")

_MONTH_NAMES = (
    "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
    "september sep sept", "october oct", "november nov", "december dec",
)  # fmt: skip
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names.split()}
_MORNING = ("am", "a.m.", "上午", "凌晨")
AFTERNOON = ("pm", "p.m.", "下午")
HALF = "|".join(re.escape(word) for word in (*_MORNING, *AFTERNOON))

# The letters of a format: two stand for exactly two digits, one for one or two.
_LETTERS = {
    "YYYY": r"(?P<year>[0-9]{4})",
    "YY": r"(?P<short_year>[0-9]{2})",
    "MMMM": r"(?P<month_name>[A-Za-z]+)",
    "MMM": r"(?P<month_name>[A-Za-z]+)\.?",
    "MM": r"(?P<month>[0-9]{2})",
    "M": r"(?P<month>[0-9]{1,2})",
    "DD": r"(?P<day>[0-9]{2})",
    "D": r"(?P<day>[0-9]{1,2})",
    "dddd": r"[^\W\d]+",
    "ddd": r"[^\W\d]+\.?",
    "HH": r"(?P<hour>[0-9]{2})",
    "H": r"(?P<hour>[0-9]{1,2})",
    "hh": r"(?P<hour12>[0-9]{2})",
    "h": r"(?P<hour12>[0-9]{1,2})",
    "mm": r"(?P<minute>[0-9]{2})",
    "m": r"(?P<minute>[0-9]{1,2})",
    "ss": r"(?P<second>[0-9]{2})",
    "s": r"(?P<second>[0-9]{1,2})",
    "S": r"(?P<fraction>[0-9]{1,9})",
    "A": rf"(?P<half>{HALF})",
    "a": rf"(?P<half>{HALF})",
    "Z": r"(?P<offset>Z|UTC|GMT|[-+][0-9]{2}(?::?[0-9]{2})?)",
}
_SAME = {"yyyy": "YYYY", "yy": "YY", "dd": "DD", "d": "D"}
_LETTER = re.compile(
    r"\[([^\]]*)\]|(YYYY|yyyy|YY|yy|MMMM|MMM|MM|M|DD|D|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|S+|A|a|Z)|(\s+)|(.)", re.DOTALL
)
_PERCENT = {
    "Y": "YYYY", "y": "YY", "m": "M", "d": "D", "e": "D", "B": "MMMM", "b": "MMM", "A": "dddd", "a": "ddd",
    "H": "H", "I": "h", "M": "m", "S": "s", "f": "S", "p": "A", "z": "Z",
}  # fmt: skip
_PERCENT_PART = re.compile(r"%(.)|(\s+)|([^%\s]+)", re.DOTALL)
_PERCENT_SHORT = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y"}
_PARTS_OF_A_DATE = {
    "year": {"year", "short_year"}, "month": {"month", "month_name"}, "day": {"day"},
}  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A way to write a date, a time of day or both.

    ``parse`` gives what the wall clock shows (an instant if the text has an offset; 1900-01-01 where it holds no date)
    or raises UnfitError.
    """

    text: str
    parse: Callable[[str], datetime] = field(compare=False)
    has_date: bool = True
    has_time: bool = True


@lru_cache(maxsize=256)
def compile_format(text: str) -> Format:
    """The format a mapping names. Raises ValueError saying what is wrong with it."""
    if text in EPOCH_UNITS:
        return Format(text, lambda value: epoch(plain_number(value), text))
    if text == "excel":
        return Format(text, lambda value: excel_serial(plain_number(value)))
    if text == "iso":
        return Format(text, _parse_iso)
    try:
        matcher = re.compile(_percent_pattern(text) if "%" in text else _letter_pattern(text), re.IGNORECASE)
    except re.error:
        raise ValueError(f"{text!r} names a part of the date twice") from None
    groups = set(matcher.groupindex)
    _check_parts(text, groups)
    has_date = any(groups & ways for ways in _PARTS_OF_A_DATE.values())
    return Format(text, _parser(text, matcher), has_date, bool(groups & {"hour", "hour12"}))


def _letter_pattern(text: str) -> str:
    parts = []
    for quoted, letters, space, other in _LETTER.findall(text):
        if letters:
            parts.append(_LETTERS["S" if letters.startswith("S") else _SAME.get(letters, letters)])
        else:
            parts.append(r"\s+" if space else re.escape(quoted or other))
    return "".join(parts)


def _percent_pattern(text: str) -> str:
    for short, long in _PERCENT_SHORT.items():
        text = text.replace(short, long)
    parts = []
    for code, space, other in _PERCENT_PART.findall(text):
        if code == "%":
            parts.append("%")
        elif code in _PERCENT:
            parts.append(_LETTERS[_PERCENT[code]])
        elif code:
            raise ValueError(f"{text!r}: %{code} is not known; known are %{' %'.join(_PERCENT)}")
        else:
            parts.append(r"\s+" if space else re.escape(other))
    return "".join(parts)


def _check_parts(text: str, groups: set[str]) -> None:
    if not groups:
        raise ValueError(
            f"{text!r} holds no part of a date; formats look like 'D/M/YYYY HH:mm', '%d/%m/%Y %H:%M' or 'iso'"
        )
    missing = [part for part, ways in _PARTS_OF_A_DATE.items() if not groups & ways]
    if 0 < len(missing) < len(_PARTS_OF_A_DATE):
        hint = "; months are M, minutes are m" if "month" in missing and "minute" in groups else ""
        raise ValueError(f"{text!r} lacks the {' and the '.join(missing)}{hint}")
    if "hour12" in groups and "half" not in groups:
        raise ValueError(f"{text!r} has hours of half a day (h) without AM or PM (A); hours of the whole day are H")
    if groups & {"minute", "second"} and not groups & {"hour", "hour12"}:
        raise ValueError(f"{text!r} has minutes or seconds without hours")


def _parser(text: str, matcher: re.Pattern[str]) -> Callable[[str], datetime]:
    match, misfit = matcher.fullmatch, f"is not written as {text}"
    impossible = f"is no date of the calendar when read as {text}"
    plain = set(matcher.groupindex) <= {"year", "month", "day", "hour", "minute", "second"}
    assemble = _plainly_assembled if plain and "year" in matcher.groupindex else _assembled

    def parse(value: str) -> datetime:
        found = match(value)
        if found is None:
            raise UnfitError(misfit)
        try:
            return assemble(found.groupdict())
        except ValueError:
            raise UnfitError(impossible) from None

    return parse


Parts = Mapping[str, str | None]


def _plainly_assembled(part: Parts) -> datetime:
    """The common case: numbers only."""
    hour, minute, second = int(part.get("hour") or 0), int(part.get("minute") or 0), int(part.get("second") or 0)
    extra = timedelta(0)
    if hour == 24 and not minute and not second:
        hour, extra = 0, DAY
    return (
        wall_clock(int(part["year"] or 0), int(part["month"] or 0), int(part["day"] or 0), hour, minute, second) + extra
    )


def _assembled(part: Parts) -> datetime:
    """The moment the parts of a match make; ValueError if the calendar has none such."""
    hour, minute, second = _hour(part), int(part.get("minute") or 0), int(part.get("second") or 0)
    extra = timedelta(0)
    if hour == 24 and not minute and not second:
        hour, extra = 0, DAY
    fraction = int((part.get("fraction") or "").ljust(6, "0")[:6])
    moment = wall_clock(_year(part), _month(part), int(part.get("day") or 1), hour, minute, second, fraction)
    if offset := part.get("offset"):
        moment = moment.replace(tzinfo=_offset(offset))
    return moment + extra


def _year(part: Parts) -> int:
    if short := part.get("short_year"):
        return int(short) + (1900 if int(short) >= 69 else 2000)
    return int(part.get("year") or 1900)


def _month(part: Parts) -> int:
    if name := part.get("month_name"):
        return _MONTHS.get(name.lower(), 0)
    return int(part.get("month") or 1)


def _hour(part: Parts) -> int:
    half = (part.get("half") or "").lower()
    if text := part.get("hour12"):
        hour = int(text)
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        return half_day_hour(hour, half)
    return int(part.get("hour") or 0)


def half_day_hour(hour: int, half: str) -> int:
    """The hour of the whole day of an hour from 1 to 12 before or after noon."""
    return hour % 12 + (12 if half in AFTERNOON else 0)


def _offset(text: str) -> tzinfo:
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    length = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-length if text[0] == "-" else length)


def _parse_iso(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise UnfitError("is not written as iso (2026-03-01 14:05:00, with or without an offset)") from None


def epoch(number: int | Decimal, unit: str) -> datetime:
    """The instant so many seconds (milli-, microseconds) after 1970 began in UTC. UnfitError if far outside."""
    try:
        return EPOCH + timedelta(microseconds=int(number * (1_000_000 // EPOCH_UNITS[unit])))
    except OverflowError:
        raise UnfitError(f"is too far away to be {unit}") from None


def excel_serial(number: int | Decimal) -> datetime:
    """The wall clock an Excel serial number stands for, to the nearest millisecond. Raises UnfitError."""
    if number < 1:
        raise UnfitError("is before Excel's first day")
    try:
        moment = EXCEL_EPOCH + timedelta(milliseconds=round(number * 86_400_000))
    except OverflowError:
        raise UnfitError("is too far away to be an Excel date") from None
    return moment if number >= 61 else moment + DAY  # before March 1900 no leap day is counted yet

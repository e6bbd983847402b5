"""Dates and times of day in a cell, nothing guessed: every way a date can be read comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from kefu.files.cells import Cell, Problem, SpoiledError, UnfitError, as_number, as_text
from kefu.files.formats import (
    AFTERNOON,
    DAY,
    EPOCH_UNITS,
    HALF,
    Format,
    epoch,
    excel_serial,
    half_day_hour,
    wall_clock,
)


@dataclass(frozen=True)
class Reading:
    """One way to read a date: what it means and the format that says so."""

    moment: datetime
    format: str


def readings(cell: Cell, formats: tuple[Format, ...]) -> list[Reading]:
    """Every different moment a cell can mean in the given formats, in their order: what a wall clock shows, or an
    instant if the cell has its own offset.

    Raises UnfitError when none fits.
    """
    if isinstance(cell, datetime):
        return [Reading(cell, "as stored")]
    if isinstance(cell, date):
        return [Reading(wall_clock(cell.year, cell.month, cell.day), "as stored")]
    if isinstance(cell, Problem):
        raise SpoiledError(cell)
    if isinstance(cell, bool | time | timedelta | list | dict):
        raise UnfitError("is not a date")
    if isinstance(cell, int | float | Decimal):
        counted = next((form.text for form in formats if form.text in (*EPOCH_UNITS, "excel")), None)
        if counted is not None:
            number = as_number(cell)
            return [Reading(excel_serial(number) if counted == "excel" else epoch(number, counted), counted)]
        if all(form.text == "iso" for form in formats):
            raise UnfitError("is a number, not a date; say format: excel, epoch_s or epoch_ms if it stands for one")
        cell = as_text(cell)  # for example 20260301 as YYYYMMDD
    return _read_text(cell, formats)


def _read_text(text: str, formats: tuple[Format, ...]) -> list[Reading]:
    found: list[Reading] = []
    for form in formats:
        try:
            moment = form.parse(text)
        except UnfitError:
            if len(formats) == 1:
                raise
            continue
        if all(moment != other.moment for other in found):
            found.append(Reading(moment, form.text))
    if not found:
        raise UnfitError("is written in none of the ways " + " | ".join(form.text for form in formats))
    return found


_CLOCK = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
_HALF_BEFORE = re.compile(rf"({HALF})\s*{_CLOCK}", re.IGNORECASE)
_HALF_AFTER = re.compile(rf"{_CLOCK}(?:\s*({HALF}))?", re.IGNORECASE)
_NO_TIME = "is not a time of day (h:mm or h:mm:ss)"


def time_of_day(cell: Cell, formats: tuple[Format, ...] = ()) -> timedelta:
    """A wall-clock time as the time since midnight, below 48 hours. Raises UnfitError.

    Without ``formats``: ``7:02``, ``07:02:47``, ``07:02:47.5``, ``7:02 PM``; a spreadsheet's time or part of a day.
    """
    if isinstance(cell, Problem):
        raise SpoiledError(cell)
    if isinstance(cell, datetime):
        cell = cell.time()
    if isinstance(cell, time):
        return timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second, microseconds=cell.microsecond)
    if isinstance(cell, timedelta):
        if not timedelta(0) <= cell < 2 * DAY:
            raise UnfitError(_NO_TIME)
        return cell
    if isinstance(cell, bool | list | dict):
        raise UnfitError(_NO_TIME)
    if formats:
        return _by_formats(as_text(cell), formats)
    if isinstance(cell, str):
        return _usual(cell)
    if 0 <= cell < 1:
        return timedelta(milliseconds=round(cell * 86_400_000))
    raise UnfitError(_NO_TIME)


def _by_formats(text: str, formats: tuple[Format, ...]) -> timedelta:
    for form in formats:
        try:
            moment = form.parse(text)
        except UnfitError:
            continue
        if form.has_date:
            return moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return moment - wall_clock(1900, 1, 1)
    raise UnfitError("is not a time written as " + " | ".join(form.text for form in formats))


def _usual(text: str) -> timedelta:
    if found := _HALF_AFTER.fullmatch(text):
        hour, minute, second, fraction, half = found.groups()
    elif found := _HALF_BEFORE.fullmatch(text):
        half, hour, minute, second, fraction = found.groups()
    else:
        raise UnfitError(_NO_TIME)
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if half:
        if not 1 <= hours <= 12:
            raise UnfitError(_NO_TIME)
        hours = half_day_hour(hours, "pm" if half.lower() in AFTERNOON else "am")
    if minutes > 59 or seconds > 59 or hours > 47:
        raise UnfitError(_NO_TIME)
    return timedelta(
        hours=hours, minutes=minutes, seconds=seconds, microseconds=int((fraction or "0").ljust(6, "0")[:6])
    )

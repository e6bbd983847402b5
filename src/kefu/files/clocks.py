"""Moments made of a wall-clock time: with the date in another column, or after another moment of the row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from kefu.files.cells import Cell, Column, Problem, SpoiledError, UnfitError, as_text, shown
from kefu.files.conversions import Memory, Undecided
from kefu.files.dates import readings, time_of_day
from kefu.files.formats import Format, compile_format
from kefu.files.frames import Frame
from kefu.files.scopes import Compute, Options, Scope, length, texts
from kefu.files.zones import Zone, first_at_or_after

_NOT_WITH_TIME = ("format", "extract", "map", "lower", "upper", "ambiguous", "min", "max", "type")


def clock_moment(options: Options, scope: Scope) -> Compute:
    """The moments of a field with ``time``. Raises ValueError for what cannot be meant."""
    if ("date" in options) == ("after" in options):
        raise ValueError("'time' needs either 'date' (its day) or 'after' (the field it comes after)")
    for option in _NOT_WITH_TIME:
        if option in options and not (option == "type" and options["type"] == "timestamp"):
            hint = "; say date_format and time_format" if option == "format" else ""
            raise ValueError(f"{option!r} does not go with 'time'{hint}")
    zone = scope.needed_zone(options)
    label = as_text(options["time"])
    clocks = _clocks(options, scope, label)
    return (
        _with_date(options, scope, zone, clocks) if "date" in options else _after(options, scope, zone, clocks, label)
    )


def label_of(options: Options) -> str:
    """The columns named in the quarantine."""
    return ", ".join(as_text(options[key]) for key in ("date", "time") if key in options)


def _clocks(options: Options, scope: Scope, label: str) -> Compute:
    cells = scope.column(label)
    formats = tuple(compile_format(form) for form in texts(options.get("time_format")))
    if lacking := [form.text for form in formats if not form.has_time]:
        raise ValueError(f"time_format {lacking[0]!r} holds no hours")
    markers = frozenset(texts(options.get("unknown")))

    def read(cell: Cell) -> Cell:
        return None if as_text(cell) in markers else time_of_day(cell, formats)

    memory = Memory(read, label)
    return lambda frame: memory.over(cells(frame))


def _with_date(options: Options, scope: Scope, zone: Zone, clocks: Compute) -> Compute:
    label = as_text(options["date"])
    cells = scope.column(label)
    formats = scope.formats(options, "date_format")
    memory = Memory(lambda cell: _day(cell, formats), label)
    both = label_of(options)

    def instant(day: Cell, clock: Cell) -> datetime:
        if type(day) is Problem or type(clock) is Problem:
            raise SpoiledError(day if type(day) is Problem else clock)
        return zone.utc_of(day, clock)

    return lambda frame: _combined(memory.over(cells(frame)), clocks(frame), instant, both)


def _day(cell: Cell, formats: tuple[Format, ...]) -> date:
    days = [reading.moment.date() for reading in readings(cell, formats)]
    if len(set(days)) > 1:
        raise UnfitError(f"can be read as {' and as '.join(form.text for form in formats)}, and means different days")
    return days[0]


def _after(options: Options, scope: Scope, zone: Zone, clocks: Compute, label: str) -> Compute:
    noise = scope.noise(options)
    within = length(options["within"]) if "within" in options else None
    anchors = scope.moment(as_text(options["after"]), "after")

    def instant(anchor: Cell, clock: Cell) -> datetime:
        if type(anchor) is Problem or type(clock) is Problem:
            raise SpoiledError(anchor if type(anchor) is Problem else clock)
        if type(anchor) is not datetime or anchor.tzinfo is None:
            raise UnfitError(f"cannot follow {options['after']!r}: that is no moment")
        found = first_at_or_after(clock, anchor, noise, zone)
        if within is not None and found - anchor > within:
            raise UnfitError(f"is more than {options['within']} after {options['after']}")
        return found

    return lambda frame: _combined(anchors(frame), clocks(frame), instant, label)


def settled(compute: Compute, ambiguous: Options, scope: Scope, label: str | None) -> Compute:
    """Of several readings of a date, the one closest to another moment of the row."""
    anchors = scope.moment(as_text(ambiguous["closest_to"]), "closest_to")
    within = length(ambiguous["within"]) if "within" in ambiguous else None

    def settle(frame: Frame) -> Column:
        cells = compute(frame)
        if Undecided not in set(map(type, cells)):
            return cells
        return [
            cell.closest_to(anchor, within, label) if type(cell) is Undecided else cell
            for cell, anchor in zip(cells, anchors(frame), strict=True)
        ]

    return settle


def _combined(first: Column, second: Column, combine: Callable[[Cell, Cell], Cell], label: str) -> Column:
    combined: Column = []
    append = combined.append
    for one, other in zip(first, second, strict=True):
        if one is None or other is None:
            append(one if type(one) is Problem else other if type(other) is Problem else None)
            continue
        try:
            append(combine(one, other))
        except UnfitError as misfit:
            append(Problem(misfit.reason, label, _both(one, other)))
        except SpoiledError as spoiled:
            append(spoiled.problem)
        except OverflowError:
            append(Problem("is out of range", label, _both(one, other)))
    return combined


def _both(one: Cell, other: Cell) -> str | None:
    if not isinstance(one, date) or not isinstance(other, timedelta):
        return shown(other)
    seconds = int(other.total_seconds())
    return f"{one.isoformat()} {seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

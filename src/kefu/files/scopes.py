"""What names, zones and number marks mean where a field of a mapping is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from kefu.files.cells import Cell, Column, UnfitError, as_text
from kefu.files.expressions import Expression, Reference, compile_expression
from kefu.files.formats import Format, compile_format
from kefu.files.frames import BUILT_IN, Frame
from kefu.files.values import THOUSANDS, length_in_seconds, number_reader
from kefu.files.zones import Repeated, Skipped, Zone

Options = Mapping[str, Any]
Compute = Callable[[Frame], Column]


@dataclass(frozen=True)
class Defaults:
    """What the file as a whole says, for fields that do not say otherwise."""

    zone: str | None = None
    repeated_hour: Repeated = "quarantine"
    skipped_hour: Skipped = "quarantine"
    formats: tuple[str, ...] = ()
    clock_noise: timedelta = timedelta(seconds=2)
    decimal: str = "."
    thousands: str | None = None


@dataclass
class Scope:
    """What a field can refer to, and what it did refer to once it is compiled.

    A bare name is a field mapped beside it (but not itself), else a named value, else a column of the file.
    """

    name: str
    defaults: Defaults
    fields: frozenset[str] = frozenset()
    lets: frozenset[str] = frozenset()
    columns_read: set[str] = field(default_factory=set)
    fields_read: set[str] = field(default_factory=set)
    lets_read: set[str] = field(default_factory=set)

    def resolve(self, reference: Reference) -> tuple[str, str]:
        """What a name means (column, field, let or built_in) and its name. Raises ValueError."""
        kind, name = reference.kind, reference.name
        if kind != "column" and name in self.fields and name != self.name:
            return "field", name
        if kind == "field":
            said = ", ".join(sorted(self.fields - {self.name})) or "none"
            raise ValueError(f"field({name!r}): there is no such field mapped here; mapped are {said}")
        if kind == "name" and name in self.lets and name != self.name:
            return "let", name
        return ("built_in" if kind == "name" and name in BUILT_IN else "column"), name

    def cells(self, reference: Reference) -> Compute:
        """The cells a name stands for. Raises ValueError."""
        kind, name = self.resolve(reference)
        if kind == "field":
            self.fields_read.add(name)
            return lambda frame: frame.field(name)
        if kind == "let":
            self.lets_read.add(name)
            return lambda frame: frame.let(name)
        if kind == "built_in":
            return lambda frame: frame.built_in(name)
        self.columns_read.add(name)
        return lambda frame: frame.column(name)

    def expression(self, text: str) -> tuple[Expression, Compute]:
        """A formula and its cells. Raises ValueError."""
        text = text[1:].strip() if text.startswith("=") else text
        try:
            expression = compile_expression(text, self.zone({}), self.numbers({}))
            inputs = [self.cells(reference) for reference in expression.references]
        except ValueError as error:
            raise ValueError(f"the formula {text!r}: {error}") from None
        return expression, lambda frame: expression.over([cells(frame) for cells in inputs], frame.size)

    def column(self, name: str) -> Compute:
        """A column named in an option (line_number, row_number and file_name are columns too), or ``= formula``."""
        if name.startswith("="):
            return self.expression(name)[1]
        if name in BUILT_IN:
            return lambda frame: frame.built_in(name)
        return self.cells(Reference("column", name))

    def moment(self, name: str, option: str) -> Compute:
        """The field or named value an option refers to, or ``= formula``. Raises ValueError for a column."""
        if name.startswith("="):
            return self.expression(name)[1]
        reference = Reference("name", name)
        if self.resolve(reference)[0] not in ("field", "let"):
            known = ", ".join(sorted((self.fields | self.lets) - {self.name})) or "none"
            raise ValueError(f"{option}: {name!r} is no field or named value mapped here; there are {known}")
        return self.cells(reference)

    def zone(self, options: Options) -> Zone | None:
        """The time zone in force, if any."""
        name = options.get("zone", self.defaults.zone)
        if name is None:
            return None
        return Zone(
            name,
            options.get("repeated_hour", self.defaults.repeated_hour),
            options.get("skipped_hour", self.defaults.skipped_hour),
        )

    def needed_zone(self, options: Options) -> Zone:
        """The time zone in force. Raises ValueError if none was said."""
        zone = self.zone(options)
        if zone is None:
            raise ValueError(
                "which time zone is it in? Say time: {zone: Asia/Shanghai} for the file (UTC if it is that)"
            )
        return zone

    def formats(self, options: Options, key: str = "format") -> tuple[Format, ...]:
        """The date formats in force, iso without any. Raises ValueError for one that cannot be meant."""
        said = texts(options.get(key)) or self.defaults.formats or ("iso",)
        formats = tuple(compile_format(form) for form in said)
        if lacking := [form.text for form in formats if not form.has_date]:
            raise ValueError(
                f"{key} {lacking[0]!r} holds no date; a time of day is given by 'time' with 'date' or 'after'"
            )
        return formats

    def numbers(self, options: Options) -> Callable[[Cell], int | Decimal]:
        """How numbers are read here. Raises ValueError when the marks cannot be told apart."""
        decimal = options.get("decimal", self.defaults.decimal)
        thousands = options.get("thousands", self.defaults.thousands)
        check_marks(decimal, thousands)
        return number_reader(decimal, thousands)

    def noise(self, options: Options) -> timedelta:
        """How far clocks may disagree. Raises ValueError."""
        return length(options["clock_noise"]) if "clock_noise" in options else self.defaults.clock_noise


def texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts, as written."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(as_text(item) for item in value)
    return (as_text(value),)


def length(value: Any) -> timedelta:
    """A span such as ``2s``, ``12h`` or a number of seconds. Raises ValueError."""
    try:
        seconds = length_in_seconds(value, ())
    except UnfitError:
        raise ValueError(f"{value!r} is no length of time such as 2s, 10m or 12h") from None
    return timedelta(microseconds=int(seconds * 1_000_000))


def check_marks(decimal: str, thousands: str | None) -> None:
    """Raises ValueError when the two marks cannot be told apart."""
    if decimal in THOUSANDS.get(thousands or "", thousands or ""):
        raise ValueError(f"decimal {decimal!r} and thousands {thousands!r} are the same mark")

"""Vendor rows to typed Arrow pages; what does not fit its column goes to quarantine with its reason.

A number sent as text is still a number. Text in a number's column is one bad row, or, if every row of a page has
it, a vendor that changed the type of the field: that stops the load, because guessing would poison history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from kefu.errors import KefuError
from kefu.sources import Rejected, Table

TIMESTAMP = pa.timestamp("us", "UTC")
JSON = pa.string()

Row = Mapping[str, Any]

_CHANGED_FROM = 3  # so many values of a page, all of them wrong, are a changed type rather than bad rows


def build(
    table: Table,
    rows: Iterable[Row],
    reject: Callable[[Rejected], None],
    *,
    where: str,
) -> pa.Table:
    """One page of ``table`` from rows given as dicts by column; missing columns are null.

    ``where`` names the vendor and the call, for messages. Rows with a value that does not fit, or without a key,
    are rejected. Raises KefuError if every value of a column stopped fitting its type.
    """
    rows = list(rows)
    schema = table.schema()
    problems: dict[int, tuple[str, Any, str]] = {}
    arrays = [_column(table, field, [row.get(field.name) for row in rows], problems, where) for field in schema]
    for name in table.key:
        if arrays[schema.get_field_index(name)].null_count:
            for index, value in enumerate(arrays[schema.get_field_index(name)].is_valid().to_pylist()):
                if not value:
                    problems.setdefault(index, (name, None, "the key is missing"))
    for index, (name, value, reason) in sorted(problems.items()):
        reject(
            Rejected(
                entity=table.name,
                reason=reason,
                row=dump(rows[index]) or "",
                column=name,
                value=text(value),
            )
        )
    if problems:
        kept = pa.array([index not in problems for index in range(len(rows))], pa.bool_())
        arrays = [array.filter(kept) for array in arrays]
    return pa.table(arrays, schema=schema)


def dump(value: Any) -> str | None:
    """JSON text of a value, keys in the vendor's order; None stays None."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def text(value: Any) -> str | None:
    """A scalar as text, true and false as JSON has them; a list or object as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return dump(value)
    return str(value)


def instant(value: Any) -> datetime | None:
    """An ISO 8601 text with offset, or epoch seconds, as a UTC instant. ValueError for anything else."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    else:
        raise ValueError("not an instant")
    if moment.tzinfo is None:
        raise ValueError("an instant without its offset from UTC")
    return moment.astimezone(UTC)


def _integer(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise ValueError("true or false where a number belongs")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("not a whole number")
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("a number beyond 64 bits")
    return number


def _integer32(value: Any) -> int | None:
    number = _integer(value)
    if number is not None and not -(2**31) <= number < 2**31:
        raise ValueError("a number beyond 32 bits")
    return number


def _boolean(value: Any) -> bool | None:
    if value is None:
        return None
    if value in (False, True):
        return bool(value)
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("neither true nor false")


def _real(value: Any) -> float | None:
    if isinstance(value, bool):
        raise ValueError("true or false where a number belongs")
    return None if value is None or value == "" else float(value)


def _day(value: Any) -> date | None:
    """A date, or the date a text begins with: some vendors send a midnight with it."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("not a date")
    return date.fromisoformat(value[:10])


def _clean_text(value: Any) -> str | None:
    found = text(value)
    if found is None or found.isascii():
        return found
    # JSON can spell half a surrogate pair; no database takes it for text.
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _converter(kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_int32(kind):
        return _integer32
    if pa.types.is_integer(kind):
        return _integer
    if pa.types.is_boolean(kind):
        return _boolean
    if pa.types.is_floating(kind):
        return _real
    if pa.types.is_timestamp(kind):
        return instant
    if pa.types.is_date(kind):
        return _day
    return _clean_text


# What needs no look at each value: Python's types that Arrow takes for the column as they are.
_AS_IS = {pa.int64(): int, pa.bool_(): bool, pa.string(): str, TIMESTAMP: str}


def _column(
    table: Table,
    field: pa.Field,
    values: Sequence[Any],
    problems: dict[int, tuple[str, Any, str]],
    where: str,
) -> pa.Array:
    kind = field.type
    if set(map(type, values)) <= {_AS_IS.get(kind), type(None)}:
        try:
            return pa.array(values).cast(kind) if kind == TIMESTAMP else pa.array(values, kind)
        except (pa.ArrowException, UnicodeError, OverflowError):
            pass  # one by one, to say which
    return pa.array(_one_by_one(table, field.name, kind, values, problems, where), kind)


def _one_by_one(
    table: Table,
    name: str,
    kind: pa.DataType,
    values: Sequence[Any],
    problems: dict[int, tuple[str, Any, str]],
    where: str,
) -> list[Any]:
    convert = _converter(kind)
    converted: list[Any] = []
    wrong: dict[int, str] = {}
    for index, value in enumerate(values):
        try:
            converted.append(convert(value))
        except (ValueError, TypeError, OverflowError, OSError) as error:
            converted.append(None)
            wrong[index] = f"cannot be read as {_word(kind)}: {error}"
    if len(wrong) >= _CHANGED_FROM and len(wrong) == sum(value is not None for value in values):
        example = values[next(iter(wrong))]
        raise KefuError(
            f"{where}: the field {name} of {table.name} has changed its type.",
            expected=_word(kind),
            found=f"{type(example).__name__} in all {len(wrong)} rows of a page, for example {text(example)!r:.80}",
            where=f"{table.name}.{name}",
            do="Nothing was loaded. If the vendor means it, the column's type has to change in the source's module.",
        )
    for index, reason in wrong.items():
        problems.setdefault(index, (name, values[index], reason))
    return converted


def _word(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "an instant"
    if pa.types.is_date(kind):
        return "a date"
    if pa.types.is_integer(kind):
        return "a whole number"
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_floating(kind):
        return "a number"
    return "text"

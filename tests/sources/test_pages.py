"""Vendor rows to Arrow pages: what fits, what is converted, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu.errors import KefuError
from kefu.sources import Rejected, Table
from kefu.sources.http import HttpOptions, _retry_after
from kefu.sources.pages import TIMESTAMP, build, dump, instant, text

THINGS = Table(
    "things",
    {
        "id": pa.int64(),
        "small": pa.int32(),
        "real": pa.float64(),
        "flag": pa.bool_(),
        "at": TIMESTAMP,
        "name": pa.string(),
    },
    key=("id",),
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def convert(*rows: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Rejected]]:
    rejected: list[Rejected] = []
    page = build(THINGS, rows, rejected.append, where="vendor: call")
    assert page.schema.equals(THINGS.schema())
    return page.to_pylist(), rejected


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("id", "42", 42),
        ("id", 42.0, 42),
        ("small", "-7", -7),
        ("real", "1.5", 1.5),
        ("real", 2, 2.0),
        ("flag", 1, True),
        ("flag", "false", False),
        ("at", "2026-03-01T20:00:00+08:00", NOON),
        ("at", NOON.timestamp(), NOON),
        ("at", "", None),
        ("name", 5, "5"),
        ("name", True, "true"),
        ("name", ["a"], '["a"]'),
        ("name", "half \ud83d a pair", "half \ufffd a pair"),
        ("name", "\ud83d\ude00", "\U0001f600"),
    ],
)
def test_what_means_the_same_is_converted(column: str, value: Any, expected: Any) -> None:
    rows, rejected = convert({"id": 1} | {column: value}, {"id": 2})

    assert rejected == [] and rows[0][column] == expected


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", 1.5),
        ("id", 2**63),
        ("id", True),
        ("small", 2**31),
        ("real", "many"),
        ("flag", "perhaps"),
        ("at", "2026-03-01T12:00:00"),
        ("at", "tomorrow"),
        ("at", [1]),
        ("id", None),
    ],
)
def test_what_does_not_fit_is_rejected_with_column_and_value(column: str, value: Any) -> None:
    rows, rejected = convert({"id": 1} | {column: value, "name": "谢谢"}, {"id": 2, "at": "2026-03-01T12:00:00Z"})

    assert [row["id"] for row in rows] == [2]
    (item,) = rejected
    assert (item.entity, item.column, item.value) == ("things", column, text(value))
    assert '"name":"谢谢"' in item.row and item.reason


def test_one_bad_row_among_many_does_not_stop_the_others_but_a_changed_type_does() -> None:
    rows, rejected = convert(*({"id": n, "at": "2026-03-01T12:00:00Z" if n else "?"} for n in range(50)))
    assert len(rows) == 49 and len(rejected) == 1

    with pytest.raises(KefuError, match="the field at of things has changed its type") as error:
        convert(*({"id": n, "at": f"{n}. März"} for n in range(50)))
    assert error.value.expected == "an instant" and "all 50 rows" in str(error.value.found)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20))
def test_numbers_and_their_texts_are_the_same_numbers(numbers: list[int | None]) -> None:
    as_text = [None if number is None else str(number) for number in numbers]
    plain, _ = convert(*({"id": n, "real": 1, "name": None} for n in numbers if n is not None))
    written, _ = convert(*({"id": n, "real": "1", "name": None} for n in as_text if n is not None))
    assert plain == written


@given(st.text(st.characters(exclude_categories=[]), max_size=30))
def test_any_text_json_can_spell_can_be_stored(value: str) -> None:
    rows, rejected = convert({"id": 1, "name": value})

    assert rejected == []
    rows[0]["name"].encode()


def test_nothing_stays_nothing() -> None:
    assert convert() == ([], [])
    assert dump(None) is None and text(None) is None and instant(None) is None
    with pytest.raises(ValueError, match="offset"):
        instant("2026-03-01")


def test_a_date_to_wait_for_is_understood_like_a_number() -> None:
    class Response:
        headers: dict[str, str]

    response = Response()
    response.headers = {"Retry-After": format_datetime(datetime(2999, 1, 1, tzinfo=UTC), usegmt=True)}
    assert (_retry_after(response) or 0) > 1e9  # type: ignore[arg-type]
    response.headers = {"Retry-After": "soon"}
    assert _retry_after(response) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["acme.zendesk.com", "ftp://acme", "https://", "https://me:secret@acme.com", "https://acme.com/?a=b"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address"):
        HttpOptions(base_url=url)
    assert HttpOptions(base_url="https://acme.com/prefix/").base_url == "https://acme.com/prefix"

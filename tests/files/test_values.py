"""Numbers, durations, yes or no: what a cell means, and what it does not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu.files.cells import UnfitError, as_number, as_text
from kefu.files.values import Signs, boolean_reader, length_in_seconds, number_reader, rounded, storable, whole_number


@pytest.mark.parametrize(
    ("text", "formats", "seconds"),
    [
        ("0:05:30", (), 330),
        ("12:00:01", (), 43_201),
        ("100:00:00", (), 360_000),
        ("1 2:03:04", (), 86_400 + 7_384),
        ("1.02:03:04", (), 86_400 + 7_384),
        ("0:00:01.5", (), Decimal("1.5")),
        ("5:30", ("mm:ss",), 330),
        ("5:30", ("h:mm",), 19_800),
        ("90:15", ("mm:ss",), 5_415),
        ("330", (), 330),
        ("330.5", (), Decimal("330.5")),
        ("5.5", ("minutes",), 330),
        ("1.5", ("hours",), 5_400),
        ("1500", ("milliseconds",), Decimal("1.5")),
        ("2", ("days",), 172_800),
        ("1h 5m", (), 3_900),
        ("1h5m3s", (), 3_903),
        ("2 hours, 3 minutes", (), 7_380),
        ("1小时5分", (), 3_900),
        ("350 ms", (), Decimal("0.35")),
        ("PT1H5M", (), 3_900),
        ("P1DT2H", (), 93_600),
        ("PT0.5S", (), Decimal("0.5")),
        ("-0:00:02", (), -2),
        ("-3", (), -3),
        ("-1m", (), -60),
        ("1:02:03", ("h:mm:ss", "mm:ss"), 3_723),
        ("2:03", ("h:mm:ss", "mm:ss"), 123),
    ],
)
def test_a_duration_is_read_to_the_second(text: str, formats: tuple[str, ...], seconds: object) -> None:
    assert length_in_seconds(text, formats) == seconds


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("5:30", ()),  # minutes or hours?
        ("0:61:00", ()),
        ("0:00:75", ()),
        ("5:30", ("minutes",)),
        ("330", ("h:mm:ss",)),
        ("soon", ()),
        ("1x", ()),
        ("1h 5", ()),
        ("P", ()),
        ("", ()),
        ("1,5", ()),
    ],
)
def test_what_is_no_duration_is_not_read_as_one(text: str, formats: tuple[str, ...]) -> None:
    with pytest.raises(UnfitError):
        length_in_seconds(text, formats)


@given(seconds=st.integers(0, 10**7))
def test_a_duration_survives_every_way_to_write_it(seconds: int) -> None:
    hours, rest = divmod(seconds, 3_600)
    minutes, left = divmod(rest, 60)
    assert length_in_seconds(f"{hours}:{minutes:02}:{left:02}", ()) == seconds
    assert length_in_seconds(f"{seconds // 60}:{left:02}", ("mm:ss",)) == seconds
    assert length_in_seconds(str(seconds), ()) == seconds
    assert length_in_seconds(f"{hours}h {minutes}m {left}s", ()) == seconds
    assert length_in_seconds(f"PT{hours}H{minutes}M{left}S", ()) == seconds


@pytest.mark.parametrize(
    ("decimal", "thousands", "text", "number"),
    [
        (",", None, "3,5", Decimal("3.5")),
        (",", "point", "1.234,56", Decimal("1234.56")),
        (",", "space", "1\u202f234\u202f567", 1_234_567),
        (".", "comma", "1,234.5", Decimal("1234.5")),
        (".", "comma", "1234.5", Decimal("1234.5")),
        (".", "apostrophe", "12'345", 12_345),
        (",", None, "-0,5", Decimal("-0.5")),
        (",", None, ",5", Decimal("0.5")),
        (".", None, "1e3", Decimal("1000")),
        (".", None, " 007 ", 7),
    ],
)
def test_numbers_are_read_with_the_marks_of_the_file(decimal: str, thousands: str, text: str, number: object) -> None:
    assert number_reader(decimal, thousands)(text) == number


@pytest.mark.parametrize(
    ("decimal", "thousands", "text"),
    [
        (",", "point", "1.23"),  # a separator where none belongs: this is 1.23 in another file
        (".", "comma", "1,23"),
        (",", None, "1.5"),
        (".", None, "1,5"),
        (".", None, "1_000"),
        (".", None, "NaN"),
        (".", None, "inf"),
        (".", None, "0x10"),
        (".", "comma", "1,,234"),
    ],
)
def test_a_number_in_the_marks_of_another_file_is_refused(decimal: str, thousands: str, text: str) -> None:
    with pytest.raises(UnfitError):
        number_reader(decimal, thousands)(text)


@given(number=st.decimals(-(10**9), 10**9, places=3))
def test_a_number_survives_european_marks(number: Decimal) -> None:
    written = f"{number:,.3f}".replace(",", " ").replace(".", ",").replace(" ", ".")
    assert number_reader(",", "point")(written) == number


@given(number=st.integers(-(10**15), 10**15))
def test_numbers_and_texts_turn_into_each_other(number: int) -> None:
    assert as_number(as_text(number)) == number
    assert as_text(float(number)) == str(number)  # a spreadsheet's 12345.0 is the id 12345
    assert as_text(Decimal(number)) == str(number)


def test_a_whole_number_has_no_fraction_and_fits_the_column() -> None:
    assert whole_number(Decimal("3.0")) == 3
    with pytest.raises(UnfitError, match="whole"):
        whole_number(Decimal("3.5"))
    with pytest.raises(UnfitError, match="large"):
        whole_number(2**63)
    with pytest.raises(UnfitError, match="large"):
        storable(10**12)
    assert storable(Decimal(2) / 3) == Decimal("0.666667")


def test_seconds_are_rounded_as_said() -> None:
    assert [rounded(Decimal("1.5"), how) for how in ("nearest", "down", "up")] == [2, 1, 2]
    assert [rounded(Decimal("0.4"), how) for how in ("nearest", "down", "up")] == [0, 0, 1]


def test_a_little_below_zero_is_noise_and_more_follows_the_policy() -> None:
    noise = Decimal(2)
    assert Signs("quarantine", noise).apply(-2) == 0
    assert Signs("unknown", noise).apply(-3) is None
    assert Signs("zero", noise).apply(-99) == 0
    assert Signs("keep", noise).apply(-99) == -99
    with pytest.raises(UnfitError, match="negative"):
        Signs("quarantine", noise).apply(-3)


def test_yes_and_no_have_their_words() -> None:
    usual = boolean_reader((), ())
    assert [usual(word) for word in ("TRUE", "Yes", "1", "是", True)] == [True] * 5
    assert [usual(word) for word in ("false", "N", "0", "否", 0)] == [False] * 5
    with pytest.raises(UnfitError):
        usual("perhaps")
    own = boolean_reader(("offen",), ("zu",))
    assert own("OFFEN") is True and own("zu") is False
    with pytest.raises(UnfitError):
        own("yes")

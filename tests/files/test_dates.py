"""Dates, wall clocks and zones: round trips, ambiguity, midnight, the hours that clocks repeat and skip."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu.files.cells import UnfitError
from kefu.files.dates import readings, time_of_day
from kefu.files.formats import EPOCH, compile_format, excel_serial
from kefu.files.zones import Zone, first_at_or_after


def read(text: object, *formats: str) -> list[datetime]:
    return [reading.moment for reading in readings(text, tuple(map(compile_format, formats)))]


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("D/M/YYYY HH:mm", "29/2/2016 01:16", datetime(2016, 2, 29, 1, 16)),
        ("%d/%m/%Y %H:%M", "5/3/2016 12:00", datetime(2016, 3, 5, 12)),
        ("YYMMDD", "990201", datetime(1999, 2, 1)),
        ("%y%m%d", "990201", datetime(1999, 2, 1)),
        ("YYYYMMDDHHmmss", "20260301140509", datetime(2026, 3, 1, 14, 5, 9)),
        ("DD.MM.YYYY", "01.02.2026", datetime(2026, 2, 1)),
        ("D MMM YYYY", "3 Oct 2021", datetime(2021, 10, 3)),
        ("MMMM D, YYYY h:mm A", "October 3, 2021 12:05 am", datetime(2021, 10, 3, 0, 5)),
        ("%m/%d/%y %I:%M:%S %p", "12/31/21 11:59:59 PM", datetime(2021, 12, 31, 23, 59, 59)),
        ("YYYY年M月D日 HH:mm", "2026年3月1日 14:05", datetime(2026, 3, 1, 14, 5)),
        ("YYYY/M/D A h:mm", "2026/3/1 下午 2:05", datetime(2026, 3, 1, 14, 5)),
        ("dddd, D MMMM YYYY", "Sunday, 1 March 2026", datetime(2026, 3, 1)),
        ("YYYY-MM-DD[T]HH:mm:ss.SSS", "2026-03-01T14:05:09.250", datetime(2026, 3, 1, 14, 5, 9, 250_000)),
        ("dd/MM/yyyy HH:mm:ss", "01/03/2026 14:05:09", datetime(2026, 3, 1, 14, 5, 9)),
        ("D/M/YYYY HH:mm", "1/3/2026 24:00", datetime(2026, 3, 2)),
        ("iso", "2026-03-01 14:05:09", datetime(2026, 3, 1, 14, 5, 9)),
        ("iso", "2026-03-01", datetime(2026, 3, 1)),
        ("iso", "2026-03-01T14:05:09+08:00", datetime(2026, 3, 1, 6, 5, 9, tzinfo=UTC)),
        ("YYYY-MM-DD HH:mm Z", "2026-03-01 14:05 +0800", datetime(2026, 3, 1, 6, 5, tzinfo=UTC)),
        ("epoch_s", "1772373909", datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC)),
        ("epoch_ms", "1772373909250", datetime(2026, 3, 1, 14, 5, 9, 250_000, tzinfo=UTC)),
        ("excel", "46082.5869097222", datetime(2026, 3, 1, 14, 5, 9)),
        ("excel", "36526", datetime(2000, 1, 1)),
    ],
)
def test_a_format_reads_what_it_says(form: str, text: str, moment: datetime) -> None:
    assert read(text, form) == [moment]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("DD/MM/YYYY", "1/2/2026"),  # two letters are two digits
        ("D/M/YYYY", "31/2/2026"),
        ("D/M/YYYY", "1/13/2026"),
        ("D/M/YYYY", "1/2/2026 10:00"),
        ("D/M/YYYY HH:mm", "1/2/2026 24:01"),
        ("D MMM YYYY", "3 Okt 2021"),
        ("h:mm A D/M/YYYY", "13:00 PM 1/1/2026"),
        ("iso", "1/2/2026"),
        ("epoch_s", "soon"),
        ("excel", "0"),
    ],
)
def test_what_a_format_does_not_fit_is_not_bent_into_it(form: str, text: str) -> None:
    with pytest.raises(UnfitError):
        read(text, form)


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ("HH:mm D/YYYY", "lacks the month"),
        ("dd/mm/yyyy", "lacks the month; months are M, minutes are m"),
        ("%d/%m/%Q", "%Q is not known"),
        ("D/M/YYYY h:mm", "without AM or PM"),
        ("D/M/YYYY :mm", "without hours"),
        ("D/M/YYYY D", "twice"),
        ("??", "holds no part"),
    ],
)
def test_a_format_that_cannot_be_meant_is_refused_with_its_reason(form: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        compile_format(form)


moments = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 31)).map(lambda moment: moment.replace(microsecond=0))


@given(moment=moments)
def test_a_moment_survives_every_way_to_write_it(moment: datetime) -> None:
    for percent in ("%d/%m/%Y %H:%M:%S", "%Y%m%d%H%M%S", "%d %b %Y %I:%M:%S %p", "%B %d, %Y %H:%M:%S"):
        assert read(moment.strftime(percent), percent) == [moment]
    assert read(f"{moment.day}/{moment.month}/{moment.year} {moment:%H:%M:%S}", "D/M/YYYY HH:mm:ss") == [moment]
    assert read(moment.isoformat(), "iso") == [moment]
    seconds = int((moment.replace(tzinfo=UTC) - EPOCH).total_seconds())
    assert read(str(seconds), "epoch_s") == [moment.replace(tzinfo=UTC)]
    assert read(str(seconds * 1_000), "epoch_ms") == [moment.replace(tzinfo=UTC)]
    serial = Decimal((moment - datetime(1899, 12, 30)) // timedelta(seconds=1)) / 86_400
    assert excel_serial(serial) == moment


@given(day=st.dates(date(2000, 1, 1), date(2030, 12, 31)))
def test_a_day_with_two_readings_is_never_read_as_one(day: date) -> None:
    found = read(f"{day.day}/{day.month}/{day.year}", "D/M/YYYY", "M/D/YYYY")
    assert datetime(day.year, day.month, day.day) in found
    assert len(found) == (2 if day.day <= 12 and day.day != day.month else 1)


def test_cells_that_are_dates_already_need_no_format() -> None:
    assert read(datetime(2026, 3, 1, 14), "D/M/YYYY") == [datetime(2026, 3, 1, 14)]
    assert read(date(2026, 3, 1), "iso") == [datetime(2026, 3, 1)]
    assert read(20260301, "YYYYMMDD") == [datetime(2026, 3, 1)]
    assert read(46082.5, "excel") == [datetime(2026, 3, 1, 12)]
    assert read(1772373909, "epoch_s") == [datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC)]
    with pytest.raises(UnfitError, match="excel, epoch_s or epoch_ms"):
        read(46082.5, "iso")
    with pytest.raises(UnfitError):
        read(True, "iso")


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("7:02", timedelta(hours=7, minutes=2)),
        ("07:02:47", timedelta(hours=7, minutes=2, seconds=47)),
        ("7:02 PM", timedelta(hours=19, minutes=2)),
        ("12:00 am", timedelta(0)),
        ("下午 2:05", timedelta(hours=14, minutes=5)),
        ("24:10", timedelta(hours=24, minutes=10)),
        (time(7, 2), timedelta(hours=7, minutes=2)),
        (0.5, timedelta(hours=12)),
    ],
)
def test_a_time_of_day_is_read(text: object, clock: timedelta) -> None:
    assert time_of_day(text) == clock


@pytest.mark.parametrize("text", ["7", "7:60", "48:00", "7:02:61", "13:00 pm", "late", True, 1.5])
def test_what_is_no_time_of_day_is_not_read_as_one(text: object) -> None:
    with pytest.raises(UnfitError):
        time_of_day(text)


# --- zones ----------------------------------------------------------------------------------------------------


@given(moment=moments, name=st.sampled_from(["Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "UTC", "Asia/Tokyo"]))
def test_a_wall_clock_without_clock_changes_comes_back(moment: datetime, name: str) -> None:
    zone = Zone(name, "earlier", "shift")
    assert zone.local(zone.utc(moment)) == moment


@given(
    moment=moments,
    name=st.sampled_from(
        ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Jerusalem", "Africa/Casablanca"]
    ),
)
def test_a_wall_clock_comes_back_unless_it_never_was_shown(moment: datetime, name: str) -> None:
    zone = Zone(name, "earlier", "shift")
    instants = zone.both(moment)
    if instants:
        assert zone.utc(moment) == instants[0]
        assert zone.local(zone.utc(moment)) == moment
    else:
        assert zone.local(zone.utc(moment)) != moment


def test_the_hour_that_comes_twice_follows_the_policy() -> None:
    twice = datetime(2026, 10, 25, 1, 30)
    assert Zone("Europe/London", "earlier").utc(twice) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert Zone("Europe/London", "later").utc(twice) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(UnfitError, match="repeated_hour"):
        Zone("Europe/London").utc(twice)
    assert Zone("Europe/London").utc(datetime(2026, 10, 25, 2, 0)) == datetime(2026, 10, 25, 2, tzinfo=UTC)


def test_the_hour_that_never_was_follows_the_policy() -> None:
    never = datetime(2026, 3, 29, 1, 30)
    assert Zone("Europe/London", skipped="shift").utc(never) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    with pytest.raises(UnfitError, match="skipped_hour"):
        Zone("Europe/London").utc(never)


def test_a_time_of_day_on_a_day_of_change_is_right_before_and_after() -> None:
    zone = Zone("America/New_York")
    assert zone.utc_of(date(2026, 11, 1), timedelta(minutes=30)) == datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
    assert zone.utc_of(date(2026, 11, 1), timedelta(hours=3)) == datetime(2026, 11, 1, 8, tzinfo=UTC)


# --- midnight -------------------------------------------------------------------------------------------------

zones = st.sampled_from(["UTC", "Asia/Jerusalem", "Europe/London", "Asia/Kolkata", "America/New_York"])


@given(start=moments, seconds=st.integers(0, 86_400 - 61), name=zones)
def test_an_end_that_reads_earlier_than_its_start_is_on_the_next_day(start: datetime, seconds: int, name: str) -> None:
    zone = Zone(name, "earlier", "shift")
    anchor = zone.utc(start)
    end = anchor + timedelta(seconds=seconds)
    shown = zone.local(end)
    clock = timedelta(hours=shown.hour, minutes=shown.minute, seconds=shown.second)
    found = first_at_or_after(clock, anchor, timedelta(seconds=2), zone)
    changes = len({zone.local(anchor + timedelta(hours=hours)) - (anchor + timedelta(hours=hours)).replace(tzinfo=None)
                   for hours in range(-26, 27)}) > 1  # fmt: skip
    if not changes:
        assert found == end
    assert found >= anchor - timedelta(seconds=2)
    assert zone.local(found) == zone.local(end) or changes


@given(start=moments, back=st.integers(0, 120), name=zones)
def test_a_little_earlier_than_the_start_is_clock_noise_and_not_a_day(start: datetime, back: int, name: str) -> None:
    zone = Zone(name, "earlier", "shift")
    anchor = zone.utc(start)
    shown = zone.local(anchor - timedelta(seconds=back))
    clock = timedelta(hours=shown.hour, minutes=shown.minute, seconds=shown.second)
    noisy = first_at_or_after(clock, anchor, timedelta(seconds=120), zone)
    assert abs(noisy - anchor) <= timedelta(seconds=120) or zone.steady_around(anchor) is None
    if zone.steady_around(anchor) is not None:
        assert noisy == anchor - timedelta(seconds=back)
        strict = first_at_or_after(clock, anchor, timedelta(0), zone)
        assert strict == (anchor if not back else anchor + timedelta(days=1) - timedelta(seconds=back))


def test_midnight_is_passed_on_the_night_clocks_go_back() -> None:
    zone = Zone("Europe/London")
    start = zone.utc(datetime(2026, 10, 24, 23, 58))
    assert first_at_or_after(timedelta(minutes=7), start, timedelta(seconds=2), zone) == start + timedelta(minutes=9)
    # 1:30 is shown twice; the first one after the start is meant
    assert first_at_or_after(timedelta(minutes=90), start, timedelta(0), zone) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    later = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)  # in the first 1:50
    assert first_at_or_after(timedelta(minutes=90), later, timedelta(0), zone) == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )

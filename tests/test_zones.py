"""Zones: what names mean, and offsets that are those of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from kefu import zones

UNTIL = datetime(2030, 1, 1)


def test_every_name_of_rails_is_a_zone() -> None:
    assert set(zones.RAILS.values()) <= available_timezones()
    assert len(zones.RAILS) > 140


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Central Time (US & Canada)", "America/Chicago"),
        ("New Caledonia", "Pacific/Noumea"),
        ("Beijing", "Asia/Shanghai"),
        ("Kathmandu", "Asia/Kathmandu"),
        ("Asia/Shanghai", "Asia/Shanghai"),
        ("UTC", "UTC"),
        ("Gotham", None),
        ("", None),
    ],
)
def test_a_name_is_rails_or_ianas(name: str, zone: str | None) -> None:
    assert zones.iana(name) == zone


@pytest.mark.parametrize(
    "zone",
    [
        "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Shanghai", "Africa/Casablanca", "Pacific/Apia",
        "America/Noronha", "America/Argentina/Tucuman", "Africa/El_Aaiun", "Europe/Dublin", "UTC",
    ],
)  # fmt: skip
def test_offsets_are_those_of_the_clock_at_every_hour(zone: str) -> None:
    found = zones.offsets(zone, UNTIL)
    assert (found[0].utc_from, found[-1].utc_to) == (zones.BEGINNING, UNTIL)
    assert all(before.utc_to == after.utc_from and before.seconds != after.seconds for before, after in pairwise(found))
    place = ZoneInfo(zone)
    for offset in found:
        at = offset.utc_from.replace(tzinfo=UTC)
        end = offset.utc_to.replace(tzinfo=UTC) - timedelta(seconds=1)
        while True:
            ahead = min(at, end).astimezone(place).utcoffset()
            assert ahead is not None and ahead.total_seconds() == offset.seconds, (zone, at)
            if at >= end:
                break
            at += timedelta(hours=1)

"""When the invented account is busy: three time zones, two of them with daylight saving, each with its office hours.

Everything is whole seconds since 1970, UTC, in numpy arrays.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

HOUR, DAY = 3600, 86400
BEGIN = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
YEAR = 365  # days of history before the day that comes on top
HORIZON = 700  # days from BEGIN that are known here; no ticket lives longer

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York")
SHARES = (0.5, 0.3, 0.2)  # of the tickets
OPENS, CLOSES = 9 * HOUR, 18 * HOUR  # Monday to Friday, in each zone


@cache
def offsets() -> Integers:
    """Seconds that local time is ahead of UTC, by zone and hour since BEGIN."""
    return np.array(
        [
            [
                int(datetime.fromtimestamp(BEGIN + hour * HOUR, ZoneInfo(zone)).utcoffset().total_seconds())  # type: ignore[union-attr]
                for hour in range(HORIZON * 24)
            ]
            for zone in ZONES
        ],
        np.int64,
    )


@cache
def activity() -> Reals:
    """How much customers write in each hour since BEGIN, by zone; sums to the zone's share in an average hour."""
    local = BEGIN + np.arange(HORIZON * 24) * HOUR + offsets()
    of_day, weekday = local % DAY // HOUR, (local // DAY + 3) % 7  # 1970 began on a Thursday
    awake = np.select([(of_day >= 8) & (of_day < 19), (of_day >= 19) & (of_day < 23)], [1.0, 0.4], 0.1)
    busy: Reals = np.array(SHARES)[:, None] * awake * np.where(weekday >= 5, 0.4, 1.0)
    return busy


@cache
def _expected() -> Reals:
    """What was written up to the begin of each hour since BEGIN."""
    return np.concatenate([[0.0], np.cumsum(activity().sum(axis=0))])


def arrivals(tickets: Integers, a_year: int) -> Integers:
    """When tickets (counted from 0) are created if there are ``a_year`` in the first YEAR; never going back.

    None is created after HORIZON days: those beyond come all at once at its end.
    """
    expected = _expected()
    place = (tickets + 0.5) / a_year * expected[YEAR * 24]
    at: Integers = np.floor(np.interp(place, expected, np.arange(len(expected)) * float(HOUR))).astype(np.int64)
    return BEGIN + at


def zone_of(at: Integers, chance: Reals) -> Integers:
    """In whose waking hours a ticket was written: a zone by number, given a number from 0 to 1."""
    share = np.cumsum(activity()[:, _hour(at)], axis=0)
    zone: Integers = (chance * share[-1] >= share[:-1]).sum(axis=0).astype(np.int64)
    return zone


def in_office(at: Integers, zone: Integers, late: Reals) -> Integers:
    """The instants, or where the zone's office is closed then the first hour of its next day (``late``: 0 to 1)."""
    local = at + offsets()[zone, _hour(at)]
    day, second = local // DAY, local % DAY
    closed = (second < OPENS) | (second >= CLOSES)
    day = day + (second >= CLOSES)
    weekend = np.maximum((day + 3) % 7 - 4, 0)  # 1 on Saturday, 2 on Sunday
    day = day + np.where(weekend > 0, 3 - weekend, 0)
    moved = day * DAY + OPENS + np.floor(late * HOUR).astype(np.int64)
    moved -= offsets()[zone, _hour(moved - offsets()[zone, _hour(at)])]
    return np.where(closed | (weekend > 0), moved, at)


def _hour(at: Any) -> Any:
    return np.clip((at - BEGIN) // HOUR, 0, HORIZON * 24 - 1)

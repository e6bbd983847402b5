"""Business time another way: by asking the clock on the wall, second by second. Shares no code with Kefu.

A second is open if and only if the wall clock of the schedule's zone then shows a time within the open hours of the
date it shows: weekly hours less what is closed, and whatever is opened on that date.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

MINUTE, DAY = 60, 86_400
Minutes = tuple[int, int]  # of a local day, the second one not included


@dataclass(frozen=True)
class Version:
    """A schedule as it is from an instant on (epoch seconds); hours by ISO weekday, in minutes of the local day."""

    since: int
    zone: str
    hours: dict[int, tuple[Minutes, ...]]
    closed: tuple[tuple[date, Minutes], ...] = ()
    opened: tuple[tuple[date, Minutes], ...] = ()

    def minutes_of(self, day: date) -> set[int]:
        """The open minutes of a local date."""
        weekly = {m for begin, end in self.hours.get(day.isoweekday(), ()) for m in range(begin, end)}
        closed = {m for other, (begin, end) in self.closed if other == day for m in range(begin, end)}
        opened = {m for other, (begin, end) in self.opened if other == day for m in range(begin, end)}
        return weekly - closed | opened


Versions = tuple[Version, ...]


def in_force(versions: Versions, at: int) -> int:
    """The number of the version that holds at an instant: the first since ever, each other from its begin on."""
    return max(number for number, version in enumerate(versions) if number == 0 or version.since <= at)


def counted(versions: Versions, begin: int, end: int, step: int = 1) -> list[int]:
    """Open seconds from ``begin`` to each step until ``end``, by looking at every one of them.

    With a step of a minute it is right where begin, the versions and the clock changes are on whole minutes.
    """
    zones = [ZoneInfo(version.zone) for version in versions]
    minutes: dict[tuple[int, date], set[int]] = {}

    def open_seconds(at: int) -> int:
        number = in_force(versions, at)
        wall = datetime.fromtimestamp(at, zones[number])
        known = number, wall.date()
        if known not in minutes:
            minutes[known] = versions[number].minutes_of(wall.date())
        return step if wall.hour * 60 + wall.minute in minutes[known] else 0

    return list(accumulate(map(open_seconds, range(begin, end, step)), initial=0))


@dataclass
class OpenTime:
    """The open stretches of a schedule from one instant to another, by arithmetic; see test_the_oracle."""

    versions: Versions
    begin: int
    end: int
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        stretches: list[list[int]] = []
        for number, version in enumerate(self.versions):
            since = self.begin if number == 0 else max(self.begin, version.since)
            until = self.versions[number + 1].since if number + 1 < len(self.versions) else self.end
            for start, end in self._of(version, since, min(until, self.end)):
                if stretches and stretches[-1][1] >= start:
                    stretches[-1][1] = max(stretches[-1][1], end)
                else:
                    stretches.append([start, end])
        self.starts = [start for start, _ in stretches]
        self.ends = [end for _, end in stretches]
        self.before = list(accumulate((end - start for start, end in stretches), initial=0))

    @staticmethod
    def _of(version: Version, since: int, until: int) -> Iterator[tuple[int, int]]:
        """The open stretches of one version, in order."""
        zone = ZoneInfo(version.zone)
        found: list[tuple[int, int]] = []
        day = datetime.fromtimestamp(since, UTC).date() - timedelta(days=1)
        last = datetime.fromtimestamp(max(since, until), UTC).date() + timedelta(days=1)
        plain = {weekday: _spans(version.minutes_of(_ordinary(version, weekday))) for weekday in range(1, 8)}
        special = {other for other, _ in (*version.closed, *version.opened)}
        while day <= last and since < until:
            midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
            # a local date lies within 15 hours of the UTC one, and no clock changes twice in so short a time
            offsets = {datetime.fromtimestamp(midnight + hour * 3600, zone).utcoffset() for hour in (-15, 40)}
            spans = _spans(version.minutes_of(day)) if day in special else plain[day.isoweekday()]
            if len(offsets) == 1:
                ahead = int(offsets.pop().total_seconds())  # type: ignore[union-attr]
                found += [(midnight + b * 60 - ahead, midnight + e * 60 - ahead) for b, e in spans]
            else:
                minutes = {m for b, e in spans for m in range(b, e)}
                for at in range(midnight - 15 * 3600, midnight + 40 * 3600, MINUTE):
                    wall = datetime.fromtimestamp(at, zone)
                    if wall.date() == day and wall.hour * 60 + wall.minute in minutes:
                        found.append((at, at + MINUTE))
            day += timedelta(days=1)
        for start, end in sorted(found):
            if max(start, since) < min(end, until):
                yield max(start, since), min(end, until)

    def until(self, at: int) -> int:
        """Open seconds before an instant."""
        place = bisect_right(self.starts, at) - 1
        return 0 if place < 0 else self.before[place] + min(at, self.ends[place]) - self.starts[place]

    def between(self, start: int, end: int) -> int:
        """Open seconds from one instant to another."""
        return self.until(end) - self.until(start)

    def due(self, start: int, seconds: int) -> int | None:
        """The first instant at which so many open seconds have passed since ``start``; None if never."""
        if seconds <= 0:
            return start
        wanted = self.until(start) + seconds
        for begin, end, before in zip(self.starts, self.ends, self.before, strict=False):
            if before < wanted <= before + end - begin:
                return begin + wanted - before
        return None


def _ordinary(version: Version, weekday: int) -> date:
    """A date of that weekday on which nothing is out of the ordinary."""
    special = {other for other, _ in (*version.closed, *version.opened)}
    day = date(1999, 1, 3) + timedelta(days=weekday)
    assert day.isoweekday() == weekday and day not in special
    return day


def _spans(minutes: set[int]) -> list[Minutes]:
    found: list[list[int]] = []
    for minute in sorted(minutes):
        if found and found[-1][1] == minute:
            found[-1][1] = minute + 1
        else:
            found.append([minute, minute + 1])
    return [(begin, end) for begin, end in found]

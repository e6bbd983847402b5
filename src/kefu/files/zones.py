"""Wall clocks to instants in UTC: what to do in the hour that comes twice and in the one that does not exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from kefu.files.cells import UnfitError
from kefu.files.formats import DAY, EPOCH, wall_clock

HOUR = timedelta(hours=1)

Repeated = Literal["earlier", "later", "quarantine"]
Skipped = Literal["shift", "quarantine"]


@dataclass
class Zone:
    """A time zone and what to do when clocks change: ``repeated`` for the hour that comes twice in autumn,
    ``skipped`` for the one that does not exist in spring (``shift``: as if clocks had not been moved yet)."""

    name: str
    repeated: Repeated = "quarantine"
    skipped: Skipped = "quarantine"
    _days: dict[date, timedelta | None] = field(default_factory=dict, repr=False)
    _starts: dict[date, datetime | None] = field(default_factory=dict, repr=False)
    _around: dict[date, timedelta | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Look the zone up."""
        self.zone = ZoneInfo(self.name)

    def utc(self, moment: datetime) -> datetime:
        """A wall clock as an instant; a moment with its own offset keeps it. Raises UnfitError by the two policies."""
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        day = moment.date()
        try:
            offset = self._days[day]
        except KeyError:
            offset = self._days[day] = self._steady_offset(day)
        if offset is not None:
            return (moment - offset).replace(tzinfo=UTC)
        return self._around_a_change(moment)

    def utc_of(self, day: date, clock: timedelta) -> datetime:
        """The instant of a time of day. Raises UnfitError by the two policies."""
        try:
            start = self._starts[day]
        except KeyError:
            midnight = wall_clock(day.year, day.month, day.day)
            steady = self._steady_offset(day)
            start = self._starts[day] = None if steady is None else (midnight - steady).replace(tzinfo=UTC)
        if start is not None and clock < DAY:
            return start + clock
        return self.utc(wall_clock(day.year, day.month, day.day) + clock)

    def steady_around(self, instant: datetime) -> timedelta | None:
        """The offset from UTC if it does not change within two days of an instant, else None."""
        day = instant.date()
        try:
            return self._around[day]
        except KeyError:
            try:
                offsets = {self._steady_offset(day + days * DAY) for days in (-2, -1, 0, 1, 2, 3)}
            except OverflowError:
                offsets = {None}
            found = self._around[day] = offsets.pop() if len(offsets) == 1 else None
            return found

    def both(self, moment: datetime) -> tuple[datetime, ...]:
        """The instants at which clocks show ``moment``: one, two on the autumn change, none in the spring gap."""
        early = moment.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        late = moment.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        if early == late:
            return (early,)
        return (early, late) if early < late else ()

    def local(self, instant: datetime) -> datetime:
        """What the clocks of the zone show at an instant (naive)."""
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def _steady_offset(self, day: date) -> timedelta | None:
        """The offset from UTC if it is the same the whole day, else None."""
        try:
            start = wall_clock(day.year, day.month, day.day)
            seen = {
                (start + hours * HOUR).replace(tzinfo=self.zone, fold=fold).utcoffset()
                for hours in range(25)
                for fold in (0, 1)
            }
        except OverflowError:
            return None
        return seen.pop() if len(seen) == 1 else None

    def _around_a_change(self, moment: datetime) -> datetime:
        instants = self.both(moment)
        if len(instants) == 1:
            return instants[0]
        if instants:
            if self.repeated == "quarantine":
                raise UnfitError(
                    f"is in the hour that clocks showed twice in {self.name}; say repeated_hour: earlier or later"
                )
            return instants[0] if self.repeated == "earlier" else instants[1]
        if self.skipped == "quarantine":
            raise UnfitError(f"is in the hour that clocks skipped in {self.name}; say skipped_hour: shift")
        return moment.replace(tzinfo=self.zone, fold=0).astimezone(UTC)


def first_at_or_after(clock: timedelta, anchor: datetime, noise: timedelta, zone: Zone) -> datetime:
    """The first instant at which clocks show ``clock`` that is not more than ``noise`` before the ``anchor`` (UTC).

    So an end that reads earlier than its start is on the next day, unless it is earlier by no more than the noise
    of the clocks: then it is that much before.
    """
    offset = zone.steady_around(anchor)
    if offset is not None:
        ahead = clock % DAY - (anchor - EPOCH + offset) % DAY
        if ahead < -noise:
            ahead += DAY
        elif ahead - DAY >= -noise:
            ahead -= DAY
        return anchor + ahead
    shown_at_anchor = zone.local(anchor)
    midnight = shown_at_anchor.replace(hour=0, minute=0, second=0, microsecond=0)
    earliest = anchor - noise
    for days in (-1, 0, 1, 2):
        wall = midnight + days * DAY + clock % DAY
        instants = zone.both(wall)
        if not instants and zone.skipped == "shift":
            instants = (wall.replace(tzinfo=zone.zone, fold=0).astimezone(UTC),)
        for instant in instants:
            if instant >= earliest:
                if not days and shown_at_anchor == wall:
                    return anchor  # the very same clock reading: never the hour before or after
                return instant
    raise UnfitError(f"is in the hour that clocks skipped in {zone.name}; say skipped_hour: shift")

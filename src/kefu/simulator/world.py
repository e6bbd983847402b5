"""What the invented service centre is like: its teams, hours, demand and the story of its last two weeks.

Everything here is a plain statement; `telephony`, `tickets` and `surveys` make it happen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

HOUR = 3600
DAY = 24 * HOUR
EPOCH = date(1970, 1, 1).toordinal()

# How a day's demand spreads over its hours, 8:00 to 21:59 in the centre's zone.
HOURLY = {
    8: 4.0, 9: 8.5, 10: 11.5, 11: 10.0, 12: 6.5, 13: 6.5, 14: 9.5,
    15: 10.0, 16: 9.0, 17: 7.0, 18: 5.0, 19: 4.5, 20: 5.0, 21: 3.0,
}  # fmt: skip
NIGHTLY = {0: 2.0, 1: 1.0, 2: 0.5, 3: 0.3, 4: 0.3, 5: 0.4, 6: 0.8, 7: 1.8, 22: 3.2, 23: 3.0}
WEEKLY = (1.22, 1.10, 1.02, 1.00, 1.04, 0.86, 0.76)  # Monday first

OPENING_HOUR, CLOSING_HOUR = 8, 22
STORY_DAYS = 14
QUIET_BEFORE_END = 2 * HOUR  # no new call so late that it could outlast the world


@dataclass(frozen=True)
class Team:
    """One team, what each system calls it, and what its work is like. Durations in seconds."""

    id: str
    en: str
    zh: str
    queue: str
    extension: str
    calls_a_day: float
    tickets_a_day: float
    talk: int
    wrap: int
    satisfied: float  # share of customers who would be content after a prompt, solved contact
    overflow: str  # the queue that takes over when this one takes too long
    overflow_after: int
    open_at_night: bool = False

    @property
    def group(self) -> str:
        """The name in the ticketing and survey systems."""
        return self.en


TEAMS = (
    Team("returns", "Returns", "退换组", "returns", "6001", 57, 17, 270, 50, 0.80, "orders", 240),
    Team("orders", "Orders", "订单组", "orders", "6002", 66, 19, 200, 40, 0.86, "returns", 240),
    Team("payments", "Payments", "支付组", "payments", "6003", 40, 12, 290, 60, 0.82, "orders", 240),
    Team("technical", "Technical", "技术组", "technical", "6004", 40, 13, 400, 75, 0.78, "orders", 300, True),
    Team("key_accounts", "Key accounts", "大客户组", "keyaccounts", "6005", 17, 6, 340, 90, 0.91, "orders", 90),
)
TEAM = {team.id: team for team in TEAMS}
TEAM_OF_QUEUE = {team.queue: team for team in TEAMS}


@dataclass(frozen=True)
class World:
    """One run of the centre: the parameters, and everything that follows from them alone.

    ``end`` is the first day that does not happen. ``scale`` multiplies demand and, with it, staff.
    """

    seed: int
    start: date
    end: date
    zone: str
    scale: float

    @cached_property
    def tz(self) -> ZoneInfo:
        """The centre's zone."""
        return ZoneInfo(self.zone)

    @cached_property
    def begins(self) -> int:
        """Epoch second at which the world begins."""
        return self.epoch(self.start)

    @cached_property
    def ends(self) -> int:
        """Epoch second before which everything happens."""
        return self.epoch(self.end)

    @property
    def now(self) -> int:
        """The instant the systems have reached: a little later, so that nothing is too fresh to be handed out."""
        return self.ends + 300

    def epoch(self, day: date, hour: int = 0, minute: int = 0) -> int:
        """Epoch second of a wall-clock time in the centre's zone; hour 24 and later belong to the next day."""
        day, hour = day + timedelta(days=hour // 24), hour % 24
        return round(datetime.combine(day, time(hour, minute), self.tz).timestamp())

    def local(self, at: int) -> datetime:
        """The wall clock at an epoch second."""
        return datetime.fromtimestamp(at, self.tz)

    def days(self) -> Iterator[date]:
        """Every day of the world."""
        day = self.start
        while day < self.end:
            yield day
            day += timedelta(days=1)

    def in_story(self, team: Team, day: date) -> bool:
        """The last two weeks, in which Returns goes wrong: more demand, fewer people, longer calls."""
        return team.id == "returns" and (self.end - day).days <= STORY_DAYS

    def demand(self, team: Team, day: date) -> float:
        """By how much a day's demand differs from the team's average day, without chance."""
        age = (day - self.start).days / 91
        growth = 1 + 0.06 * age
        return WEEKLY[day.weekday()] * growth * (1.75 if self.in_story(team, day) else 1.0)

    def hourly(self, team: Team) -> dict[int, float]:
        """Hour of the day to its share of the day's calls."""
        weights = HOURLY | NIGHTLY if team.open_at_night else HOURLY
        whole = sum(weights.values())
        return {hour: weights[hour] / whole for hour in sorted(weights)}

    def is_open(self, team: Team, at: int) -> bool:
        """Whether the team's queue takes calls."""
        return team.open_at_night or OPENING_HOUR <= self.local(at).hour < CLOSING_HOUR


def iso(at: int) -> str:
    """An epoch second as vendors write it: ``2026-03-01T15:57:42Z``."""
    day, second = divmod(at, DAY)
    return f"{_date(day)}T{second // HOUR:02d}:{second % HOUR // 60:02d}:{second % 60:02d}Z"


@cache  # a few hundred days, some hundred thousand instants
def _date(day: int) -> str:
    return date.fromordinal(EPOCH + day).isoformat()

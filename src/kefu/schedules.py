"""When the organisation works: the ``[[schedules]]`` of kefu.toml, and what the models read of them.

A schedule is a week of opening hours in a zone, less a country's holidays and single closures, plus single openings;
where a country has make-up workdays (China), these are worked. Several entries with one id are versions: each is
valid from its ``valid_from`` on, the first from the beginning of time. `write` puts them into the schema ``control``
before a build, beside the offsets of every time zone in use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kefu import zones

if TYPE_CHECKING:
    import psycopg

    from kefu.settings import Settings

TABLES = """
create table if not exists control.zones (
    zone_name text primary key,
    zone text
);
comment on table control.zones is
'One row per name of a time zone a source or the configuration uses: the IANA zone it means, null if nobody knows.';
create table if not exists control.zone_offsets (
    zone text not null,
    utc_from timestamp not null,
    utc_to timestamp not null,
    offset_seconds bigint not null,
    primary key (zone, utc_from)
);
comment on table control.zone_offsets is 'One row per zone in use and stretch of time with one offset from UTC.';
create table if not exists control.schedules (
    schedule_id text not null,
    valid_from timestamp not null,
    valid_to timestamp not null,
    schedule_en text not null,
    schedule_zh text not null,
    zone text not null,
    is_default boolean not null,
    primary key (schedule_id, valid_from)
);
comment on table control.schedules is 'One row per version of a schedule of the organisation (kefu.toml), UTC.';
create table if not exists control.schedule_hours (
    schedule_id text not null,
    valid_from timestamp not null,
    iso_weekday integer not null,
    from_second bigint not null,
    to_second bigint not null,
    primary key (schedule_id, valid_from, iso_weekday, from_second)
);
comment on table control.schedule_hours is 'One row per weekly opening of a version, in local seconds of its day.';
create table if not exists control.schedule_days (
    schedule_id text not null,
    valid_from timestamp not null,
    local_date date not null,
    kind text not null,
    from_second bigint not null,
    to_second bigint not null,
    name text not null,
    primary key (schedule_id, valid_from, local_date, kind, from_second, to_second)
);
comment on table control.schedule_days is
'One row per closure or extra opening of a version on one date. Openings outweigh closures, both the weekly hours.';
create table if not exists control.team_schedules (
    team_id text primary key,
    schedule_id text,
    zone text not null
);
comment on table control.team_schedules is
'One row per team of kefu.toml, and `none` for the rest: the schedule it keeps and the zone it works in.';
"""

# Version bounds: "since ever" and "for ever", within what every reader of timestamps can hold.
EVER, FOR_EVER = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 naive UTC, as in the warehouse

# The calendar goes 400 days beyond the as-of time; offsets and holidays go further, so that it never runs out of them.
YEARS_AHEAD = 3

DAY = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DATED = re.compile(r"(\d{4}-\d\d-\d\d)(?: +(\S+))?")

Span = tuple[int, int]  # local seconds of a day, the second one not included


@dataclass(frozen=True)
class Dated:
    """A closure or an opening on one local date."""

    day: date
    span: Span


class Schedule(BaseModel):
    """One ``[[schedules]]`` of kefu.toml: a schedule, or a version of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: dict[Literal["en", "zh"], str] = {}
    zone: str
    hours: dict[int, tuple[Span, ...]]  # ISO weekday to its spans
    holidays: str | None = None
    makeup_hours: tuple[Span, ...] | None = None
    closed: tuple[Dated, ...] = ()
    open: tuple[Dated, ...] = ()
    valid_from: date | datetime | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        return zones.known(zone)

    @field_validator("hours", mode="before")
    @classmethod
    def _a_week(cls, given: object) -> dict[int, tuple[Span, ...]]:
        if not isinstance(given, Mapping) or not given:
            raise ValueError('expected spans by weekday, such as { "mon-fri" = ["09:00-18:00"] }')
        week: dict[int, tuple[Span, ...]] = {}
        for days, spans in given.items():
            for weekday in _weekdays(str(days)):
                if weekday in week:
                    raise ValueError(f"{WEEKDAYS[weekday - 1]} is given twice")
                week[weekday] = _spans(spans, str(days))
        return week

    @field_validator("makeup_hours", mode="before")
    @classmethod
    def _a_day(cls, given: object) -> tuple[Span, ...] | None:
        return None if given is None else _spans(given, "makeup_hours")

    @field_validator("closed", mode="before")
    @classmethod
    def _closures(cls, given: object) -> tuple[Dated, ...]:
        return _dated(given, needs_span=False)

    @field_validator("open", mode="before")
    @classmethod
    def _openings(cls, given: object) -> tuple[Dated, ...]:
        return _dated(given, needs_span=True)

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, code: str | None) -> str | None:
        if code is not None:
            _calendar(code, range(2026, 2027))
        return code

    def starts_at(self) -> datetime:
        """From when on this version is valid, naive UTC. A date begins at midnight of the schedule's zone."""
        if self.valid_from is None:
            return EVER
        begins = self.valid_from
        if not isinstance(begins, datetime):
            begins = datetime.combine(begins, time(), ZoneInfo(self.zone))
        if begins.tzinfo is None:
            begins = begins.replace(tzinfo=ZoneInfo(self.zone))
        return begins.astimezone(UTC).replace(tzinfo=None)


def problems(schedules: Sequence[Schedule]) -> list[str]:
    """What is wrong with the schedules as a whole, a sentence each, naming the schedule."""
    found = []
    for id_ in dict.fromkeys(schedule.id for schedule in schedules):
        versions = [schedule for schedule in schedules if schedule.id == id_]
        starts = Counter(version.starts_at() for version in versions)
        first = starts.pop(EVER, 0)
        if first != 1:
            found.append(
                f"{id_!r} has {first or 'no'} versions without valid_from; exactly one of them, the first, has none"
            )
        found += [f"{id_!r} has two versions valid from {start}Z" for start, count in starts.items() if count > 1]
    return found


def write(connection: psycopg.Connection[Any], settings: Settings, as_of: datetime) -> None:
    """Write the schedules, who keeps which, and the zones in use, as the models of this build read them.

    ``as_of`` is naive UTC. Reads which names of zones the sources have in raw.
    """
    last = as_of.year + YEARS_AHEAD
    for table in ("zones", "zone_offsets", "schedules", "schedule_hours", "schedule_days", "team_schedules"):
        connection.execute(f"delete from control.{table}".encode())
    names = {name: zones.iana(name) for name in sorted(_zones_in_use(connection, settings))}
    _insert(connection, "zones", names.items())
    until = datetime(last + 1, 1, 1)  # noqa: DTZ001 naive UTC
    _insert(
        connection,
        "zone_offsets",
        (
            (zone, offset.utc_from, offset.utc_to, offset.seconds)
            for zone in sorted({zone for zone in names.values() if zone})
            for offset in zones.offsets(zone, until)
        ),
    )
    versions = list(_versions(settings.schedules))
    _insert(
        connection,
        "schedules",
        (
            (
                schedule.id,
                valid_from,
                valid_to,
                schedule.name.get("en", schedule.id),
                schedule.name.get("zh", schedule.name.get("en", schedule.id)),
                schedule.zone,
                schedule.id == settings.business_schedule,
            )
            for schedule, valid_from, valid_to in versions
        ),
    )
    _insert(
        connection,
        "schedule_hours",
        (
            (schedule.id, valid_from, weekday, *span)
            for schedule, valid_from, _ in versions
            for weekday, spans in schedule.hours.items()
            for span in spans
        ),
    )
    _insert(
        connection,
        "schedule_days",
        ((version.id, since, *day) for version, since, until in versions for day in _days(version, since, until, last)),
    )
    none = ("none", settings.business_schedule, settings.reporting_zone)
    kept = [
        (team.id, team.schedule or settings.business_schedule, team.zone or settings.reporting_zone)
        for team in settings.teams
    ]
    _insert(connection, "team_schedules", [none, *kept])


def described(connection: psycopg.Connection[Any]) -> str:
    """What was written, as a mark: another one means that durations may be others."""
    marks = []
    for table in ("schedules", "schedule_hours", "schedule_days", "team_schedules"):
        row = connection.execute(
            f"select md5(coalesce(string_agg(t::text, E'\\n' order by t::text), '')) from control.{table} t".encode()
        ).fetchone()
        marks.append(str(row and row[0]))
    return " ".join(marks)


def rest_days(country: str, years: Iterable[int]) -> tuple[dict[date, str], set[date]]:
    """A country's holidays with their names, and its make-up workdays.

    In China a holiday goes on over the weekend that adjoins it, as the yearly notice says: who works on other
    weekends does not on this one. Raises ValueError for a code nobody knows.
    """
    years = range(min(years := list(years)), max(years) + 1)
    calendar = _calendar(country, years)
    makeup = {day for day in getattr(calendar, "weekend_workdays", ()) if day.year in years}
    rest = {day: str(name) for day, name in calendar.items()}
    if country.partition("-")[0] == "CN":
        for day, name in list(rest.items()):
            for step in (timedelta(days=-1), timedelta(days=1)):
                beside = day + step
                while beside.isoweekday() > 5 and beside not in makeup:
                    rest.setdefault(beside, name)
                    beside += step
    return rest, makeup


def _versions(schedules: Sequence[Schedule]) -> Iterator[tuple[Schedule, datetime, datetime]]:
    """Every version with the instants it is valid from and to."""
    ordered = sorted(schedules, key=lambda schedule: (schedule.id, schedule.starts_at()))
    for place, version in enumerate(ordered, start=1):
        following = ordered[place] if place < len(ordered) else None
        ends = following.starts_at() if following is not None and following.id == version.id else FOR_EVER
        yield version, version.starts_at(), ends


def _days(version: Schedule, since: datetime, until: datetime, last: int) -> Iterator[tuple[date, str, int, int, str]]:
    """Closures and openings of a version: date, kind, seconds of the day, name.

    To the models openings outweigh closures. So what the configuration closes is taken out of make-up workdays here.
    """
    whole = (0, DAY)
    closed: dict[tuple[date, Span], str] = {}
    opened: dict[tuple[date, Span], str] = {}
    if version.holidays:
        years = range(max(since.year - 1, zones.BEGINNING.year), min(until.year + 1, last) + 1)
        rest, makeup = rest_days(version.holidays, years)
        closed |= {(day, whole): name for day, name in rest.items()}
        worked = version.makeup_hours if version.makeup_hours is not None else version.hours.get(1, ())
        for day in makeup:
            closed[day, whole] = "Make-up workday"  # in place of its ordinary hours
            shut = [entry.span for entry in version.closed if entry.day == day]
            opened |= {(day, span): "Make-up workday" for span in _less(worked, shut)}
    closed |= {(entry.day, entry.span): "Closed" for entry in version.closed}
    opened |= {(entry.day, entry.span): "Open" for entry in version.open}
    for kind, entries in (("closed", closed), ("open", opened)):
        for (day, span), name in sorted(entries.items()):
            yield day, kind, *span, name


def _less(spans: Iterable[Span], shut: Iterable[Span]) -> list[Span]:
    """What remains of spans of a day outside others."""
    left = list(spans)
    for begin, end in shut:
        parts = [part for a, b in left for part in ((a, min(b, begin)), (max(a, end), b))]
        left = [(a, b) for a, b in parts if a < b]
    return left


def _zones_in_use(connection: psycopg.Connection[Any], settings: Settings) -> set[str]:
    """The names of zones in the configuration and in the columns of raw tables that hold them."""
    from kefu.sources import kinds

    names = {settings.reporting_zone, *(schedule.zone for schedule in settings.schedules)}
    names |= {team.zone for team in settings.teams if team.zone}
    for kind in kinds().values():
        for table in kind.tables:
            place = f"raw_{kind.name}.{table.name}"
            there = connection.execute("select to_regclass(%s) is not null", [place]).fetchone()
            if not table.zones or not there or not there[0]:
                continue
            for column in table.zones:
                rows = connection.execute(f"select distinct {column} from {place} where {column} <> ''".encode())
                names |= {name for (name,) in rows}
    return names


def _insert(connection: psycopg.Connection[Any], table: str, rows: Iterable[Sequence[object]]) -> None:
    with connection.cursor().copy(f"copy control.{table} from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _calendar(country: str, years: range) -> Any:
    """The country's calendar of the library. Raises ValueError for a code it does not have."""
    import holidays

    code, _, subdivision = country.partition("-")
    try:
        return holidays.country_holidays(code, subdiv=subdivision or None, years=years)
    except NotImplementedError as error:
        raise ValueError(
            f"no holidays are known for {country!r}; expected an ISO code such as 'CN', or with a part as in 'US-CA'"
        ) from error


def _weekdays(text: str) -> range:
    first, _, last = text.partition("-")
    if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
        raise ValueError(f"{text!r} is no weekday; expected one of {', '.join(WEEKDAYS)}, or several as in 'mon-fri'")
    found = range(WEEKDAYS.index(first) + 1, WEEKDAYS.index(last or first) + 2)
    if not found:
        raise ValueError(f"{text!r} goes backwards; the week begins on mon")
    return found


def _spans(given: object, what: str) -> tuple[Span, ...]:
    if not isinstance(given, list | tuple):
        raise ValueError(f"{what}: expected a list such as ['09:00-12:00', '13:00-18:00'], found {given!r}")
    spans = sorted(_span(text) for text in given)
    for (_, end), (begin, _) in pairwise(spans):
        if begin < end:
            raise ValueError(f"{what}: {given!r} overlap")
    return tuple(spans)


def _span(text: object) -> Span:
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found:
        begin, end = (int(found[n]) * 3600 + int(found[n + 1]) * 60 for n in (1, 3))
        if begin < end <= DAY:
            return begin, end
    raise ValueError(
        f"{text!r} is no span of a day; expected one such as '09:00-18:00', at most until 24:00"
        " (hours over midnight are two spans, of two days)"
    )


def _dated(given: object, *, needs_span: bool) -> tuple[Dated, ...]:
    example = "'2026-12-24 09:00-12:00'" if needs_span else "'2026-12-25' or '2026-12-24 12:00-24:00'"
    if not isinstance(given, list | tuple):
        raise ValueError(f"expected a list of dates such as {example}, found {given!r}")
    entries = []
    for entry in given:
        found = _DATED.fullmatch(str(entry)) if isinstance(entry, str | date) else None
        try:
            day = date.fromisoformat(found[1]) if found else None
        except ValueError:
            day = None
        if found is None or day is None or (needs_span and not found[2]):
            raise ValueError(f"{str(entry)!r} is not understood; expected a date such as {example}")
        entries.append(Dated(day, _span(found[2]) if found[2] else (0, DAY)))
    return tuple(sorted(entries, key=lambda entry: (entry.day, entry.span)))

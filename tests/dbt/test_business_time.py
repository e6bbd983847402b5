"""Business time, exact to the second: the real SQL on a real Postgres against asking the clock on the wall.

The models are built once by dbt; then each example puts other schedules into the tables they read, runs the SQL dbt
compiled of them, and asks for many intervals in one query.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import business_oracle
import psycopg
import pytest
from business_oracle import Minutes, OpenTime, Version, Versions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kefu import control, pipeline, schedules, transform, warehouse
from kefu.schedules import Schedule
from kefu.settings import Settings

NewWarehouse = Callable[..., Settings]

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
FIRST = datetime(2023, 5, 1, tzinfo=UTC)
BEGIN, END = int(FIRST.timestamp()), int((AS_OF + timedelta(days=395)).timestamp())

# In the order in which they read each other.
MODELS = (
    "calendar_days", "zone_offsets", "schedules", "schedule_hours", "schedule_exceptions", "business_windows",
    "business_days", "due_windows",
)  # fmt: skip

QUERIES = """
{{ kf_business_intervals('scratch.intervals') }}
-- next
{{ kf_business_dues('scratch.intervals') }}
-- next
{{ kf_ticket_business_seconds('scratch.ticket_intervals', 'number') }}
-- next
select asked.number, {{ kf_zone_date('place', 'asked.started_at') }} as reporting_date
from scratch.intervals as asked {{ kf_zone_join('place', 'asked.schedule_id', 'asked.started_at') }}
"""

Interval = tuple[str, int, int]


def instant(at: int) -> datetime:
    """Naive UTC, as the warehouse has it."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def epoch(text: str) -> int:
    """Of an instant in UTC, such as 2026-03-29 00:30."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


@dataclass(repr=False)
class Clockwork:
    """A warehouse with the models of time, and the SQL they were made of."""

    settings: Settings
    connection: psycopg.Connection[Any]
    models: dict[str, str]
    queries: list[str]

    def keep(self, given: Iterable[Schedule]) -> None:
        """Make the calendar of these schedules of the organisation, and of those of Zendesk that are in raw."""
        kept = self.settings.model_copy(update={"schedules": tuple(given), "business_schedule": None})
        schedules.write(self.connection, kept, AS_OF.replace(tzinfo=None))
        for name in MODELS:
            self.connection.execute(f"truncate canonical.{name}".encode())
            columns = self.connection.execute(f"select * from canonical.{name}".encode()).description or ()
            names = ", ".join(column.name for column in columns)
            self.connection.execute(
                f"insert into canonical.{name} ({names}) select {names} from ({self.models[name]}) as made".encode()
            )
        for name in MODELS:
            self.connection.execute(f"analyze canonical.{name}".encode())

    def seconds(self, intervals: Sequence[Interval]) -> list[int | None]:
        """Business seconds of intervals: schedule, start, end."""
        self._fill((*interval, 0) for interval in intervals)
        return [row[0] for row in self._ask(0, "business_seconds")]

    def dues(self, clocks: Sequence[Interval]) -> list[int | None]:
        """When clocks are due: schedule, start, target seconds."""
        self._fill((schedule, start, start, target) for schedule, start, target in clocks)
        found = [row[0] for row in self._ask(1, "due_at")]
        return [None if at is None else int(at.replace(tzinfo=UTC).timestamp()) for at in found]

    def of_tickets(
        self, spells: Sequence[tuple[str, str | None, datetime, datetime]], intervals: Sequence[Interval]
    ) -> dict[int, tuple[int | None, int | None]]:
        """Business seconds of intervals in tickets' lives, under all schedules and under the last."""
        self._copy("canonical.ticket_schedules", spells)
        rows = [(number, t, instant(a), instant(b)) for number, (t, a, b) in enumerate(intervals)]
        self._copy("scratch.ticket_intervals", rows)
        asked = f"select number, business_seconds, last_schedule_business_seconds from ({self.queries[2]}) as asked"
        return {row[0]: (row[1], row[2]) for row in self.connection.execute(asked.encode())}

    def _fill(self, rows: Iterable[tuple[str, int, int, int]]) -> None:
        numbered = ((n, s, instant(a), instant(b), target) for n, (s, a, b, target) in enumerate(rows))
        self._copy("scratch.intervals", numbered)

    def _copy(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        self.connection.execute(f"truncate {table}".encode())
        with self.connection.cursor().copy(f"copy {table} from stdin".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def _ask(self, query: int, column: str) -> list[tuple[Any, ...]]:
        asked = f"select {column} from ({self.queries[query]}) as asked order by number"
        return self.connection.execute(asked.encode()).fetchall()


def inserted(connection: psycopg.Connection[Any], table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Put rows into a raw table; ``_loaded_at`` if they do not say when."""
    for row in rows:
        known = {"_load_id": "by hand", "_loaded_at": AS_OF, **row}
        marks = ", ".join(["%s"] * len(known))
        connection.execute(f"insert into {table} ({', '.join(known)}) values ({marks})".encode(), list(known.values()))


def zendesk_schedule(
    connection: psycopg.Connection[Any], number: int, versions: Versions, zone_name: str | None = None
) -> None:
    """A schedule of Zendesk's: hours in minutes from Sunday 00:00, holidays whole days."""
    for place, version in enumerate(versions):
        known = {"schedule_id": number, "content": f"state {place}"}
        zone = zone_name or version.zone
        updated = datetime.fromtimestamp(version.since, UTC) if place else datetime(2020, 1, 1, tzinfo=UTC)
        row = {**known, "updated_at": updated, "recurrence": 0, "name": f"Schedule {number}", "time_zone": zone}
        row["created_at"] = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number % 1000)
        inserted(connection, "raw_zendesk.schedule_versions", [row])
        week = [
            {**known, "start_time": day % 7 * 1440 + begin, "end_time": day % 7 * 1440 + end}
            for day, spans in version.hours.items()
            for begin, end in spans
        ]
        inserted(connection, "raw_zendesk.schedule_intervals", week)
        days = [
            {**known, "id": n, "name": "Holiday", "start_date": day, "end_date": day}
            for n, (day, _) in enumerate(version.closed)
        ]
        inserted(connection, "raw_zendesk.schedule_holidays", days)


CHICAGO = Version(0, "America/Chicago", dict.fromkeys(range(1, 8), ((7 * 60, 21 * 60),)))
SAN_FRANCISCO = Version(0, "America/Los_Angeles", dict.fromkeys(range(1, 6), ((8 * 60, 17 * 60 + 30),)))


def switched_ticket(connection: psycopg.Connection[Any]) -> None:
    """Golden case 14: created under one schedule, replied to 21 seconds after a trigger gave it another."""
    zendesk_schedule(connection, 1, (CHICAGO,), "Central Time (US & Canada)")
    zendesk_schedule(connection, 2, (SAN_FRANCISCO,), "Pacific Time (US & Canada)")
    created, moved = datetime(2020, 9, 29, 17, 1, 38, tzinfo=UTC), datetime(2020, 9, 30, 19, 1, 25, tzinfo=UTC)
    ticket = {"id": 941606, "created_at": created, "updated_at": moved, "status": "open", "requester_id": 7}
    inserted(connection, "raw_zendesk.tickets", [ticket, {**ticket, "id": 1, "created_at": FIRST}])
    event = {"ticket_id": 941606, "child_number": 0, "updater_id": 7, "event_type": "Change"}
    inserted(
        connection,
        "raw_zendesk.ticket_events",
        [
            {**event, "event_id": 11, "field": "created", "created_at": created, "event_type": "Create"},
            {**event, "event_id": 12, "field": "schedule_id", "created_at": moved, "value": "2"},
        ],
    )


@pytest.fixture(scope="module")
def built(new_warehouse: NewWarehouse, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[str]]:
    """A warehouse with the models of time, made by dbt from the golden ticket, and the queries of its macros."""
    made = new_warehouse(teams=(), sources={})
    pipeline.prepare(made)
    with warehouse.connect(made, "loader") as connection:
        switched_ticket(connection)
    control.begin_build(made, "a", AS_OF)
    select = ["--select", "+path:models/canonical/time", "--indirect-selection", "buildable", *transform.RESOURCES]
    status, lines = transform.run_dbt(made, "a", ["build", "--full-refresh", *select])
    assert status == 0, "\n".join(lines)
    assert any("assert_no_day_has_more_windows" in line for line in lines)
    status, lines = transform.run_dbt(made, "a", ["--quiet", "compile", "--inline", QUERIES])
    assert status == 0, "\n".join(lines)
    return made, "\n".join(lines).split("-- next")


@pytest.fixture(scope="module")
def clockwork(built: tuple[Settings, list[str]]) -> Iterable[Clockwork]:
    """The models of time as SQL, in a transaction of their own that is never committed."""
    made, queries = built
    folder = Path(made.home) / "dbt" / "slot_a" / "compiled" / "kefu" / "models" / "canonical" / "time"
    models = {name: (folder / f"canonical_{name}.sql").read_text(encoding="utf-8") for name in MODELS}
    with warehouse.connect(made, "admin") as connection:
        connection.execute("create schema scratch")
        connection.execute(
            "create table scratch.intervals (number int, schedule_id text, started_at timestamp, ended_at timestamp,"
            " target_seconds bigint)"
        )
        connection.execute(
            "create table scratch.ticket_intervals (number int, ticket_id text, started_at timestamp,"
            " ended_at timestamp)"
        )
        connection.execute("delete from raw_zendesk.schedule_versions")
        connection.execute("delete from canonical.tickets where ticket_id = 'zendesk-941606'")  # of years before
        yield Clockwork(made, connection, models, queries)
        connection.rollback()


# --- golden cases ----------------------------------------------------------------------------------------------------


def test_a_ticket_under_two_schedules_has_the_open_time_of_both(built: tuple[Settings, list[str]]) -> None:
    """Chicago 7:00-21:00 daily until 19:01:25, San Francisco 8:00-17:30 on weekdays for the last 21 seconds."""
    made, queries = built
    chicago = 8 * 3600 + 58 * 60 + 22 + 7 * 3600 + 1 * 60 + 25  # Tuesday 12:01:38-21:00, Wednesday 7:00-14:01:25
    san_francisco = 7 * 3600 + 28 * 60 + 22 + 4 * 3600 + 1 * 60 + 46  # Tuesday 10:01:38-17:30, Wednesday 8:00-12:01:46
    assert (chicago + 21, san_francisco) == (57_608, 41_408)
    with warehouse.connect(made, "admin") as connection:
        connection.execute(
            "create schema scratch; create table scratch.ticket_intervals as select 1 as number,"
            " 'zendesk-941606' as ticket_id, timestamp '2020-09-29 17:01:38' as started_at,"
            " timestamp '2020-09-30 19:01:46' as ended_at"
        )
        [(number, every, last)] = connection.execute(queries[2].encode()).fetchall()
        connection.rollback()
    assert (number, every, last) == (1, 57_608, 41_408)


def monday_to_friday(**more: Any) -> Schedule:
    """Weekdays 9:00-18:00 in Shanghai."""
    given = {"id": "office", "zone": "Asia/Shanghai", "hours": {"mon-fri": ["09:00-18:00"]}, **more}
    return Schedule.model_validate(given)


HOUR = 3600
SHANGHAI = 8 * HOUR


@pytest.mark.parametrize(
    ("schedule", "start", "end", "hours"),
    [
        # a holiday from Saturday to Monday: only Tuesday counts
        (monday_to_friday(closed=["2026-05-16", "2026-05-17", "2026-05-18"]), "05-15 18:00", "05-19 18:00", 9),
        # a holiday on a weekend takes nothing away
        (monday_to_friday(closed=["2026-05-16"]), "05-15 09:00", "05-18 18:00", 18),
        # closed from noon on
        (monday_to_friday(closed=["2026-05-15 12:00-24:00"]), "05-15 00:00", "05-16 00:00", 3),
        # and opened again for an hour, within and beyond the weekly hours
        (
            monday_to_friday(closed=["2026-05-15 12:00-24:00"], open=["2026-05-15 17:30-19:00"]),
            "05-15 00:00",
            "05-16 00:00",
            4.5,
        ),
        # New Year 2026 in China: Thursday to Saturday off, Sunday the 4th worked
        (monday_to_friday(holidays="CN"), "01-01 00:00", "01-05 00:00", 9),
        # and over Spring Festival: off from the 15th to the 23rd, the Saturdays 14th and 28th worked
        (monday_to_friday(holidays="CN"), "02-14 00:00", "03-01 00:00", 9 + 4 * 9 + 9),
        # who works on weekends too has the holiday's weekend off
        (
            monday_to_friday(hours={"mon-sun": ["09:00-18:00"]}, holidays="CN"),
            "02-14 00:00",
            "03-01 00:00",
            9 + 5 * 9,
        ),
        # make-up workdays may be shorter, and one of them closed
        (
            monday_to_friday(holidays="CN", makeup_hours=["10:00-16:00"], closed=["2026-02-28"]),
            "02-14 00:00",
            "03-01 00:00",
            6 + 4 * 9,
        ),
        # open round the clock
        (monday_to_friday(hours={"mon-sun": ["00:00-24:00"]}), "05-15 00:00", "05-18 12:00", 84),
    ],
)
def test_hours_worked_out_on_paper(
    clockwork: Clockwork, schedule: Schedule, start: str, end: str, hours: float
) -> None:
    clockwork.keep([schedule])
    interval = ("kefu-office", epoch(f"2026-{start}") - SHANGHAI, epoch(f"2026-{end}") - SHANGHAI)
    assert clockwork.seconds([interval]) == [hours * HOUR]


@pytest.mark.parametrize(
    ("zone", "span", "day", "hours"),
    [
        # Berlin: 2:00-3:00 does not exist on 29 March, and comes twice on 25 October
        ("Europe/Berlin", "00:00-06:00", "2026-03-29", 5),
        ("Europe/Berlin", "02:00-03:00", "2026-03-29", 0),
        ("Europe/Berlin", "00:00-06:00", "2026-10-25", 7),
        ("Europe/Berlin", "02:00-03:00", "2026-10-25", 2),
        ("America/Los_Angeles", "01:30-02:00", "2026-11-01", 1),
        ("America/St_Johns", "00:00-24:00", "2026-03-08", 23),
        # half an hour
        ("Australia/Lord_Howe", "00:00-24:00", "2026-04-05", 24.5),
        ("Australia/Lord_Howe", "01:45-02:00", "2026-04-05", 0.5),
        ("Australia/Lord_Howe", "02:00-02:30", "2026-10-04", 0),
        ("Asia/Kolkata", "09:00-18:00", "2026-10-25", 9),
    ],
)
def test_an_hour_skipped_is_never_open_and_one_repeated_is_open_twice(
    clockwork: Clockwork, zone: str, span: str, day: str, hours: float
) -> None:
    week = {"mon-sun": [span]} if span != "00:00-24:00" else {date.fromisoformat(day).strftime("%a").lower(): [span]}
    clockwork.keep([Schedule.model_validate({"id": "x", "zone": zone, "hours": week, "closed": closed_around(day)})])
    around = epoch(f"{day} 00:00")
    assert clockwork.seconds([("kefu-x", around - 86_400, around + 2 * 86_400)]) == [hours * HOUR]


def closed_around(day: str) -> list[str]:
    """The days before and after, so that only this one counts."""
    middle = date.fromisoformat(day)
    return [str(middle + timedelta(days=n)) for n in (-3, -2, -1, 1, 2, 3)]


def test_an_edit_holds_from_then_on_and_changes_nothing_before(clockwork: Clockwork) -> None:
    edited = monday_to_friday(hours={"mon-sun": ["08:00-20:00"]}, valid_from=datetime(2026, 5, 15, 4, 30, tzinfo=UTC))
    clockwork.keep([monday_to_friday(), edited])
    before, edit, after = epoch("2026-05-14 00:00"), epoch("2026-05-15 04:30"), epoch("2026-05-16 16:00")
    found = clockwork.seconds([("kefu-office", before, edit), ("kefu-office", edit, after)])
    # until 12:30 on Friday: nine hours of Thursday and 3.5; from then on: until 20:00, and all of Saturday
    assert found == [9 * HOUR + 3.5 * HOUR, 7.5 * HOUR + 12 * HOUR]


def test_outside_the_calendar_and_without_a_schedule_nothing_is_claimed(clockwork: Clockwork) -> None:
    clockwork.keep([monday_to_friday()])
    early, late = epoch("2023-04-20 00:00"), epoch("2027-08-10 00:00")
    inside = epoch("2026-05-14 00:00")
    assert clockwork.seconds(
        [("kefu-office", early, inside), ("kefu-office", inside, late), ("kefu-nobody", inside, inside)]
    ) == [None, None, None]
    assert clockwork.dues([("kefu-office", inside, 10**9), ("kefu-nobody", inside, 60)]) == [None, None]


def test_a_clock_is_due_at_the_close_rather_than_at_the_next_opening(clockwork: Clockwork) -> None:
    clockwork.keep([monday_to_friday()])
    friday = epoch("2026-05-15 00:00") + 9 * HOUR - SHANGHAI
    dues = clockwork.dues([("kefu-office", friday, s) for s in (0, 1, 9 * HOUR, 9 * HOUR + 1)])
    assert dues == [friday, friday + 1, friday + 9 * HOUR, friday + 3 * 86_400 + 1]


def test_holidays_of_zendesk_change_without_an_update_from_when_that_was_seen(clockwork: Clockwork) -> None:
    """The same update, then a holiday more, then it is gone again: three states, each from when it was first seen."""
    connection = clockwork.connection
    with connection.transaction(force_rollback=True):
        known = {"schedule_id": 77, "updated_at": FIRST, "name": "x", "time_zone": "UTC", "created_at": FIRST}
        states = (("plain", 0, "2026-05-10"), ("closed", 0, "2026-05-12 12:00"), ("plain", 1, "2026-05-14 12:00"))
        for content, recurrence, seen in states:
            at = datetime.fromisoformat(f"{seen}+00:00")
            row = {**known, "content": content, "recurrence": recurrence, "_loaded_at": at}
            inserted(connection, "raw_zendesk.schedule_versions", [row])
        for content in ("plain", "closed"):
            week = {"schedule_id": 77, "content": content, "start_time": 0, "end_time": 7 * 1440}
            inserted(connection, "raw_zendesk.schedule_intervals", [week])
        holiday = {
            "schedule_id": 77,
            "content": "closed",
            "id": 1,
            "start_date": "2026-05-12",
            "end_date": "2026-05-14",
        }
        inserted(connection, "raw_zendesk.schedule_holidays", [holiday])
        clockwork.keep([])
        midnights = [epoch(f"2026-05-{day:02d} 00:00") for day in range(9, 18)]
        seconds = clockwork.seconds([("zendesk-77", midnight, midnight + 86_400) for midnight in midnights])
    # closed from noon of the 12th to noon of the 14th
    assert seconds == [86_400, 86_400, 86_400, 43_200, 0, 43_200, 86_400, 86_400, 86_400]


def test_offsets_of_zones_are_those_the_clocks_show(clockwork: Clockwork) -> None:
    clockwork.keep([monday_to_friday(zone="Australia/Lord_Howe")])
    asked = clockwork.connection.execute(
        "select count(*), min(starts_at)::text, max(ends_at)::text from canonical.zone_offsets"
        " where zone = 'Australia/Lord_Howe'"
    ).fetchone()
    # two changes a year, the first in October 2023, the last in April 2027
    assert asked == (9, "1900-01-01 00:00:00", "2200-01-01 00:00:00")


def test_a_reporting_day_is_the_date_the_clocks_there_show(clockwork: Clockwork) -> None:
    """E06: the same instant, days apart; around midnight, around changes of clocks, and long before the calendar."""
    clockwork.keep([monday_to_friday(id=f"at_{n}", zone=zone) for n, zone in enumerate(ZONES)])
    around = [epoch(f"{day} 00:00") + hour * HOUR + 1799 for day in CHANGES for hour in range(0, 48, 3)]
    asked = [(zone, at, at) for zone in ZONES for at in around]
    clockwork._fill((*each, 0) for each in asked)
    found = [row[0] for row in clockwork._ask(3, "reporting_date")]
    assert found == [datetime.fromtimestamp(at, ZoneInfo(zone)).date() for zone, at, _ in asked]
    clockwork._fill(
        [("Asia/Kolkata", epoch("1999-12-31 18:29"), 0, 0), ("Asia/Kolkata", epoch("1999-12-31 18:30"), 0, 0)]
    )
    assert [row[0] for row in clockwork._ask(3, "reporting_date")] == [date(1999, 12, 31), date(2000, 1, 1)]


# --- against the wall clock ------------------------------------------------------------------------------------------

ZONES = (
    "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "America/New_York", "America/Los_Angeles",
    "Europe/Berlin", "Europe/London", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca", "America/Santiago",
    "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC",
)  # fmt: skip

# UTC days on which clocks change somewhere of these, and the days before them.
CHANGES = (
    "2024-03-10", "2024-03-31", "2024-04-06", "2024-10-05", "2024-10-27", "2024-11-03", "2025-03-09", "2025-03-30",
    "2025-04-05", "2025-09-06", "2025-10-26", "2025-11-02", "2026-02-15", "2026-03-08", "2026-03-22", "2026-03-29",
    "2026-04-04", "2026-10-03", "2026-10-25", "2026-11-01",
)  # fmt: skip
DATES = st.one_of(
    st.sampled_from([date.fromisoformat(day) + timedelta(days=n) for day in CHANGES for n in (-1, 0, 1)]),
    st.dates(date(2023, 6, 1), date(2027, 6, 1)),
)
QUARTER = 15
SPAN = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(lambda two: (min(two), max(*two, min(two) + 1)))


@st.composite
def spans(draw: st.DrawFn, most: int = 3) -> tuple[Minutes, ...]:
    """Open spans of a day that neither overlap nor touch, mostly on quarters of an hour."""
    unit = draw(st.sampled_from([1, QUARTER, 60]))
    edges = draw(st.lists(st.integers(0, 1440 // unit), max_size=2 * most, unique=True))
    edges = sorted(edges)[: len(edges) // 2 * 2]
    return tuple((edges[n] * unit, edges[n + 1] * unit) for n in range(0, len(edges), 2))


@st.composite
def versions(draw: st.DrawFn, *, zendesk: bool = False, whole_minutes: bool = False) -> Versions:
    """A schedule with up to two edits. Zendesk's have whole holidays and no openings."""
    starts = sorted(draw(st.lists(st.integers(BEGIN, END), max_size=2, unique=True)))
    if whole_minutes:
        starts = [start // 60 * 60 for start in starts]
    zone = draw(st.sampled_from(ZONES))
    found = []
    for since in [0, *dict.fromkeys(starts)]:
        if draw(st.booleans()):
            week = dict.fromkeys(range(1, draw(st.sampled_from([6, 8]))), draw(spans()))
        else:
            week = draw(st.dictionaries(st.integers(1, 7), spans()))
        whole = st.just((0, 1440))
        some = whole if zendesk else st.one_of(whole, SPAN)
        closed = draw(st.lists(st.tuples(DATES, some), max_size=4, unique_by=lambda entry: entry[0]))
        opened = st.lists(st.tuples(DATES, SPAN), max_size=3)
        found.append(Version(since, zone, week, tuple(closed), () if zendesk else tuple(draw(opened))))
        zone = draw(st.one_of(st.just(zone), st.sampled_from(ZONES)))
    return tuple(found)


def text(span: Minutes) -> str:
    """As kefu.toml has it."""
    (a, b), (c, d) = divmod(span[0], 60), divmod(span[1], 60)
    return f"{a:02d}:{b:02d}-{c:02d}:{d:02d}"


def configured(name: str, of: Versions) -> list[Schedule]:
    """The entries of kefu.toml for these versions."""
    return [
        Schedule.model_validate(
            {
                "id": name,
                "zone": version.zone,
                "hours": {
                    schedules.WEEKDAYS[day - 1]: [text(span) for span in spans] for day, spans in version.hours.items()
                }
                or {"mon": []},
                "closed": [f"{day} {text(span)}" for day, span in version.closed],
                "open": [f"{day} {text(span)}" for day, span in version.opened],
                "valid_from": datetime.fromtimestamp(version.since, UTC) if number else None,
            }
        )
        for number, version in enumerate(of)
    ]


@st.composite
def instants(draw: st.DrawFn, opening: OpenTime) -> int:
    """Anywhere, around a change of clocks, or about when the schedule opens or closes."""
    edges = [*opening.starts, *opening.ends]
    kind = draw(st.integers(0, 2 if edges else 1))
    if kind == 0:
        return draw(st.integers(BEGIN, END))
    if kind == 1:
        return epoch(f"{draw(st.sampled_from(CHANGES))} 00:00") + draw(st.integers(0, 2 * 86_400))
    return draw(st.sampled_from(edges)) + draw(st.integers(-1, 1))


LENGTHS = st.one_of(
    st.integers(0, 3), st.integers(0, 86_400), st.integers(0, 21 * 86_400), st.integers(0, 3 * 366 * 86_400)
)

PATIENT = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@PATIENT
@given(of=st.tuples(versions(), versions(zendesk=True), versions()), data=st.data())
def test_business_seconds_are_those_the_wall_clock_counts(
    clockwork: Clockwork, of: Sequence[Versions], data: Any
) -> None:
    connection = clockwork.connection
    with connection.transaction(force_rollback=True):
        zendesk_schedule(connection, 5, of[1])
        clockwork.keep([*configured("one", of[0]), *configured("two", of[2])])
        opening = {
            name: OpenTime(these, BEGIN, END)
            for name, these in zip(("kefu-one", "zendesk-5", "kefu-two"), of, strict=True)
        }
        intervals: list[Interval] = []
        clocks: list[Interval] = []
        for name, known in opening.items():
            for _ in range(12):
                start = data.draw(instants(known))
                start = min(max(start, BEGIN), END - 1)
                intervals.append((name, start, min(start + data.draw(LENGTHS), END - 1)))
                clocks.append((name, start, data.draw(st.integers(0, 10 * 86_400))))
        assert clockwork.seconds(intervals) == [opening[name].between(a, b) for name, a, b in intervals]
        for (name, start, target), due in zip(clocks, clockwork.dues(clocks), strict=True):
            expected = opening[name].due(start, target)
            if expected is not None:  # beyond END the oracle knows nothing
                assert due == expected
            else:
                assert due is None or due >= END

        # Second by second, for a day around a change of clocks.
        begin = epoch(f"{data.draw(st.sampled_from(CHANGES))} 00:00") + data.draw(st.integers(0, 86_400))
        for name, these in zip(opening, of, strict=True):
            counts = business_oracle.counted(these, begin, begin + 6 * HOUR)
            asked = data.draw(st.lists(st.integers(0, 6 * HOUR), min_size=20, max_size=20))
            found = clockwork.seconds([(name, begin, begin + seconds) for seconds in asked])
            assert found == [counts[seconds] for seconds in asked]


@PATIENT
@given(of=st.tuples(versions(), versions(), versions()), data=st.data())
def test_a_ticket_has_the_open_time_of_each_schedule_while_it_had_it(
    clockwork: Clockwork, of: Sequence[Versions], data: Any
) -> None:
    with clockwork.connection.transaction(force_rollback=True):
        names = ("one", "two", "three")
        clockwork.keep([entry for name, these in zip(names, of, strict=True) for entry in configured(name, these)])
        opening = [OpenTime(these, BEGIN, END) for these in of]
        spells: list[tuple[str, str | None, datetime, datetime]] = []
        intervals: list[Interval] = []
        expected = []
        for ticket in range(8):
            start = data.draw(st.integers(BEGIN, END - 2))
            end = min(start + data.draw(LENGTHS), END - 1)
            # changes at, before, between and after the ends of the interval
            near = st.one_of(st.integers(start - 3, end + 3), st.sampled_from([start, end]))
            changes = sorted(set(data.draw(st.lists(near, max_size=3))))
            kept = [data.draw(st.integers(0, 2)) for _ in range(len(changes) + 1)]
            begins = [schedules.EVER, *map(instant, changes), schedules.FOR_EVER]
            for (since, until), which in zip(pairwise(begins), kept, strict=True):
                spells.append((f"t{ticket}", f"kefu-{names[which]}", since, until))
            intervals.append((f"t{ticket}", start, end))
            at = [BEGIN - 9, *changes, END + 9]
            every = sum(
                opening[which].between(max(start, since), min(end, until))
                for (since, until), which in zip(pairwise(at), kept, strict=True)
                if max(start, since) < min(end, until)
            )
            last = [which for since, which in zip(at, kept, strict=False) if since <= end][-1]
            expected.append((every, opening[last].between(start, end)))
        assert clockwork.of_tickets(spells, intervals) == dict(enumerate(expected))


def test_a_spell_without_a_schedule_makes_the_whole_unknown(clockwork: Clockwork) -> None:
    with clockwork.connection.transaction(force_rollback=True):
        clockwork.keep([monday_to_friday()])
        middle = epoch("2026-05-15 04:00")
        spells = [
            ("t", "kefu-office", schedules.EVER, instant(middle)),
            ("t", None, instant(middle), schedules.FOR_EVER),
        ]
        found = clockwork.of_tickets(spells, [("t", middle - HOUR, middle + HOUR), ("t", middle - HOUR, middle - 60)])
    assert found == {0: (None, None), 1: (HOUR - 60, HOUR - 60)}


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"])
def test_the_oracle_is_what_looking_at_every_minute_gives(zone: str) -> None:
    """Ten months with an edit, closures and openings; hours that begin and end at night, when clocks change."""
    first = Version(
        0,
        zone,
        {1: ((0, 150), (600, 1440)), 3: ((90, 135),), 7: ((0, 1440),)},
        closed=((date(2026, 3, 29), (60, 200)), (date(2026, 4, 5), (0, 1440))),
        opened=((date(2026, 4, 5), (100, 160)), (date(2026, 3, 22), (0, 300))),
    )
    second = Version(epoch("2026-08-01 12:34"), zone, dict.fromkeys(range(1, 8), ((30, 180), (720, 721))))
    begin, end = epoch("2026-02-01 00:00"), epoch("2026-12-01 00:00")
    counts = business_oracle.counted((first, second), begin, end, step=60)
    opening = OpenTime((first, second), begin, end)
    assert [opening.until(begin + 60 * n) for n in range(len(counts))] == counts
    assert json.dumps(counts[-1]) != "0"

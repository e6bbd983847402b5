"""The schedules of kefu.toml: what they may say, and what is written of them for the models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefu import control, load, schedules, warehouse
from kefu.errors import KefuError
from kefu.settings import Settings, load_settings

NewWarehouse = Callable[..., Settings]

OFFICE = 'id = "office"\nzone = "Asia/Shanghai"\nhours = { "mon-fri" = ["09:00-12:00", "13:00-18:00"] }\n'
AS_OF = datetime(2026, 6, 30)


def settings_of(folder: Path, text: str) -> Settings:
    path = folder / "kefu.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_a_week_is_read_by_days_and_ranges_of_days(tmp_path: Path) -> None:
    text = (
        '[[schedules]]\nid = "x"\nzone = "UTC"\n[schedules.hours]\n'
        '"mon-thu" = ["08:00-24:00"]\nfri = []\nsat = ["13:00-14:30", "10:00-12:00"]'
    )
    [schedule] = settings_of(tmp_path, text).schedules
    assert schedule.hours == {
        **dict.fromkeys(range(1, 5), ((28_800, 86_400),)),
        5: (),
        6: ((36_000, 43_200), (46_800, 52_200)),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('id = "Office"', "schedules.0.id: "),
        ('zone = "Beijing"', "schedules.0.zone: 'Beijing' is no IANA time zone"),
        ("hours = {}", "schedules.0.hours: expected spans by weekday"),
        ('hours = { monday = ["09:00-18:00"] }', "schedules.0.hours: 'monday' is no weekday"),
        ('hours = { "fri-mon" = ["09:00-18:00"] }', "schedules.0.hours: 'fri-mon' goes backwards"),
        ('hours = { "mon-fri" = [], fri = ["09:00-18:00"] }', "schedules.0.hours: fri is given twice"),
        ('hours = { mon = "09:00-18:00" }', "schedules.0.hours: mon: expected a list"),
        ('hours = { mon = ["9-18"] }', "schedules.0.hours: '9-18' is no span of a day"),
        ('hours = { mon = ["18:00-09:00"] }', "schedules.0.hours: '18:00-09:00' is no span of a day"),
        ('hours = { mon = ["22:00-24:30"] }', "schedules.0.hours: '22:00-24:30' is no span of a day"),
        (
            'hours = { mon = ["09:00-12:00", "11:00-18:00"] }',
            "schedules.0.hours: mon: ['09:00-12:00', '11:00-18:00'] o",
        ),
        ('holidays = "XX"', "schedules.0.holidays: no holidays are known for 'XX'"),
        ('closed = ["2026-02-30"]', "schedules.0.closed: '2026-02-30' is not understood"),
        ('closed = "2026-02-03"', "schedules.0.closed: expected a list of dates"),
        ('open = ["2026-02-03"]', "schedules.0.open: '2026-02-03' is not understood"),
        ('makeup_hours = ["9"]', "schedules.0.makeup_hours: '9' is no span of a day"),
        ('valid_from = "soon"', "schedules.0.valid_from"),
        ("lunch = 1", "schedules.0.lunch: there is no such setting"),
    ],
)
def test_a_mistake_names_its_entry(tmp_path: Path, text: str, says: str) -> None:
    key = text.split(" ")[0]
    kept = "".join(f"{line}\n" for line in OFFICE.splitlines() if not line.startswith(key))
    with pytest.raises(KefuError) as caught:
        settings_of(tmp_path, f"[[schedules]]\n{kept}{text}")
    lines = [line.removeprefix("  - ") for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert lines and all(line.startswith(says) for line in lines), lines


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[[schedules]]\n{OFFICE}[[schedules]]\n{OFFICE}", "'office' has 2 versions without valid_from"),
        (f"[[schedules]]\n{OFFICE}valid_from = 2026-01-01", "'office' has no versions without valid_from"),
        (
            f"[[schedules]]\n{OFFICE}" + 2 * f"[[schedules]]\n{OFFICE}valid_from = 2026-01-01\n",
            "'office' has two versions valid from 2025-12-31 16:00:00Z",
        ),
        ('business_schedule = "office"', "business_schedule is 'office': there is no such entry"),
        (
            f'[[schedules]]\n{OFFICE}[[teams]]\nid = "a"\nname = {{ en = "A", zh = "A" }}\nschedule = "other"',
            "schedule of team 'a' is 'other': there is no such entry in [[schedules]] (there are: office)",
        ),
        ('[[teams]]\nid = "a"\nname = { en = "A", zh = "A" }\nzone = "Mars"', "teams.0.zone: 'Mars' is no IANA"),
    ],
)
def test_schedules_have_to_fit_together(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(KefuError) as caught:
        settings_of(tmp_path, text)
    assert says in str(caught.value)


def test_a_version_begins_at_its_own_midnight_or_at_its_instant(tmp_path: Path) -> None:
    text = f"[[schedules]]\n{OFFICE}"
    for begin in ("2026-04-01", "2026-05-01T12:00:00", "2026-06-01T12:00:00Z"):
        text += f"[[schedules]]\n{OFFICE}valid_from = {begin}\n"
    starts = [schedule.starts_at() for schedule in settings_of(tmp_path, text).schedules]
    assert starts == [schedules.EVER, datetime(2026, 3, 31, 16), datetime(2026, 5, 1, 4), datetime(2026, 6, 1, 12)]


# --- holidays --------------------------------------------------------------------------------------------------------


def test_chinese_holidays_and_makeup_workdays_are_those_of_the_yearly_notice() -> None:
    """2026: three days at New Year, Sunday the 4th worked; nine days of Spring Festival, the 14th and 28th worked."""
    rest, makeup = schedules.rest_days("CN", [2026])
    spring = {date(2026, 2, 15) + timedelta(days=n) for n in range(9)}
    assert {day for day in rest if day.month in (1, 2)} == {date(2026, 1, day) for day in (1, 2, 3)} | spring
    assert sorted(makeup) == [
        date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28), date(2026, 5, 9), date(2026, 9, 20), date(2026, 10, 10),
    ]  # fmt: skip


def test_another_library_knows_the_same_chinese_days() -> None:
    """Ours also closes a weekend before a Monday, or after a Friday, that the other leaves to the week."""
    import chinese_calendar

    years = range(2012, 2027)
    rest, makeup = schedules.rest_days("CN", years)
    day, end = date(years[0], 1, 1), date(years[-1], 12, 31)
    only_ours = set()
    while day <= end:
        is_off, name = chinese_calendar.get_holiday_detail(day)
        if is_off and name:
            assert day in rest, day
        elif day in rest:
            only_ours.add(day)
        assert (not is_off and day.isoweekday() > 5) == (day in makeup), day
        day += timedelta(days=1)
    assert all(day.isoweekday() > 5 for day in only_ours)
    assert len(only_ours) < 30


def test_elsewhere_a_holiday_is_its_day() -> None:
    rest, makeup = schedules.rest_days("DE", [2026])
    assert date(2026, 4, 3) in rest and date(2026, 4, 4) not in rest
    assert makeup == set()
    assert date(2026, 1, 6) in schedules.rest_days("DE-BY", [2026])[0]


# --- what the models read --------------------------------------------------------------------------------------------


def written(made: Settings, as_of: datetime = AS_OF) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("schedules", "schedule_hours", "schedule_days", "team_schedules", "zones", "zone_offsets")
    with warehouse.connect(made) as connection:
        schedules.write(connection, made, as_of)
        return {
            table: sorted(connection.execute(f"select * from control.{table}".encode()), key=str) for table in tables
        }


@pytest.fixture
def made(new_warehouse: NewWarehouse, tmp_path: Path) -> Settings:
    text = (
        'reporting_zone = "Europe/Berlin"\nbusiness_schedule = "office"\n'
        f"[[schedules]]\n{OFFICE}closed = [2026-02-14, '2026-03-02 12:00-24:00']\nholidays = 'CN'\n"
        f"[[schedules]]\n{OFFICE}valid_from = 2026-04-01\nopen = ['2026-04-04 10:00-12:00']\n"
        '[[schedules]]\nid = "night"\nzone = "UTC"\nhours = { sun = ["00:00-24:00"] }\n'
        '[[teams]]\nid = "a"\nname = { en = "A", zh = "A" }\nschedule = "night"\nzone = "Asia/Kolkata"\n'
        '[[teams]]\nid = "b"\nname = { en = "B", zh = "B" }\n'
    )
    given = settings_of(tmp_path, text)
    names = ("reporting_zone", "business_schedule", "schedules", "teams")
    prepared = new_warehouse(**{name: getattr(given, name) for name in names})
    control.prepare(prepared)
    return prepared


def test_versions_follow_each_other_without_a_gap(made: Settings) -> None:
    found = written(made)
    edit = datetime(2026, 3, 31, 16)
    assert [(row[0], row[1], row[2], row[6]) for row in found["schedules"]] == [
        ("night", schedules.EVER, schedules.FOR_EVER, False),
        ("office", schedules.EVER, edit, True),
        ("office", edit, schedules.FOR_EVER, True),
    ]
    assert {row[1] for row in found["schedule_hours"] if row[0] == "office"} == {schedules.EVER, edit}


def test_what_is_closed_is_closed_on_a_makeup_workday_too(made: Settings) -> None:
    days = [row[2:6] for row in written(made)["schedule_days"] if row[1] == schedules.EVER]
    february = [row for row in days if row[0] in (date(2026, 2, 14), date(2026, 2, 28))]
    morning, afternoon = (32_400, 43_200), (46_800, 64_800)
    assert sorted(february) == [
        (date(2026, 2, 14), "closed", 0, 86_400),
        (date(2026, 2, 28), "closed", 0, 86_400),
        (date(2026, 2, 28), "open", *morning),
        (date(2026, 2, 28), "open", *afternoon),
    ]
    assert (date(2026, 3, 2), "closed", 43_200, 86_400) in days
    assert max(row[0] for row in days).year == 2027, "a version has the holidays of its own years, and one more"


def test_a_team_keeps_its_schedule_and_the_rest_the_default(made: Settings) -> None:
    assert written(made)["team_schedules"] == [
        ("a", "night", "Asia/Kolkata"),
        ("b", "office", "Europe/Berlin"),
        ("none", "office", "Europe/Berlin"),
    ]


def test_zones_are_those_of_the_configuration_and_of_what_landed(made: Settings) -> None:
    load.prepare_raw(made)
    with warehouse.connect(made, "loader") as connection:
        for number, name in enumerate(("Beijing", "Hawaii", "Gotham", None)):
            connection.execute(
                "insert into raw_zendesk.users (id, time_zone, _load_id, _loaded_at) values (%s, %s, '', now())",
                [number, name],
            )
    found = written(made)
    assert dict(found["zones"]) == {
        "Asia/Kolkata": "Asia/Kolkata", "Asia/Shanghai": "Asia/Shanghai", "Europe/Berlin": "Europe/Berlin",
        "UTC": "UTC", "Beijing": "Asia/Shanghai", "Hawaii": "Pacific/Honolulu", "Gotham": None,
    }  # fmt: skip
    assert {row[0] for row in found["zone_offsets"]} == {zone for zone in dict(found["zones"]).values() if zone}
    assert {row[2] for row in found["zone_offsets"] if row[0] == "UTC"} == {datetime(2030, 1, 1)}


def test_writing_again_changes_nothing_and_another_configuration_has_another_mark(made: Settings) -> None:
    assert written(made) == written(made)
    marks = []
    for given in (made, made, made.model_copy(update={"schedules": made.schedules[:1]})):
        with warehouse.connect(made) as connection:
            schedules.write(connection, given, AS_OF)
            marks.append(schedules.described(connection))
    assert marks[0] == marks[1] != marks[2]


def test_a_build_writes_them(made: Settings) -> None:
    control.begin_build(made, "a")
    with warehouse.connect(made) as connection:
        counted = connection.execute("select count(*) from control.schedules").fetchone()
    assert counted == (3,)

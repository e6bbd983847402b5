"""The invented account: its shape, its order, and that the same seed is the same bytes."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from kefu.bench import clock, files
from kefu.bench.account import Account, end_of_day
from kefu.sources import Page
from kefu.sources.zendesk import TABLES

KEYS = {table.name: table.key for table in TABLES}
SCHEMAS = {table.name: table.schema() for table in TABLES}


def by_table(pages: Iterable[Page]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, page in pages:
        found.setdefault(name, []).extend(page.to_pylist())
    return found


def keyed(rows: Iterable[dict[str, Any]], name: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[column] for column in KEYS[name]): row for row in rows}


@pytest.fixture(scope="module")
def year() -> dict[str, list[dict[str, Any]]]:
    """A year of 5,000 tickets: more than one block of the generator."""
    return by_table(Account(5_000).year())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        files.write(Account(300, seed).year(), tmp_path / name)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert written == sorted(f"{table}.{kind}" for table in files.TABLES for kind in ("arrow", "csv"))
    same = {
        name: (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in written
    }
    assert all(same.values()), same
    assert (tmp_path / "one" / "tickets.csv").read_bytes() != (tmp_path / "other" / "tickets.csv").read_bytes()


def test_a_larger_account_has_the_shape_it_promises(year: dict[str, list[dict[str, Any]]]) -> None:
    events, tickets = year["ticket_events"], year["tickets"]
    comments = sum(row["field"] == "comment" for row in events)
    assert len(tickets) == 5_000
    assert 12.5 <= (len(events) - comments) / len(tickets) <= 14
    assert 3.8 <= comments / len(tickets) <= 4.5
    assert len(year["schedules"]) == 3
    assert {row["iana_time_zone"] for row in year["users"]} == set(clock.ZONES)
    assert {row["status"] for row in tickets} == {"new", "open", "pending", "hold", "solved", "closed", "deleted"}
    reopened = {
        row["ticket_id"] for row in events if row["field"] == "status" and row["previous_value"] == "solved"
        and row["value"] == "open"
    }  # fmt: skip
    assert 0.1 <= len(reopened) / len(tickets) <= 0.2


def test_every_page_has_the_columns_the_source_declares_and_no_key_comes_twice() -> None:
    seen: dict[str, Counter[tuple[Any, ...]]] = {}
    for name, page in Account(300).year():
        assert page.schema.equals(SCHEMAS[name]), name
        assert 0 < len(page) <= 2_000
        seen.setdefault(name, Counter()).update(tuple(row[key] for key in KEYS[name]) for row in page.to_pylist())
    assert set(seen) == set(files.TABLES)
    assert all(count == 1 for counter in seen.values() for count in counter.values())


def test_events_come_in_the_order_in_which_they_happened(year: dict[str, list[dict[str, Any]]]) -> None:
    events = year["ticket_events"]
    assert [row["created_at"] for row in events] == sorted(row["created_at"] for row in events)
    assert [row["event_id"] for row in events] == sorted(row["event_id"] for row in events)
    assert events[0]["created_at"].timestamp() >= clock.BEGIN
    assert events[-1]["created_at"].timestamp() < end_of_day(clock.YEAR)


def test_a_ticket_stands_where_its_last_events_left_it(year: dict[str, list[dict[str, Any]]]) -> None:
    left: dict[int, dict[str, Any]] = {}
    for row in year["ticket_events"]:
        ticket = left.setdefault(row["ticket_id"], {})
        assert row["event_type"] != "Change" or row["previous_value"] == ticket[row["field"]], row
        ticket |= {row["field"]: row["value"], "updated_at": row["created_at"]}
    for row in year["tickets"]:
        expected = left[row["id"]]
        assert row["updated_at"] == expected["updated_at"]
        for name in ("status", "priority", "type"):
            assert row[name] == expected[name], (row, expected)
        for name in ("group_id", "assignee_id", "requester_id"):
            assert (None if row[name] is None else str(row[name])) == expected[name], (row, expected)


def test_everybody_named_exists(year: dict[str, list[dict[str, Any]]]) -> None:
    users = {row["id"]: row for row in year["users"]}
    groups = {row["id"] for row in year["groups"]}
    for row in year["tickets"]:
        assert row["group_id"] in groups
        assert users[row["requester_id"]]["role"] == "end-user"
        assert users[row["requester_id"]]["created_at"] <= row["created_at"]
        assert row["assignee_id"] is None or users[row["assignee_id"]]["role"] == "agent"
    assert {row["author_id"] for row in year["ticket_events"]} - {None} <= set(users)


def test_a_year_and_the_day_after_it_are_the_same_as_both_at_once(year: dict[str, list[dict[str, Any]]]) -> None:
    account = Account(5_000)
    day = by_table(account.day(1))
    both = by_table(account.pages(clock.BEGIN, end_of_day(clock.YEAR + 1)))
    assert 5 <= sum(row["created_at"].timestamp() >= end_of_day(clock.YEAR) for row in day["tickets"]) <= 30
    assert any(row["created_at"].timestamp() < end_of_day(clock.YEAR) for row in day["tickets"])
    for name in files.TABLES:
        merged = keyed([*year[name], *day.get(name, [])], name)
        assert merged == keyed(both[name], name), name


def test_memory_does_not_grow_with_the_number_of_tickets() -> None:
    def peak(tickets: int) -> int:
        tracemalloc.start()
        for _ in Account(tickets).year():
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)  # tables of the clock, made once
    assert peak(40_000) < 1.3 * peak(10_000)


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Asia/Shanghai", "2025-03-28 11:00", "2025-03-31 01:00"),  # after six on Friday: Monday at nine
        ("Europe/Berlin", "2025-03-28 18:00", "2025-03-31 07:00"),  # and the clocks go forward meanwhile
        ("Europe/Berlin", "2025-10-26 12:00", "2025-10-27 08:00"),  # and back
        ("America/New_York", "2025-03-10 12:59", "2025-03-10 13:00"),  # a minute before it opens
        ("America/New_York", "2025-03-10 13:30", "2025-03-10 13:30"),  # open
        ("Asia/Shanghai", "2025-01-01 10:00", "2025-01-02 01:00"),  # six o'clock is closed
    ],
)
def test_what_waits_for_office_hours_is_done_when_the_office_opens(zone: str, before: str, after: str) -> None:
    def instant(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    places = np.array([clock.ZONES.index(zone)])
    moved = clock.in_office(np.array([instant(before)]), places, np.array([0.0]))
    assert int(moved[0]) == instant(after)
    late = clock.in_office(np.array([instant(before)]), places, np.array([0.999]))
    assert int(late[0]) - instant(after) in (0, *range(3590, 3600))


def test_most_of_what_agents_do_is_done_in_office_hours(year: dict[str, list[dict[str, Any]]]) -> None:
    zones = {row["id"]: ZoneInfo(row["iana_time_zone"]) for row in year["users"] if row["role"] == "agent"}
    times = [
        row["created_at"].astimezone(zones[row["updater_id"]])
        for row in year["ticket_events"]
        if row["updater_id"] in zones
    ]
    inside = sum(9 <= at.hour < 18 and at.weekday() < 5 for at in times)
    assert 0.8 < inside / len(times) < 0.97

"""The world itself: the same everywhere, of the promised size, with the promised story."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kefu import simulator
from kefu.errors import KefuError
from kefu.simulator import Summary, truth
from kefu.simulator.chance import Stream
from kefu.simulator.people import staff
from kefu.simulator.world import STORY_DAYS, World, iso

Rows = dict[str, list[dict[str, Any]]]

WRITE = """
import sys
from datetime import date
from kefu.simulator import write
write(sys.argv[1], seed=3, start=date(2026, 11, 1), end=date(2026, 11, 11), scale=0.2)
"""


def fingerprints(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    surroundings = (
        {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "4711", "TZ": "America/New_York", "LC_ALL": "C.UTF-8"},
    )
    for place, extra in enumerate(surroundings):
        environment = {**os.environ, **extra}
        subprocess.run([sys.executable, "-c", WRITE, str(tmp_path / str(place))], check=True, env=environment)
    first, second = (fingerprints(tmp_path / str(place)) for place in range(2))
    assert first == second
    assert len(first) > 15


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    period = {"start": date(2026, 11, 9), "end": date(2026, 11, 12), "scale": 0.2}
    simulator.write(tmp_path / "one", seed=1, **period)
    simulator.write(tmp_path / "two", seed=2, **period)
    one, two = fingerprints(tmp_path / "one"), fingerprints(tmp_path / "two")
    assert one["truth/calls.jsonl"] != two["truth/calls.jsonl"]
    assert one["truth/tickets.jsonl"] != two["truth/tickets.jsonl"]


def test_a_stream_of_chance_depends_on_its_name_alone() -> None:
    assert [Stream(1, "a").whole(0, 99) for _ in range(3)] == [Stream(1, "a").whole(0, 99)] * 3
    assert Stream(1, "a").uniform() != Stream(1, "b").uniform()


def test_nothing_happens_outside_the_period(world: Summary, known: Rows) -> None:
    zone = ZoneInfo(world.zone)
    begin = datetime.combine(world.start, datetime.min.time(), zone)
    end = datetime.combine(world.end, datetime.min.time(), zone)
    instants = [call[name] for call in known["calls"] for name in ("entered_at", "ended_at")]
    instants += [entry["at"] for ticket in known["tickets"] for entry in ticket["statuses"] + ticket["comments"]]
    instants += [response["recorded_at"] for response in known["responses"]]
    assert all(begin <= datetime.fromisoformat(instant) < end for instant in instants)
    assert world.now > end


def test_every_call_has_ended_when_the_world_ends(known: Rows) -> None:
    assert {call["outcome"] for call in known["calls"]} == {"answered", "abandoned", "voicemail"}
    assert all(visit["outcome"] for call in known["calls"] for visit in call["visits"])


def test_calls_come_by_day_and_hour_as_in_a_service_centre(world: Summary, known: Rows) -> None:
    zone = ZoneInfo(world.zone)
    times = [datetime.fromisoformat(call["entered_at"]).astimezone(zone) for call in known["calls"]]
    by_hour = [sum(1 for at in times if at.hour == hour) for hour in range(24)]
    assert max(by_hour[10:16]) > 10 * max(by_hour[2:5])
    mondays = sum(at.weekday() == 0 for at in times)
    sundays = sum(at.weekday() == 6 for at in times)
    assert mondays > 1.2 * sundays
    at_night = {call["first_queue"] for call, at in zip(known["calls"], times, strict=True) if at.hour < 8}
    assert at_night == {"technical"}, "only the technical queue is open at night"


def test_some_calls_last_over_midnight(world: Summary, known: Rows) -> None:
    zone = ZoneInfo(world.zone)
    crossing = [
        call
        for call in known["calls"]
        if datetime.fromisoformat(call["entered_at"]).astimezone(zone).date()
        != datetime.fromisoformat(call["ended_at"]).astimezone(zone).date()
    ]
    assert crossing


def test_returns_gets_worse_in_the_last_two_weeks(world: Summary, known: Rows) -> None:
    zone = ZoneInfo(world.zone)

    def told(late: bool, team: str) -> list[dict[str, Any]]:
        return [
            call
            for call in known["calls"]
            if call["team"] == team
            and ((world.end - datetime.fromisoformat(call["entered_at"]).astimezone(zone).date()).days <= STORY_DAYS)
            == late
        ]

    def wait(calls: list[dict[str, Any]]) -> float:
        return statistics.mean(call["wait_seconds"] for call in calls if call["outcome"] == "answered")

    early_days = (world.end - world.start).days - STORY_DAYS
    before, after = told(False, "returns"), told(True, "returns")
    assert len(after) / STORY_DAYS > 1.4 * len(before) / early_days
    assert wait(after) > 1.5 * wait(before)
    others_before, others_after = told(False, "orders"), told(True, "orders")
    assert len(others_after) / STORY_DAYS < 1.3 * len(others_before) / early_days
    assert wait(others_after) < 1.5 * wait(others_before)
    satisfied = {
        late: statistics.mean(
            response["csat"] >= 4
            for response in known["responses"]
            if response["verdict"] == "counted"
            and response["team"] == "returns"
            and (datetime.fromisoformat(response["called_at"]).date() >= date(2026, 11, 6)) == late
        )
        for late in (False, True)
    }
    assert satisfied[True] < satisfied[False] - 0.1


def test_every_kind_of_trouble_is_there(known: Rows) -> None:
    visits = [visit for call in known["calls"] for visit in call["visits"]]
    assert {visit["ended_by"] for visit in visits} >= {"agent", "caller", "blind_transfer", "attended_transfer"}
    assert any(visit["rings_unanswered"] for visit in visits)
    assert any(visit["outcome"] == "timed_out" for visit in visits)
    assert any(call["repeat_of"] for call in known["calls"])
    tickets = known["tickets"]
    assert {ticket["excluded"] for ticket in tickets} == {None, "deleted", "spam", "merged"}
    assert {ticket["created_by"] for ticket in tickets} == {"customer", "agent"}
    assert {entry["by"]["kind"] for ticket in tickets for entry in ticket["comments"]} == {"customer", "agent", "bot"}
    assert {entry["by"]["kind"] for ticket in tickets for entry in ticket["statuses"]} == {
        "customer",
        "agent",
        "system",
    }
    statuses = {entry["value"] for ticket in tickets for entry in ticket["statuses"]}
    assert statuses == {"new", "open", "pending", "on_hold", "solved", "closed", "deleted"}
    assert any(ticket["follow_up_of"] for ticket in tickets)
    assert any(ticket["statuses"][0]["value"] == "solved" for ticket in tickets), "noted and solved at once"
    assert {move["kind"] for ticket in tickets for move in ticket["moves"]} == {"team", "agent"}
    assert any(ticket["reopened"] for ticket in tickets)
    assert any(len(rating["scores"]) > 1 for rating in known["ratings"]), "a changed verdict"
    verdicts = {response["verdict"] for response in known["responses"]}
    assert verdicts >= {"counted", "superseded", "too_late", "incomplete", "preview", "test", "spam"}
    outcomes = {invitation["outcome"] for invitation in known["invitations"]}
    assert outcomes == {"delivered", "bounced", "failed", "suppressed"}


def test_scale_moves_demand_and_staff() -> None:
    size = {scale: len(staff(World(1, date(2026, 1, 1), date(2026, 2, 1), "UTC", scale))) for scale in (0.1, 1.0, 8.0)}
    assert size[0.1] < size[1.0] < size[8.0] < 8 * size[1.0]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
def test_the_centre_can_be_anywhere_and_live_through_a_change_of_clocks(tmp_path: Path, zone: str) -> None:
    start, end = (date(2026, 10, 30), date(2026, 11, 3)) if "New" in zone else (date(2026, 3, 27), date(2026, 3, 31))
    summary = simulator.write(tmp_path, start=start, end=end, zone=zone, scale=0.3)
    calls = truth.read(summary.directory)["calls"]
    hours = {datetime.fromisoformat(call["entered_at"]).astimezone(ZoneInfo(zone)).hour for call in calls}
    assert {9, 10, 11, 15, 16} <= hours
    assert len({datetime.fromisoformat(call["entered_at"]).astimezone(ZoneInfo(zone)).date() for call in calls}) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": date(2026, 1, 2), "end": date(2026, 1, 2)},
        {"zone": "Beijing"},
        {"scale": 0},
    ],
)
def test_an_impossible_world_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    parameters: dict[str, Any] = {"start": date(2026, 1, 1), "end": date(2026, 1, 2), **wrong}
    with pytest.raises(KefuError, match="start before end"):
        simulator.write(tmp_path, **parameters)
    assert not list(tmp_path.iterdir())


def test_an_instant_is_written_as_vendors_write_it() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1772380662) == "2026-03-01T15:57:42Z"
    assert iso(-1) == "1969-12-31T23:59:59Z"


def test_there_is_a_holiday_in_every_three_months() -> None:
    from kefu.simulator.zendesk import HOLIDAYS

    days = sorted(date(year, *first) for year in (2026, 2027, 2028) for _, first, _ in HOLIDAYS)
    assert max((later - earlier).days for earlier, later in pairwise(days)) < 90


def test_a_zone_has_a_name_rails_knows_where_there_is_one() -> None:
    from kefu.simulator.zendesk import rails_zone

    names = {"Asia/Shanghai": "Beijing", "Europe/Zurich": "Zurich", "Asia/Kolkata": "Kolkata"}
    names |= {"America/New_York": "Eastern Time (US & Canada)", "Australia/Lord_Howe": "Australia/Lord_Howe"}
    assert {zone: rails_zone(zone) for zone in names} == names

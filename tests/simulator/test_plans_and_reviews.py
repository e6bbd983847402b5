"""Plans, what agents did, and reviews of their work: plausible, and in the exports what the truth says."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from kefu.files.delivery import Conversion
from kefu.files.mapping import load_mapping
from kefu.files.opening import take_delivery
from kefu.settings import project_root
from kefu.simulator import Summary, rota
from kefu.simulator.people import at_work, on_leave, shift_of, staff
from kefu.simulator.world import TEAMS, World
from tests.end_to_end import centre_people
from tests.end_to_end.independent import KPIS

Rows = dict[str, list[dict[str, Any]]]
TEAM_OF_GROUP = {team.group: team.id for team in TEAMS}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.fixture(scope="module")
def lived(world: Summary) -> World:
    return World(world.seed, world.start, world.end, world.zone, world.scale)


@pytest.fixture(scope="module")
def exported(world: Summary) -> Rows:
    """The exports through the mappings beside them, as the files source takes them in: no row may be refused."""
    rows: Rows = defaultdict(list)
    for name, pattern in (
        ("workforce/plan", "plan_*.csv"),
        ("workforce/activity", "activity_*.csv"),
        ("quality/evaluations", "evaluations.csv"),
        ("quality/items", "items.csv"),
    ):
        mapping = load_mapping(world.directory / f"{name}.yml", project_root())
        paths = sorted((world.directory / name).parent.glob(pattern))
        assert paths
        for path in paths:
            with Conversion(take_delivery(path, path.name), mapping) as conversion:
                conversion.read()
                assert not list(conversion.rejects())
                for entity, table in conversion.pages():
                    rows[entity] += table.to_pylist()
    return rows


def test_the_exported_plan_is_the_true_one(exported: Rows, known: Rows) -> None:
    def of_truth(row: dict[str, Any]) -> tuple[Any, ...]:
        moments = (instant(row[name]) for name in ("published_at", "started_at", "ended_at"))
        return (row["shift_id"], *moments, row["agent"], row["team"], row["activity"], row["is_paid"],
                row["is_cancelled"])  # fmt: skip

    def of_export(row: dict[str, Any]) -> tuple[Any, ...]:
        assert row["system"] == "asterisk"
        return (row["shift_id"], row["published_at"], row["started_at"], row["ended_at"], row["agent"],
                TEAM_OF_GROUP[row["team"]], row["activity"], row["is_paid"], row["is_cancelled"])  # fmt: skip

    assert sorted(map(of_export, exported["shifts"])) == sorted(map(of_truth, known["shifts"]))


def test_the_exported_case_work_is_the_true_one(exported: Rows, known: Rows) -> None:
    truth = [
        (row["agent"], row["team"], instant(row["started_at"]), instant(row["ended_at"]))
        for row in known["agent_states"]
        if row["state"] == "on_contact"
    ]
    told = [
        (row["agent"], TEAM_OF_GROUP[row["team"]], row["started_at"], row["ended_at"])
        for row in exported["agent_states"]
    ]
    assert sorted(told) == sorted(truth)
    assert {row["state"] for row in exported["agent_states"]} == {"on_contact"}
    assert len({row["state_id"] for row in exported["agent_states"]}) == len(told)


def test_the_exported_reviews_are_the_true_ones(exported: Rows, known: Rows) -> None:
    told = {row["evaluation_id"]: row for row in exported["evaluations"]}
    assert told.keys() == {row["evaluation_id"] for row in known["evaluations"]}
    assert len(told) == len(exported["evaluations"])
    for row in known["evaluations"]:
        seen = told[row["evaluation_id"]]
        for mine, theirs in (
            ("kind", "kind"), ("selection", "selection"), ("channel", "channel"), ("reviewer", "evaluator"),
            ("is_calibration", "is_calibration"), ("replaces", "rescored_of"), ("call_id", "call_id"),
        ):  # fmt: skip
            assert row[mine] == seen[theirs]
        assert seen["ticket_id"] == (str(row["ticket_id"]) if row["ticket_id"] else None)
        assert (seen["contact_at"], seen["evaluated_at"]) == (instant(row["contact_at"]), instant(row["evaluated_at"]))
        assert seen["team"] is None or TEAM_OF_GROUP[seen["team"]] == row["team"]
        assert seen["system"] == ("zendesk" if row["ticket_id"] else "asterisk")
    items = {(row["evaluation_id"], row["question"]): row for row in exported["evaluation_answers"]}
    true_items = {(row["evaluation_id"], item["item"]): item for row in known["evaluations"] for item in row["items"]}
    assert items.keys() == true_items.keys()
    for key, item in true_items.items():
        seen = items[key]
        assert (seen["weight"], seen["score"], seen["max_score"]) == (item["weight"], item["points"], item["most"])
        assert (seen["passed"], seen["is_applicable"]) == (item["passed"], item["applies"])
        assert (seen["critical_area"], seen["is_critical"]) == (item["critical_for"], bool(item["critical_for"]))


def test_reviews_name_calls_and_tickets_that_were_and_whoever_worked_on_them(known: Rows) -> None:
    calls = {call["call_id"]: call for call in known["calls"]}
    tickets = {ticket["ticket_id"]: ticket for ticket in known["tickets"]}
    for row in known["evaluations"]:
        if row["call_id"]:
            assert row["agent"] == calls[row["call_id"]]["agent"]
            assert row["evaluated_at"] > calls[row["call_id"]]["ended_at"]
        elif row["ticket_id"]:
            assert row["agent"] == tickets[row["ticket_id"]]["agent"]
            assert row["channel"] == tickets[row["ticket_id"]]["channel"]
        else:
            assert row["kind"] == "mystery"


def test_every_kind_of_review_is_there(known: Rows) -> None:
    reviews = known["evaluations"]
    kinds = Counter((row["kind"], row["selection"]) for row in reviews)
    assert kinds.keys() >= {
        ("human", "random"), ("human", "targeted"), ("automatic", "all"), ("automatic", "random"),
        ("mystery", "random"),
    }  # fmt: skip
    assert any(row["is_calibration"] for row in reviews)
    replaced = {row["replaces"]: row for row in reviews if row["replaces"]}
    first = {row["evaluation_id"]: row for row in reviews}
    assert replaced and all(first[name]["evaluated_at"] < later["evaluated_at"] for name, later in replaced.items())
    items = [item for row in reviews for item in row["items"]]
    assert any(not item["applies"] for item in items)
    assert {item["critical_for"] for item in items if item["passed"] is False} >= {"customer", "compliance"}


def test_an_agent_is_one_thing_at_a_time_at_the_telephone_and_works_on_cases_while_free(known: Rows) -> None:
    by_agent: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in known["agent_states"]:
        by_agent[row["agent"]].append(row)
    for rows in by_agent.values():
        phone = sorted((row for row in rows if row["state"] != "on_contact"), key=lambda row: row["started_at"])
        for one, following in pairwise(phone):
            assert one["ended_at"] <= following["started_at"]
        free = [row for row in phone if row["state"] == "available"]
        cases = sorted((row for row in rows if row["state"] == "on_contact"), key=lambda row: row["started_at"])
        at = 0
        for one in cases:
            while free[at]["ended_at"] is not None and free[at]["ended_at"] < one["ended_at"]:
                at += 1
            assert free[at]["started_at"] <= one["started_at"]
    talks: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for call in known["calls"]:
        for visit in call["visits"]:
            if visit["agent"]:
                talks[visit["agent"]].append((visit["left_at"], visit["ended_at"]))
    for agent, spells in talks.items():
        cases = [row for row in by_agent[agent] if row["state"] == "on_contact"]
        assert not any(row["started_at"] < end and begin < row["ended_at"] for row in cases for begin, end in spells), (
            "cases are put aside for a call"
        )


def test_the_states_are_those_in_the_log(world: Summary, known: Rows) -> None:
    paths = [path for path in (world.directory / "asterisk").glob("queue_log*") if path.suffix != ".gz"]
    lines = [line.split("|") for path in paths for line in path.read_text("utf-8").splitlines()]
    pauses = sorted((int(line[0]), line[3], line[5]) for line in lines if line[4] == "PAUSE")
    since = pauses[0][0]
    truth = sorted(
        (int(instant(row["started_at"]).timestamp()), row["agent"], row["state"])
        for row in known["agent_states"]
        if row["state"] not in ("available", "on_contact")
    )
    assert [(at, agent, reason.replace("wrapup", "wrap")) for at, agent, reason in pauses] == [
        one for one in truth if one[0] >= since
    ]


def test_a_plan_is_published_before_and_edited_after(lived: World, known: Rows) -> None:
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in known["shifts"]:
        versions[row["shift_id"]].append(row)
    edited = {name: rows for name, rows in versions.items() if len(rows) > 1}
    assert 0.01 < len(edited) / len(versions) < 0.2
    assert all(rows[0]["published_at"] < rows[0]["started_at"] for rows in versions.values())
    assert all(rows[0]["published_at"] < rows[1]["published_at"] for rows in edited.values())
    assert {row["activity"] for row in known["shifts"]} == {
        "on_queue", "lunch", "break", "meeting", "training", "coaching", "absence",
    }  # fmt: skip
    assert max(instant(row["started_at"]).date() for row in known["shifts"]) > lived.end, "next week is planned too"
    assert all(instant(row["published_at"]).timestamp() <= lived.now for row in known["shifts"])


def test_who_is_on_leave_is_not_at_work_and_breaks_lie_in_the_shift(lived: World) -> None:
    days_of_leave = 0
    for agent in staff(lived):
        for day in lived.days():
            if on_leave(lived, agent, day):
                days_of_leave += 1
                assert agent.on_phone and not at_work(lived, agent, day)
            if agent.on_phone and at_work(lived, agent, day):
                begin, end = shift_of(lived, agent, day)
                duties = rota.duties(lived, agent, day)
                spells = [(duty.begin, duty.end) for duty in duties]
                assert len(spells) >= 3 and begin < spells[0][0] and spells[-1][1] < end
                assert all(one[1] <= following[0] for one, following in pairwise(spells))
    assert days_of_leave


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
def test_a_shift_is_planned_where_the_clocks_change(zone: str) -> None:
    world = World(1, date(2026, 10, 30), date(2026, 11, 3), zone, 0.3)
    plan = list(rota.published(world, staff(world)))
    nights = [one for one in plan if one.agent.shift == "night" and one.activity == "on_queue"]
    assert nights
    for one in nights:
        local = datetime.fromtimestamp(one.begin, ZoneInfo(zone)), datetime.fromtimestamp(one.end, ZoneInfo(zone))
        assert [at.hour for at in local] == [22, 8]
        assert local[1].date() - local[0].date() == timedelta(days=1)


def test_the_centre_is_run_as_centres_are(world: Summary, known: Rows) -> None:
    zone = ZoneInfo(world.zone)
    frames = centre_people.frames(known, world.zone, world.now, lambda text: instant(text).astimezone(zone).date())

    def value(kpi: str) -> float:
        name, formula = KPIS[kpi]
        found: pd.DataFrame = frames[name]
        answer = formula(found).value
        assert answer is not None
        return answer

    assert 0.75 < value("occupancy") < 0.88
    assert 0.88 < value("adherence") < 0.95
    assert 0.90 < value("conformance") < 1.05
    assert 0.25 < value("shrinkage") < 0.35
    assert 0.80 < value("qa_score") < 0.92
    assert 0.75 < value("auto_qa_score") < 0.92
    assert 0.01 < value("critical_error_rate") < 0.08
    assert 0.02 < value("qa_coverage") < 0.07
    assert 0.001 < value("qa_coverage_targeted") < 0.03


def test_the_exports_are_plain_files_for_any_spreadsheet(world: Summary) -> None:
    for path in [*world.directory.glob("workforce/*.csv"), *world.directory.glob("quality/*.csv")]:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}

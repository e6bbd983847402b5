"""Zendesk: complete, incremental, honest about failures."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from vendors import TOKEN, Call, Drained, Scripted, configured, drain, extraction

from kefu import load, warehouse
from kefu.emulators.serve import Running, running
from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.simulator import Summary
from kefu.simulator.files import read_lines
from kefu.sources.zendesk import KIND, event_rows

NewWarehouse = Callable[..., Settings]

VARIABLE = "SOURCES__ZENDESK__API_TOKEN"
KEYS = {table.name: table.key for table in KIND.tables}
EMPTY = {
    "groups": {"groups": []},
    "schedules": {"schedules": []},
    "holidays": {"holidays": []},
    "policies": {"sla_policies": []},
    "users": {"users": [], "after_cursor": "u", "end_of_stream": True},
    "tickets": {"tickets": [], "after_cursor": "t", "end_of_stream": True},
    "ticket_events": {"ticket_events": [], "end_time": 5, "end_of_stream": True},
    "satisfaction_ratings": {"satisfaction_ratings": [], "meta": {"has_more": False}},
}


def of(vendor: Running, **options: Any) -> dict[str, Any]:
    return {"base_url": vendor.zendesk_url, "email": vendor.email, "start_date": "2026-01-01", **options}


def by_resource(**answers: Any) -> Any:
    """An account that is empty but for what is given, by the last word of the path."""

    def answer(call: Call) -> Any:
        resource = call.path.removesuffix("/cursor.json").removesuffix(".json").rsplit("/", 1)[-1]
        found = (EMPTY | answers)[resource]
        return found(call) if callable(found) else found

    return answer


def everything(drained: Drained) -> dict[str, dict[Any, dict[str, Any]]]:
    return {table: drained.merged(table, *key) for table, key in KEYS.items()}


def state_file(world: Summary, name: str) -> list[dict[str, Any]]:
    return list(read_lines(world.directory / "zendesk" / f"{name}.jsonl"))


def test_everything_in_the_account_lands(account: Running, world: Summary) -> None:
    drained = drain(KIND, **of(account))

    withheld = int(world.now.timestamp()) - 60
    tickets = {row["id"]: row for row in state_file(world, "tickets") if row["states"][0][0] <= withheld}
    assert {row["id"] for row in drained.rows("tickets")} == set(tickets)
    users = {row["id"] for row in state_file(world, "users") if row["states"][0][0] <= withheld}
    assert {row["id"] for row in drained.rows("users")} == users
    events = {row["id"]: row for row in state_file(world, "ticket_events") if row["timestamp"] <= withheld}
    assert {row["event_id"] for row in drained.rows("ticket_events")} == {
        row["id"] for row in events.values() if row["children"]
    }
    ratings = {row["id"] for row in state_file(world, "satisfaction_ratings") if row["states"][0][0] <= withheld + 60}
    assert {row["id"] for row in drained.rows("satisfaction_ratings")} == ratings
    assert len(drained.rows("groups")) == 5
    assert {row["schedule_id"] for row in drained.rows("schedule_versions")} == {
        row["id"] for row in state_file(world, "schedules")
    }
    holidays = {(row["schedule_id"], row["id"]) for row in drained.rows("schedule_holidays")}
    assert holidays == {(row["schedule_id"], row["id"]) for row in state_file(world, "schedule_holidays")}
    assert drained.rejected == []


def test_a_deleted_ticket_is_a_row_with_that_status_and_no_metrics(account: Running) -> None:
    tickets = drain(KIND, **of(account)).merged("tickets", "id").values()

    deleted = [row for row in tickets if row["status"] == "deleted"]
    assert deleted
    assert all(row["metric_set"] is None for row in deleted)
    assert all(row["metric_set"] for row in tickets if row["status"] != "deleted")


def test_agents_from_before_the_start_date_are_there(account: Running) -> None:
    drained = drain(KIND, **of(account, start_date="2026-03-10"))

    agents = {row["id"] for row in drained.rows("users") if row["role"] == "agent"}
    assignees = {row["assignee_id"] for row in drained.rows("tickets") if row["assignee_id"]}
    assert assignees and assignees <= agents


def test_small_pages_bring_the_same_rows_as_large_ones(account: Running) -> None:
    assert everything(drain(KIND, **of(account, page_size=7))) == everything(drain(KIND, **of(account)))


def test_day_by_day_brings_the_same_rows_as_all_at_once(account: Running, world: Summary) -> None:
    together: dict[str, dict[Any, dict[str, Any]]] = {table: {} for table in KEYS}
    state: dict[str, Any] = {}
    for days in range(16, -1, -1):
        account.set_now(world.now - timedelta(days=days))
        for table, rows in everything(drain(KIND, state=state, **of(account))).items():
            together[table] |= rows

    account.set_now(world.now)
    at_once = everything(drain(KIND, **of(account)))
    history, present = together.pop("user_versions"), at_once.pop("user_versions")
    assert together == at_once
    # who asks every day knows what users were, too
    assert present.items() < history.items()
    gone = {row["id"]: row["updated_at"] for row in present.values() if row["role"] == "agent" and not row["active"]}
    before = {row["id"] for row in history.values() if row["active"] and row["id"] in gone}
    assert gone and before == set(gone)


def test_a_second_run_asks_only_for_what_is_new(account: Running) -> None:
    state: dict[str, Any] = {}
    drain(KIND, state=state, **of(account))
    before = len(account.calls)

    again = drain(KIND, state=state, **of(account))

    calls = [call for call in account.calls[before:] if "incremental" in call.path]
    assert len(calls) == 3
    assert all("cursor=" in call.query for call in calls if "cursor" in call.path)
    assert again.rows("tickets") == again.rows("users") == []
    # The last second is asked for again: a row of it may have come since.
    assert len({row["created_at"] for row in again.rows("ticket_events")}) == 1


def test_no_words_of_a_comment_land(account: Running, world: Summary) -> None:
    said = [
        child["body"]
        for event in state_file(world, "ticket_events")
        for child in event["children"]
        if child["kind"] == "Comment"
    ]
    drained = drain(KIND, **of(account))

    landed = json.dumps([drained.rows("tickets"), drained.rows("ticket_events")], default=str, ensure_ascii=False)
    assert len(said) > 100
    assert not [text for text in said if len(text) > 12 and text in landed]


@pytest.mark.parametrize("kind", ["cut", "truncate", "status"])
def test_what_passes_is_waited_for(account: Running, kind: str) -> None:
    complete = everything(drain(KIND, **of(account)))
    account.plant("tickets/cursor", kind, times=2, skip=1)
    account.plant("ticket_events", kind, times=1)

    assert everything(drain(KIND, **of(account, page_size=20))) == complete


def test_a_page_that_comes_doubled_is_one_page_in_the_warehouse(
    account: Running, new_warehouse: NewWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    settings = configured(new_warehouse(), "zendesk", **of(account))
    for path in ("tickets/cursor", "ticket_events", "groups", "schedules", "holidays", "ratings"):
        account.plant(path, "double")

    report = load.extract(settings, "zendesk")
    again = load.extract(settings, "zendesk", full=True)

    with warehouse.connect(settings, "transformer") as connection:
        for table in KIND.tables:
            key = ", ".join(table.key)
            counts = connection.execute(
                f"select count(*), count(distinct ({key})) from raw_zendesk.{table.name}"  # type: ignore[arg-type]
            ).fetchone()
            assert counts and counts[0] == counts[1] > 0, table.name
    assert report.rows > report.changed
    assert again.changed == 0


def test_a_cursor_that_stands_still_fails_loudly(account: Running) -> None:
    account.plant("tickets/cursor", "stuck", times=99)

    with pytest.raises(KefuError, match="the export of tickets does not advance") as error:
        drain(KIND, **of(account))
    assert "--full" in str(error.value.do)


def test_more_events_in_a_second_than_a_page_holds_fail_loudly(scripted: Scripted) -> None:
    event = {"id": 1, "ticket_id": 1, "timestamp": 1_772_380_800, "child_events": []}
    scripted.answer = by_resource(
        ticket_events={"ticket_events": [event] * 2, "end_time": 1_772_380_800, "end_of_stream": False}
    )

    with pytest.raises(KefuError, match="ticket events does not advance") as error:
        drain(KIND, base_url=scripted.url, email="a@b.c", page_size=2)
    assert "more than 2 events within one second" in str(error.value.found)
    assert len([call for call in scripted.calls if "ticket_events" in call.path]) == 2


def test_a_list_whose_pages_do_not_advance_fails_loudly(scripted: Scripted) -> None:
    scripted.answer = by_resource(groups={"groups": [], "meta": {"has_more": True, "after_cursor": "x"}})

    with pytest.raises(KefuError, match="not understood") as error:
        drain(KIND, base_url=scripted.url, email="a@b.c")
    assert "has_more, but the cursor 'x' again" in str(error.value.found)


def test_a_limit_is_waited_out_for_as_long_as_the_vendor_says(scripted: Scripted, monkeypatch: Any) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    refusals = iter([(429, {"Retry-After": "37"}, {}), (429, {}, {}), (503, {"Retry-After": "2"}, {})])

    def limited(call: Call) -> Any:
        return next(refusals, EMPTY["tickets"])

    scripted.answer = by_resource(tickets=limited)
    drained = drain(KIND, base_url=scripted.url, email="a@b.c")

    assert waits == [37, 10, 2]
    assert any("HTTP 429" in line and "trying again in 37 s" in line for line in drained.said)


def test_a_limit_longer_than_our_patience_is_told_at_once(scripted: Scripted) -> None:
    scripted.answer = lambda call: (429, {"Retry-After": "86400"}, {"error": "enough"})

    with pytest.raises(KefuError, match="limits how often") as error:
        drain(KIND, base_url=scripted.url, email="a@b.c", patience_seconds=60)
    assert "429" in str(error.value.found) and "patience_seconds" in str(error.value.do)
    assert len(scripted.calls) == 1


@pytest.mark.parametrize(
    ("answer", "summary"),
    [
        ((401, {}, {"error": f"Couldn't authenticate {TOKEN}"}), "refuses the credentials"),
        ((403, {}, {"error": "Forbidden"}), "does not allow this"),
        ((404, {}, {"error": "InvalidEndpoint"}), "does not have this"),
        ((422, {}, {"error": "StartTimeTooRecent"}), "refuses the request"),
        ((500, {}, {"error": "oops"}), "a fault of its own"),
        ((200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"), "not understood"),
        ((200, {}, {"something": "else"}), "not understood"),
        ((200, {}, [1, 2]), "not understood"),
    ],
    ids=["401", "403", "404", "422", "500", "html", "another-api", "list"],
)
def test_each_refusal_is_one_message_that_names_address_and_variable(
    scripted: Scripted, answer: Any, summary: str
) -> None:
    scripted.answer = lambda call: answer

    with pytest.raises(KefuError, match=summary) as error:
        drain(KIND, base_url=scripted.url, email="a@b.c", patience_seconds=1)
    message = str(error.value)
    assert scripted.url in message and VARIABLE in message
    assert TOKEN not in message


def test_nobody_there_is_one_message(unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}"

    with pytest.raises(KefuError, match="cannot be reached") as error:
        drain(KIND, base_url=url, email="a@b.c", patience_seconds=1)
    assert url in str(error.value) and VARIABLE in str(error.value)
    assert "refused" in str(error.value.found)
    with pytest.raises(KefuError, match="cannot be reached") as error:
        drain(KIND, base_url="http://no-such-host.invalid", email="a@b.c", patience_seconds=0)
    assert "no-such-host.invalid" in str(error.value)


def test_no_answer_in_time_is_one_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(KefuError, match="does not answer in time") as error:
            drain(KIND, base_url=url, email="a@b.c", timeout_seconds=0.2, patience_seconds=0)
    assert "0.2 s" in str(error.value.found) and VARIABLE in str(error.value)


def test_a_certificate_of_our_own_has_to_be_named(world: Summary) -> None:
    with running(world.directory, tls=True, token=TOKEN) as emulators:
        with pytest.raises(KefuError, match="certificate of the API is not trusted") as error:
            drain(KIND, **of(emulators))
        assert "ca_file" in str(error.value.do) and VARIABLE in str(error.value.do)
        skipped = ["tickets", "ticket_events", "users", "satisfaction_ratings"]
        drained = drain(KIND, **of(emulators, ca_file=str(emulators.ca_file), skip=skipped))
    assert len(drained.rows("groups")) == 5
    assert drained.rows("tickets") == []


def test_a_missing_secret_names_every_place_that_was_looked_at(new_warehouse: NewWarehouse) -> None:
    settings = configured(new_warehouse(), "zendesk", base_url="http://127.0.0.1:1", email="a@b.c")

    with pytest.raises(KefuError, match=VARIABLE) as error:
        load.extract(settings, "zendesk")
    assert ".env" in str(error.value.where) and "environment" in str(error.value.where)


def test_all_wrong_settings_are_told_at_once(new_warehouse: NewWarehouse) -> None:
    settings = configured(new_warehouse(), "zendesk", base_url="acme.zendesk.com", page_size=5000, colour="red")

    with pytest.raises(KefuError, match="4 problems") as error:
        load.extract(settings, "zendesk")
    for name in ("base_url", "email", "page_size", "colour"):
        assert f"sources.zendesk.{name}" in str(error.value)


def test_a_check_says_who_answers(account: Running, scripted: Scripted) -> None:
    assert KIND.check
    assert "admin@centre.example (admin)" in KIND.check(extraction(KIND, Drained(), **of(account)))
    scripted.answer = lambda call: {"user": {"id": None, "role": "end-user"}}
    with pytest.raises(KefuError, match="but not us"):
        KIND.check(extraction(KIND, Drained(), base_url=scripted.url, email="a@b.c"))


def test_values_of_another_type_are_converted_quarantined_or_refused(scripted: Scripted) -> None:
    good = {"id": "12", "created_at": "2026-03-01T08:00:00+08:00", "new_field": {"a": 1}}
    odd = {"id": 13, "created_at": "yesterday", "subject": "half a pair \ud83d"}
    scripted.answer = by_resource(
        tickets={"tickets": [good, odd, {"status": "new"}], "after_cursor": "c", "end_of_stream": True}
    )

    drained = drain(KIND, base_url=scripted.url, email="a@b.c")

    (row,) = drained.rows("tickets")
    assert (row["id"], row["created_at"]) == (12, datetime(2026, 3, 1, tzinfo=UTC))
    bad, keyless = drained.rejected
    assert (bad.entity, bad.column, bad.value) == ("tickets", "created_at", "yesterday")
    assert "an instant" in bad.reason and '"id":13' in bad.row
    assert (keyless.column, keyless.reason) == ("id", "the key is missing")


def test_a_field_that_changed_its_type_stops_the_extraction(scripted: Scripted) -> None:
    rows = [{"id": number, "group_id": f"group-{number}"} for number in range(3)]
    scripted.answer = by_resource(tickets={"tickets": rows, "after_cursor": "c", "end_of_stream": True})

    with pytest.raises(KefuError, match="group_id of tickets has changed its type") as error:
        drain(KIND, base_url=scripted.url, email="a@b.c")
    assert error.value.expected == "a whole number" and "'group-0'" in str(error.value.found)


def test_metric_sets_beside_the_tickets_are_found_too(scripted: Scripted) -> None:
    scripted.answer = by_resource(
        tickets={
            "tickets": [{"id": 1}, {"id": 2}],
            "metric_sets": [{"ticket_id": 2, "reopens": 3}],
            "after_cursor": "c",
            "end_of_stream": True,
        }
    )

    tickets = drain(KIND, base_url=scripted.url, email="a@b.c").rows("tickets")
    assert [row["metric_set"] for row in tickets] == [None, '{"ticket_id":2,"reopens":3}']


def event(*children: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 9,
        "ticket_id": 4,
        "timestamp": 1_772_380_800,
        "created_at": "2026-03-01T16:00:00Z",
        "updater_id": 5,
        "via": "Mail",
        "child_events": list(children),
    }


def short(rows: Any) -> list[tuple[Any, ...]]:
    return [(row["child_number"], row["field"], row.get("value"), row.get("previous_value")) for row in rows]


def test_a_new_ticket_has_a_row_for_each_tracked_field_set_or_not() -> None:
    at_once = event({"id": 1, "status": "new", "priority": None, "requester_id": 7, "event_type": "Create"})
    expected = {("created", None), ("status", "new"), ("priority", None), ("type", None), ("group_id", None)}
    expected |= {("assignee_id", None), ("requester_id", "7")}
    assert {row[1:3] for row in short(event_rows(at_once))} == expected

    one_by_one = event(
        {"id": 1, "requester_id": 7, "event_type": "Create"},
        {"id": 2, "public": True, "author_id": 7, "body": "hello", "event_type": "Comment"},
        {"id": 3, "status": "new", "event_type": "Create"},
    )
    rows = short(event_rows(one_by_one))
    assert {row[1:3] for row in rows} == expected | {("comment", None)}
    assert (2, "status", "new", None) in rows and (0, "created", None, None) in rows


def test_a_change_keeps_the_value_before_and_a_ticket_may_change_its_type() -> None:
    rows = event_rows(
        event(
            {"id": 1, "via": "Rule", "status": "solved", "previous_value": "open", "event_type": "Change"},
            {"id": 2, "type": "problem", "previous_value": None, "event_type": "Change"},
            {"id": 3, "tags": ["a"], "added_tags": ["a"], "removed_tags": [], "event_type": "Change"},
            {"id": 4, "group_id": 12, "previous_value": 11, "event_type": "Change"},
        )
    )
    assert short(rows) == [
        (0, "status", "solved", "open"),
        (1, "type", "problem", None),
        (2, "tags", '["a"]', None),
        (3, "group_id", "12", "11"),
    ]


def test_comments_and_whatever_else_happened_keep_no_words() -> None:
    rows = list(
        event_rows(
            event(
                {"id": 1, "body": "secret", "public": False, "author_id": 3, "event_type": "Comment"},
                {"id": 2, "subject": "secret", "body": "secret", "event_type": "Notification"},
                {"id": 3, "score": "good", "comment": "secret", "event_type": "SatisfactionRating"},
                {"id": 4, "status": "deleted", "previous_value": "open", "event_type": "Change"},
            )
        )
    )
    assert short(rows) == [
        (0, "comment", None, None),
        (1, "notification", None, None),
        (2, "satisfactionrating", "good", None),
        (3, "status", "deleted", "open"),
    ]
    assert (rows[0]["is_public"], rows[0]["author_id"], rows[0]["child_id"]) == (False, 3, 1)
    assert "secret" not in json.dumps(rows)


def test_the_recorded_objects_of_the_vendor_become_rows(shared: Path, scripted: Scripted) -> None:
    folder = shared / "specs" / "zendesk" / "object-examples"

    def one(name: str) -> dict[str, Any]:
        return json.loads((folder / f"{name}.json").read_text())

    def stream(name: str, entity: str) -> dict[str, Any]:
        return {name: [one(entity)], "after_cursor": "c", "end_of_stream": True}

    scripted.answer = by_resource(
        tickets=stream("tickets", "ticket"),
        users=stream("users", "user"),
        groups={"groups": [one("group")]},
        schedules={"schedules": [one("schedule")]},
        holidays={"holidays": [{"id": 1, "name": "Labor Day", "start_date": "2026-09-07", "end_date": "2026-09-07"}]},
        policies={"sla_policies": [one("sla_policy")]},
        satisfaction_ratings={"satisfaction_ratings": [one("satisfaction_rating")]},
        ticket_events={"ticket_events": [one("ticket_event")], "end_time": 138561439, "end_of_stream": True},
    )

    drained = drain(KIND, base_url=scripted.url, email="a@b.c")

    assert drained.rejected == []
    assert {table: len(drained.rows(table)) for table in KEYS} == dict.fromkeys(KEYS, 1) | {"schedule_intervals": 5}
    assert drained.rows("schedule_intervals")[0]["start_time"] == 1980  # Monday at nine
    assert drained.rows("schedule_holidays")[0]["end_date"] == date(2026, 9, 7)
    assert drained.rows("schedules")[0]["time_zone"] == "Central Time (US & Canada)"
    assert drained.rows("tickets")[0]["via_channel"] == "sample_ticket"


def test_another_schedule_of_a_ticket_is_kept_with_the_one_before() -> None:
    rows = event_rows(
        event({"id": 1, "event_type": "ScheduleAssignment", "previous_schedule_id": None, "new_schedule_id": 12})
    )
    assert short(rows) == [(0, "schedule_id", "12", None)]


def test_every_state_of_a_schedule_is_kept_also_one_it_comes_back_to(scripted: Scripted) -> None:
    """Edited; then a holiday more without an update, and gone again; a schedule that is deleted stays."""
    schedule = {"id": 4, "name": "x", "time_zone": "London", "created_at": "2026-01-01T00:00:00Z"}
    monday, tuesday = {"start_time": 1980, "end_time": 2460}, {"start_time": 3420, "end_time": 3900}
    holiday = {"id": 7, "name": "y", "start_date": "2026-12-24", "end_date": "2026-12-26"}
    first = schedule | {"updated_at": "2026-01-01T00:00:00Z", "intervals": [monday]}
    second = schedule | {"updated_at": "2026-02-01T00:00:00Z", "intervals": [monday, tuesday]}
    state: dict[str, Any] = {}
    rows: dict[str, dict[Any, dict[str, Any]]] = {table: {} for table in KEYS}
    seen = []
    for listed, holidays in (
        ([first], []), ([first], []), ([second], []), ([second], [holiday]), ([second], []), ([second], [holiday]),
        ([second], [holiday]), ([], []),
    ):  # fmt: skip
        scripted.answer = by_resource(schedules={"schedules": listed}, holidays={"holidays": holidays})
        drained = drain(KIND, state=state, base_url=scripted.url, email="a@b.c")
        for table, some in everything(drained).items():
            rows[table] |= some
        seen.append(len(rows["schedule_versions"]))
    assert seen == [1, 1, 2, 3, 4, 5, 5, 5]
    assert [key[3] for key in rows["schedule_versions"]] == [0, 0, 0, 1, 1]
    assert len({key[2] for key in rows["schedule_versions"]}) == 3
    assert len(rows["schedule_holidays"]) == 1 and len(rows["schedule_intervals"]) == 1 + 2 + 2
    # read again from the start, what it is now is what was known already
    again = everything(drain(KIND, full=True, base_url=scripted.url, email="a@b.c"))
    assert again["schedule_versions"].keys() <= rows["schedule_versions"].keys()


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])

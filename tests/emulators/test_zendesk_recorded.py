"""The emulated Zendesk beside recorded traffic of the true one: the same envelopes, keys, headers, cursors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from callers import Zendesk, place

from kefu.emulators.serve import running
from kefu.simulator import Summary


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, list[dict[str, Any]]]:
    """Recorded exchanges by the path they were made to."""
    exchanges: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((shared / "specs" / "zendesk" / "recorded").glob("*.json")):
        for exchange in json.loads(path.read_text(encoding="utf-8")):
            called = exchange["uri"].split("/api/v2/")[1].split("?")[0]
            exchanges.setdefault(called, []).append(exchange)
    return exchanges


def envelope(exchange: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in exchange["body_reduced"].items() if "__" not in key}


CALLS = {
    "incremental/tickets/cursor.json": ("tickets", {"start_time": 0, "per_page": 1}),
    "incremental/tickets.json": ("tickets", {"start_time": 0, "per_page": 1}),
    "incremental/users/cursor.json": ("users", {"start_time": 0}),
    "incremental/users.json": ("users", {"start_time": 0, "per_page": 1}),
    "group_memberships.json": ("group_memberships", {"page[size]": 1}),
}


@pytest.mark.parametrize("path", CALLS)
def test_envelopes_have_the_recorded_keys_and_types(
    recorded: dict[str, list[dict[str, Any]]], zendesk: Zendesk, path: str
) -> None:
    name, query = CALLS[path]
    page = zendesk.page(path, **query)
    theirs = [envelope(exchange) for exchange in recorded[path]]
    ours = {key: value for key, value in page.items() if key != name}
    assert all(set(ours) == set(body) for body in theirs)
    for key, value in ours.items():
        assert type(value) in {type(body[key]) for body in theirs}, key
        if isinstance(value, dict):
            assert set(value) == set(theirs[0][key])


@pytest.mark.parametrize("path", CALLS)
def test_rows_have_the_recorded_keys(recorded: dict[str, list[dict[str, Any]]], zendesk: Zendesk, path: str) -> None:
    name, query = CALLS[path]
    theirs = recorded[path][0]["body_reduced"][f"{name}__first"][0]
    ours = zendesk.page(path, **query)[name][0]
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        if value is not None and ours[key] is not None and key not in ("via", "satisfaction_rating"):
            assert type(ours[key]) is type(value), key


def test_rows_of_groups_schedules_policies_ratings_and_metrics_have_the_exemplary_keys(
    shared: Path, zendesk: Zendesk
) -> None:
    folder = shared / "specs" / "zendesk" / "object-examples"
    metric_sets = zendesk.page("incremental/tickets/cursor.json", start_time=0, per_page=1, include="metric_sets")
    found = {
        "group": zendesk.page("groups.json")["groups"][0],
        "group_membership": zendesk.page("group_memberships.json")["group_memberships"][0],
        "schedule": zendesk.page("business_hours/schedules.json")["schedules"][0] | {"url": ""},
        "sla_policy": zendesk.page("slas/policies.json")["sla_policies"][0],
        "satisfaction_rating": zendesk.page("satisfaction_ratings.json")["satisfaction_ratings"][0],
        "ticket_metric": metric_sets["tickets"][0]["metric_set"],
        "ticket_event": zendesk.page("incremental/ticket_events.json", start_time=0)["ticket_events"][0],
    }
    for name, row in found.items():
        example = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        assert set(example) <= set(row), name


def test_headers_are_the_recorded_ones(recorded: dict[str, list[dict[str, Any]]], world: Summary) -> None:
    path = "incremental/tickets/cursor.json"
    ours = {}
    for gateway in (2023, 2024):
        with running(world.directory, gateway=gateway) as served:
            ours[gateway] = Zendesk(served).get(path, start_time=0, per_page=1)
    for exchange in recorded[path]:
        theirs = {name.lower() for name in exchange["headers"]}
        reply = ours[2024 if "ratelimit-limit" in theirs else 2023]
        assert {name.lower() for name in reply.headers} - {"content-length"} == theirs
        assert reply.headers["content-type"] == exchange["headers"]["Content-Type"]
        assert reply.headers["cache-control"] == exchange["headers"]["cache-control"]


def test_recorded_cursors_are_read_and_written_alike(
    recorded: dict[str, list[dict[str, Any]]], zendesk: Zendesk
) -> None:
    for path in ("incremental/tickets/cursor.json", "incremental/users/cursor.json"):
        for exchange in recorded[path]:
            cursor = exchange["body_reduced"]["after_cursor"]
            instant, number = place(cursor)
            assert zendesk.page(path, cursor=cursor)["end_of_stream"] in (True, False)
            row = exchange["body_reduced"][f"{path.split('/')[1]}__first"][0]
            if exchange["body_reduced"].get("tickets__count") == 1:
                assert (instant, number) == (row["generated_timestamp"], row["id"])


def test_time_based_pages_end_as_recorded(recorded: dict[str, list[dict[str, Any]]]) -> None:
    """What the emulator's rule rests on: a short page ends a second later, a full or last one at its own."""
    for exchange in recorded["incremental/tickets.json"]:
        body, short = exchange["body_reduced"], "per_page=1" in exchange["uri"]
        first = body["tickets__first"][0]["generated_timestamp"]
        if short:
            assert body["end_time"] == first + 1
        assert f"start_time={body['end_time']}" in body["next_page"]

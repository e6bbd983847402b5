"""Faults happen where and as often as they were planted, and then are over."""

from __future__ import annotations

import io
import zipfile

import pytest
import requests
from callers import Qualtrics, Zendesk

from kefu.emulators.serve import Running
from kefu.simulator import Summary

EXPORT = "incremental/tickets/cursor"


def test_a_refusal_comes_in_the_middle_of_a_walk(emulators: Running, zendesk: Zendesk, world: Summary) -> None:
    emulators.plant(EXPORT, "status", status=429, retry_after=7, skip=1, times=2)
    page = zendesk.page(f"{EXPORT}.json", start_time=0, per_page=100)
    for _ in range(2):
        refused = zendesk.get(page["after_url"])
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert zendesk.get("groups.json").status_code == 200
    rows = page["tickets"]
    while not page["end_of_stream"]:
        page = zendesk.page(page["after_url"])
        rows += page["tickets"]
    assert len(rows) == world.counts["tickets"]


def test_a_refusal_may_not_say_how_long(emulators: Running, zendesk: Zendesk) -> None:
    emulators.plant(EXPORT, "status", status=429, retry_after=None)
    refused = zendesk.get(f"{EXPORT}.json", start_time=0)
    assert refused.status_code == 429 and "Retry-After" not in refused.headers


def test_an_internal_error_is_over_after_its_time(emulators: Running, zendesk: Zendesk) -> None:
    emulators.plant("groups", "status", status=500)
    assert [zendesk.get("groups.json").status_code for _ in range(2)] == [500, 200]


def test_a_connection_is_cut_in_the_middle(emulators: Running, zendesk: Zendesk) -> None:
    emulators.plant("groups", "cut")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        zendesk.get("groups.json")
    assert zendesk.get("groups.json").json()["count"] == 5


def test_a_page_is_truncated_though_it_looks_whole(emulators: Running, zendesk: Zendesk) -> None:
    emulators.plant("groups", "truncate")
    reply = zendesk.get("groups.json")
    assert reply.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        reply.json()


def test_a_page_comes_doubled(emulators: Running, zendesk: Zendesk) -> None:
    emulators.plant(EXPORT, "double")
    numbers = [row["id"] for row in zendesk.page(f"{EXPORT}.json", start_time=0, per_page=3)["tickets"]]
    assert len(numbers) == 6 and numbers[:3] == numbers[3:]


def test_a_page_points_to_itself_for_ever(emulators: Running, zendesk: Zendesk) -> None:
    emulators.plant(EXPORT, "stuck", times=3)
    page = zendesk.page(f"{EXPORT}.json", start_time=0, per_page=3)
    for _ in range(2):
        again = zendesk.page(page["after_url"])
        assert again["tickets"] == page["tickets"] and again["end_of_stream"] is False
        page = again
    assert zendesk.page(page["after_url"])["after_url"] != page["after_url"]


def test_a_job_fails_with_a_good_status(emulators: Running, qualtrics: Qualtrics) -> None:
    job = qualtrics.start(format="json").json()["result"]["progressId"]
    emulators.plant(f"export-responses/{job}", "fail_job")
    state = qualtrics.poll(job)
    assert (state["status"], state["percentComplete"], state["fileId"]) == ("failed", 100.0, None)


def test_a_zip_may_arrive_broken(emulators: Running, qualtrics: Qualtrics) -> None:
    emulators.plant("/file$", "truncate")
    archive, _ = qualtrics.export(format="json")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(archive))


def test_every_call_is_on_record(emulators: Running, zendesk: Zendesk) -> None:
    zendesk.get("groups.json", per_page=2)
    zendesk.get("nothing.json")
    assert [(call.path, call.query, call.status) for call in emulators.calls] == [
        ("/zendesk/api/v2/groups.json", "per_page=2", 200),
        ("/zendesk/api/v2/nothing.json", "", 404),
    ]


def test_tests_in_other_processes_reach_the_same_by_http(emulators: Running, world: Summary, zendesk: Zendesk) -> None:
    control = f"{emulators.url}/control"
    requests.post(f"{control}/faults", json={"path": "groups", "kind": "status", "status": 503}, timeout=30)
    assert zendesk.get("groups.json").status_code == 503
    requests.post(f"{control}/clock", json={"now": "2026-10-20T00:00:00Z"}, timeout=30)
    assert requests.get(f"{emulators.url}/health", timeout=30).json() == {"status": "ok", "now": "2026-10-20T00:00:00Z"}
    assert len(zendesk.by_cursor("tickets", start_time=0)) < world.counts["tickets"]
    assert requests.get(f"{control}/calls", timeout=30).json()[0]["status"] == 503
    assert requests.delete(f"{control}/faults", timeout=30).json() == {"planted": 0}

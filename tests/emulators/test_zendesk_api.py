"""The emulated Zendesk behaves as the true one was seen to: cursors, clocks, limits, deletions."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
import requests
from callers import Zendesk, epoch, place

from kefu.emulators.limits import Bucket, Rates
from kefu.emulators.serve import Running, running
from kefu.simulator import Summary

Rows = dict[str, list[dict[str, Any]]]


# At the door


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic " + base64.b64encode(b"agent@example.com/token:wrong").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"agent@example.com:" + b"x" * 40).decode()},
    ],
)
def test_without_the_token_nothing_is_told(emulators: Running, headers: dict[str, str]) -> None:
    reply = requests.get(f"{emulators.zendesk_url}/api/v2/groups.json", headers=headers, timeout=30)
    assert reply.status_code == 401
    assert reply.json() == {"error": "Couldn't authenticate you"}


def test_a_bearer_token_opens_the_door_too(emulators: Running) -> None:
    headers = {"Authorization": f"Bearer {emulators.token}"}
    reply = requests.get(f"{emulators.zendesk_url}/api/v2/users/me.json", headers=headers, timeout=30)
    assert reply.json()["user"]["role"] == "admin"


def test_an_unknown_path_is_an_invalid_endpoint(zendesk: Zendesk) -> None:
    reply = zendesk.get("no_such_thing.json")
    assert (reply.status_code, reply.json()["error"]) == (404, "InvalidEndpoint")


def test_paths_work_with_and_without_json_and_below_an_account(emulators: Running) -> None:
    auth = (f"{emulators.email}/token", emulators.token)
    for path in ("api/v2/groups", "api/v2/groups.json", "acme.zendesk.com/api/v2/groups.json"):
        page = requests.get(f"{emulators.zendesk_url}/{path}", auth=auth, timeout=30).json()
        prefix = path.split("/groups")[0]
        assert page["groups"][0]["url"].startswith(f"{emulators.zendesk_url}/{prefix}/groups/")


# Cursor export


@pytest.mark.parametrize("size", [1000, 37])
def test_a_walk_by_cursor_meets_every_ticket_once(zendesk: Zendesk, world: Summary, size: int) -> None:
    rows = zendesk.by_cursor("tickets", start_time=0, per_page=size)
    assert len(rows) == len({row["id"] for row in rows}) == world.counts["tickets"]
    order = [(row["generated_timestamp"], row["id"]) for row in rows]
    assert order == sorted(order)


def test_links_keep_the_page_size_and_drop_the_start(zendesk: Zendesk) -> None:
    page = zendesk.page("incremental/tickets/cursor.json", start_time=0, per_page=5)
    query = parse_qs(urlparse(page["after_url"]).query)
    assert query == {"cursor": [page["after_cursor"]], "per_page": ["5"]}
    last = page["tickets"][-1]
    assert place(page["after_cursor"]) == (last["generated_timestamp"], last["id"])
    assert page["before_url"] is None and page["before_cursor"] is None
    assert page["end_of_stream"] is False


def test_the_last_page_and_even_an_empty_one_have_a_next_link(zendesk: Zendesk) -> None:
    page = zendesk.page("incremental/tickets/cursor.json", start_time=0)
    while not page["end_of_stream"]:
        page = zendesk.page(page["after_url"])
    assert page["after_url"] and page["after_cursor"]
    beyond = zendesk.page(page["after_url"])
    assert beyond["tickets"] == [] and beyond["end_of_stream"] is True
    assert beyond["after_cursor"] == page["after_cursor"]


def test_a_later_walk_from_the_cursor_meets_what_changed_since(
    world: Summary, emulators: Running, zendesk: Zendesk
) -> None:
    emulators.set_now(world.now - timedelta(days=10))
    page = zendesk.page("incremental/tickets/cursor.json", start_time=0)
    first = page["tickets"]
    while not page["end_of_stream"]:
        page = zendesk.page(page["after_url"])
        first += page["tickets"]
    assert first[-1]["generated_timestamp"] <= (world.now - timedelta(days=10, seconds=60)).timestamp()
    emulators.set_now(world.now)
    page = zendesk.page("incremental/tickets/cursor.json", cursor=page["after_cursor"])
    changed = page["tickets"]
    assert page["end_of_stream"] and 0 < len(changed) < world.counts["tickets"]
    merged = {row["id"]: row for row in first} | {row["id"]: row for row in changed}
    whole = {row["id"]: row for row in zendesk.by_cursor("tickets", start_time=0)}
    assert merged == whole
    assert {row["id"] for row in changed} & {row["id"] for row in first}, "some had been seen before"


def test_what_changed_in_the_last_minute_is_withheld(world: Summary, emulators: Running, zendesk: Zendesk) -> None:
    rows = zendesk.by_cursor("tickets", start_time=0)
    latest = rows[-1]
    for seconds, seen in ((59, False), (60, True)):
        emulators.set_now(datetime.fromtimestamp(latest["generated_timestamp"] + seconds, world.now.tzinfo))
        page = zendesk.by_cursor("tickets", start_time=0)
        assert (latest["generated_timestamp"], latest["id"]) in [
            (row["generated_timestamp"], row["id"]) for row in page
        ] or not seen
        assert page[-1]["generated_timestamp"] < latest["generated_timestamp"] or seen


@pytest.mark.parametrize("path", ["tickets/cursor", "tickets", "ticket_events", "users/cursor", "users"])
def test_a_start_within_the_last_minute_is_refused(world: Summary, zendesk: Zendesk, path: str) -> None:
    now = int(world.now.timestamp())
    assert zendesk.get(f"incremental/{path}.json", start_time=now - 59).status_code == 422
    assert zendesk.get(f"incremental/{path}.json", start_time=now - 60).status_code == 200
    assert zendesk.get(f"incremental/{path}.json").status_code == 400


def test_a_broken_cursor_is_refused(zendesk: Zendesk) -> None:
    assert zendesk.get("incremental/tickets/cursor.json", cursor="not a cursor").status_code == 400
    assert zendesk.get("groups.json", **{"page[size]": 2, "page[after]": "zzz"}).status_code == 400


# Tickets


def test_a_deleted_ticket_shows_as_such_and_is_scrubbed_a_month_later(
    world: Summary, emulators: Running, zendesk: Zendesk, known: Rows
) -> None:
    gone = [ticket for ticket in known["tickets"] if ticket["excluded"] in ("spam", "deleted")]
    old = min(gone, key=lambda ticket: ticket["excluded_at"])
    rows = {row["id"]: row for row in zendesk.by_cursor("tickets", start_time=0, include="metric_sets")}
    row = rows[old["ticket_id"]]
    assert row["status"] == "deleted" and row["subject"] == "SCRUBBED"
    assert row["generated_timestamp"] - epoch(row["updated_at"]) == 30 * 86400
    assert all(("metric_set" in row) == (row["status"] != "deleted") for row in rows.values())
    assert {row["id"] for row in rows.values() if row["status"] == "deleted"} == {
        ticket["ticket_id"] for ticket in gone
    }
    assert zendesk.get(f"tickets/{old['ticket_id']}.json").status_code == 404
    emulators.set_now(datetime.fromisoformat(old["excluded_at"]) + timedelta(minutes=5))
    earlier = {row["id"]: row for row in zendesk.by_cursor("tickets", start_time=0)}[old["ticket_id"]]
    assert earlier["status"] == "deleted" and earlier["subject"] != "SCRUBBED"
    listed = zendesk.page("deleted_tickets.json")["deleted_tickets"]
    assert [ticket["id"] for ticket in listed] == [old["ticket_id"]]
    assert listed[0]["previous_state"] in ("new", "open", "pending", "hold", "solved")


def test_metric_sets_come_only_when_asked_for_and_agree_with_the_truth(zendesk: Zendesk, known: Rows) -> None:
    assert not any("metric_set" in row for row in zendesk.by_cursor("tickets", start_time=0))
    rows = {row["id"]: row for row in zendesk.by_cursor("tickets", start_time=0, include="metric_sets")}
    compared = 0
    for ticket in known["tickets"]:
        metrics = rows[ticket["ticket_id"]].get("metric_set")
        if metrics is None:
            continue
        created = epoch(ticket["created_at"])
        replies = [entry for entry in ticket["comments"] if entry["public"] and entry["by"]["kind"] == "agent"]
        later = [epoch(entry["at"]) for entry in replies if entry["n"] > 1]
        solves = [epoch(entry["at"]) for entry in ticket["solved"]]
        expected = (later[0] - created) // 60 if later else None
        assert metrics["reply_time_in_minutes"]["calendar"] == expected
        assert metrics["replies"] == len(replies)
        assert metrics["reopens"] == len(ticket["reopened"])
        first = (solves[0] - created) // 60 if solves else None
        assert metrics["first_resolution_time_in_minutes"]["calendar"] == first
        done = ticket["status"] in ("solved", "closed")
        full = (solves[-1] - created) // 60 if solves and done else None
        assert metrics["full_resolution_time_in_minutes"]["calendar"] == full
        for name in ("reply_time_in_minutes", "full_resolution_time_in_minutes", "agent_wait_time_in_minutes"):
            calendar, business = metrics[name]["calendar"], metrics[name]["business"]
            assert (calendar is None) == (business is None) and (business or 0) <= (calendar or 0)
        compared += expected is not None
    assert compared > 100


def test_business_minutes_lie_within_the_schedule(zendesk: Zendesk, world: Summary) -> None:
    """An opening on Monday 9:00 to 18:00, looked at from Sunday to Tuesday."""
    from kefu.emulators.metric_sets import OpenTime

    schedule = {"iana_time_zone": "Asia/Shanghai", "intervals": [{"start_time": 1980, "end_time": 2520}]}
    at = {
        name: epoch(f"2026-11-{name}+08:00")
        for name in ("15T20:00", "16T08:00", "16T10:30", "16T12:00", "16T19:00", "17T10:00")
    }
    opening = OpenTime(schedule, at["15T20:00"], at["17T10:00"])
    assert opening.between(at["15T20:00"], at["16T08:00"]) == 0
    assert opening.between(at["16T08:00"], at["16T10:30"]) == 90 * 60
    assert opening.between(at["16T10:30"], at["16T12:00"]) == 90 * 60
    assert opening.between(at["15T20:00"], at["17T10:00"]) == 9 * 3600
    assert opening.between(at["16T19:00"], at["17T10:00"]) == 0
    closed = OpenTime(
        schedule, at["15T20:00"], at["17T10:00"], [{"start_date": "2026-11-16", "end_date": "2026-11-16"}]
    )
    assert closed.between(at["15T20:00"], at["17T10:00"]) == 0


def test_business_minutes_are_those_of_the_tickets_last_schedule(zendesk: Zendesk, world: Summary) -> None:
    """A trigger gives the tickets of key accounts the longer schedule, and takes it away again."""
    from kefu.emulators.metric_sets import OpenTime

    begin, end = epoch(f"{world.start}T00:00:00Z"), int(world.now.timestamp())
    listed = zendesk.page("business_hours/schedules.json")["schedules"]
    default = listed[0]["id"]
    opening = {}
    for row in listed:
        holidays = zendesk.page(f"business_hours/schedules/{row['id']}/holidays.json")["holidays"]
        opening[row["id"]] = OpenTime({**row, "iana_time_zone": "Asia/Shanghai"}, begin, end, holidays)
    last: dict[int, int] = {}
    events = {event["id"]: event for event in zendesk.by_time("ticket_events", start_time=0)}
    for event in events.values():
        for child in event["child_events"]:
            if child["event_type"] == "ScheduleAssignment":
                before = last.get(event["ticket_id"])
                assert child["previous_schedule_id"] in (before, before or default)
                assert child["previous_schedule_id"] != child["new_schedule_id"]
                last[event["ticket_id"]] = child["new_schedule_id"]
    assert set(last.values()) == set(opening), "some tickets were taken back"
    differing = 0
    for ticket in zendesk.by_cursor("tickets", start_time=0, include="metric_sets"):
        metrics = ticket.get("metric_set") or {}
        seconds = (metrics.get("reply_time_in_seconds") or {}).get("calendar")
        if seconds is not None:
            created = epoch(ticket["created_at"])
            by = {id_: one.between(created, created + seconds) // 60 for id_, one in opening.items()}
            assert metrics["reply_time_in_minutes"]["business"] == by[last.get(ticket["id"], default)]
            differing += ticket["id"] in last and len(set(by.values())) > 1
    assert differing > 5


# Time-based exports


def test_a_short_time_based_page_brings_all_of_its_last_second(zendesk: Zendesk) -> None:
    rows = zendesk.by_time("ticket_events", start_time=0)
    seconds = Counter(row["timestamp"] for row in rows)
    crowded = max(seconds, key=lambda second: seconds[second])
    assert seconds[crowded] > 1
    page = zendesk.page("incremental/ticket_events.json", start_time=crowded, per_page=1)
    assert page["count"] == seconds[crowded]
    assert page["end_time"] == crowded + 1 and page["end_of_stream"] is False
    assert f"start_time={crowded + 1}" in page["next_page"] and "per_page=1" in page["next_page"]


def test_full_time_based_pages_repeat_a_second_and_lose_nothing(zendesk: Zendesk, world: Summary) -> None:
    page = zendesk.page("incremental/ticket_events.json", start_time=0)
    assert page["count"] == 1000
    assert page["end_time"] == page["ticket_events"][-1]["timestamp"]
    rows = zendesk.by_time("ticket_events", start_time=0)
    assert len({row["id"] for row in rows}) == world.counts["ticket_events"]
    assert len(rows) > world.counts["ticket_events"], "the last second of a page comes again"
    last = zendesk.page("incremental/ticket_events.json", start_time=rows[-1]["timestamp"])
    assert last["end_of_stream"] and last["end_time"] == rows[-1]["timestamp"]


def test_rows_of_one_second_are_not_in_the_order_of_ids(zendesk: Zendesk) -> None:
    rows = zendesk.by_time("tickets", start_time=0)
    assert len({row["id"] for row in rows}) == len(zendesk.by_cursor("tickets", start_time=0))
    order = [(row["generated_timestamp"], row["id"]) for row in rows]
    assert order != sorted(order)
    assert [at for at, _ in order] == sorted(at for at, _ in order)


def test_comments_come_in_full_only_when_asked_for(zendesk: Zendesk) -> None:
    without = zendesk.by_time("ticket_events", start_time=0)
    comments = [child for event in without for child in event["child_events"] if child["event_type"] == "Comment"]
    assert comments and all(set(child) >= {"comment_present", "comment_public"} for child in comments)
    assert not any("body" in child for child in comments)
    full = zendesk.by_time("ticket_events", start_time=0, include="comment_events")
    comments = [child for event in full for child in event["child_events"] if child["event_type"] == "Comment"]
    keys = {"id", "via", "via_reference_id", "type", "author_id", "body", "html_body", "public", "attachments",
            "audit_id", "created_at", "event_type", "plain_body"}  # fmt: skip
    assert all(set(child) == keys for child in comments)
    assert {child["via"]["channel"] for child in comments} == {"email", "web", "chat", "rule"}


def test_events_are_updates_with_one_child_a_field(zendesk: Zendesk) -> None:
    events = zendesk.by_time("ticket_events", start_time=0)
    kinds = Counter(child["event_type"] for event in events for child in event["child_events"])
    assert kinds.keys() == {"Create", "Change", "Comment", "Notification", "ScheduleAssignment"}
    assert {event["via"] for event in events} == {"Mail", "Web form", "Chat", "Rule", "Merge"}
    assert any(event["updater_id"] == -1 for event in events)
    statuses = {child["status"] for event in events for child in event["child_events"] if "status" in child}
    assert statuses == {"new", "open", "pending", "hold", "solved", "closed", "deleted"}
    assert any(child.get("added_tags") == ["closed_by_merge"] for event in events for child in event["child_events"])
    changes = [child for event in events for child in event["child_events"] if child["event_type"] == "Change"]
    assert all("previous_value" in child or "added_tags" in child for child in changes)


# Lists


def test_users_come_by_cursor_and_an_agent_who_left_is_inactive(world: Summary, zendesk: Zendesk) -> None:
    rows = zendesk.by_cursor("users", start_time=0, per_page=200)
    assert len(rows) == len({row["id"] for row in rows}) == world.counts["users"]
    assert {row["role"] for row in rows} == {"admin", "agent", "end-user"}
    assert [row["active"] for row in rows].count(False) == 1
    assert {row["id"] for row in zendesk.by_time("users", start_time=0)} == {row["id"] for row in rows}


def test_list_pages_have_a_next_link_even_at_the_end(zendesk: Zendesk, world: Summary) -> None:
    page = zendesk.page("satisfaction_ratings.json", **{"page[size]": 100})
    rows = page["satisfaction_ratings"]
    while page["meta"]["has_more"]:
        page = zendesk.page(page["links"]["next"])
        rows += page["satisfaction_ratings"]
    assert len({row["id"] for row in rows}) == len(rows) == world.counts["satisfaction_ratings"]
    assert page["links"]["next"]
    assert zendesk.page(page["links"]["next"])["satisfaction_ratings"] == []


def test_lists_without_cursor_paging_come_by_page_number(zendesk: Zendesk) -> None:
    page = zendesk.page("groups.json", per_page=2)
    assert (len(page["groups"]), page["count"], page["previous_page"]) == (2, 5, None)
    names = [group["name"] for group in page["groups"]]
    while page["next_page"]:
        page = zendesk.page(page["next_page"])
        names += [group["name"] for group in page["groups"]]
    assert names == ["Returns", "Orders", "Payments", "Technical", "Key accounts"]


def test_ratings_change_in_place_and_are_found_by_their_last_change(
    world: Summary, emulators: Running, zendesk: Zendesk, known: Rows
) -> None:
    changed = next(rating for rating in known["ratings"] if len(rating["scores"]) > 1)
    seen = []
    for at in (changed["offered_at"], *(score["at"] for score in changed["scores"])):
        emulators.set_now(datetime.fromisoformat(at) + timedelta(seconds=1))
        page = zendesk.page("satisfaction_ratings.json", start_time=epoch(at), end_time=epoch(at))
        row = next(row for row in page["satisfaction_ratings"] if row["ticket_id"] == changed["ticket_id"])
        assert row["created_at"] == changed["offered_at"] and row["updated_at"] == at
        seen.append((row["id"], row["score"]))
    assert len({number for number, _ in seen}) == 1
    assert [score for _, score in seen] == ["offered", *(score["score"] for score in changed["scores"])]


@pytest.mark.parametrize(
    ("score", "scores"),
    [("good", {"good"}), ("received", {"good", "bad"}), ("offered", {"offered"}), ("bad_with_comment", {"bad"})],
)
def test_ratings_can_be_filtered_by_score(zendesk: Zendesk, score: str, scores: set[str]) -> None:
    rows = zendesk.page("satisfaction_ratings.json", score=score)["satisfaction_ratings"]
    assert {row["score"] for row in rows} == scores
    assert "comment" not in score or all(row["comment"] for row in rows)


def test_schedules_have_the_vendors_zone_names(zendesk: Zendesk) -> None:
    schedules = zendesk.page("business_hours/schedules.json")["schedules"]
    assert {schedule["time_zone"] for schedule in schedules} == {"Beijing"}
    for schedule in schedules:
        assert all(0 <= interval["start_time"] < interval["end_time"] <= 10080 for interval in schedule["intervals"])


def test_a_schedule_has_a_break_and_holidays_of_its_own(zendesk: Zendesk) -> None:
    service, telephone = zendesk.page("business_hours/schedules.json")["schedules"]
    monday = [i for i in service["intervals"] if 1440 <= i["start_time"] < 2880]
    assert monday == [{"start_time": 1980, "end_time": 2160}, {"start_time": 2220, "end_time": 2520}]
    page = zendesk.page(f"business_hours/schedules/{service['id']}/holidays")
    assert page["url"].endswith(f"/business_hours/schedules/{service['id']}/holidays.json")
    assert {frozenset(row) for row in page["holidays"]} == {frozenset({"id", "name", "start_date", "end_date"})}
    national = next(row for row in page["holidays"] if row["name"] == "National Day 2026")
    assert (national["start_date"], national["end_date"]) == ("2026-10-01", "2026-10-03")
    assert zendesk.page(f"business_hours/schedules/{telephone['id']}/holidays.json")["holidays"] == []
    assert zendesk.get("business_hours/schedules/1/holidays.json").status_code == 404


def test_policies_groups_and_memberships_are_there(zendesk: Zendesk) -> None:
    policy = zendesk.page("slas/policies.json")["sla_policies"][0]
    assert {"id", "url", "title", "description", "position", "filter", "policy_metrics"} <= set(policy)
    members = zendesk.page("group_memberships.json", **{"page[size]": 100})["group_memberships"]
    assert {member["group_id"] for member in members} == {row["id"] for row in zendesk.page("groups.json")["groups"]}


# Limits


def test_the_eleventh_export_of_a_minute_has_to_wait(world: Summary) -> None:
    with running(world.directory, rates=Rates(incremental=10)) as served:
        zendesk = Zendesk(served)
        for _ in range(10):
            assert zendesk.get("incremental/tickets/cursor.json", start_time=0, per_page=1).status_code == 200
        refused = zendesk.get("incremental/users/cursor.json", start_time=0)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert zendesk.get("groups.json").status_code == 200, "only exports are that rare"


def test_the_account_as_a_whole_has_a_limit_too(world: Summary) -> None:
    with running(world.directory, rates=Rates(account=3)) as served:
        codes = [Zendesk(served).get("groups.json").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]


def test_a_bucket_forgets_calls_after_its_window() -> None:
    bucket = Bucket(2, 60)
    assert [bucket.take(now) for now in (0, 30, 31, 59.5)] == [0, 0, 29, 1]
    assert bucket.take(60) == 0
    assert (bucket.remaining, bucket.reset(60)) == (0, 30)


@pytest.mark.parametrize(
    ("gateway", "names"),
    [
        (2023, {"rate-limit", "rate-limit-remaining", "rate-limit-reset"}),
        (2024, {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}),
    ],
)
def test_headers_follow_the_age_of_the_gateway(world: Summary, gateway: int, names: set[str]) -> None:
    with running(world.directory, gateway=gateway) as served:
        headers = Zendesk(served).get("groups.json").headers
    limits = {name.lower() for name in headers if "limit" in name.lower()}
    assert limits == names | {"x-rate-limit", "x-rate-limit-remaining"}
    assert headers["x-rate-limit"] == "700" and headers["x-rate-limit-remaining"] == "699"
    assert headers["Date"].startswith(world.now.strftime("%a, %d %b %Y %H:%M")), "the vendor's clock, not ours"

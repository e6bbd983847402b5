"""zenpy, a client others wrote, works against the emulated Zendesk over TLS as against the true one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from zenpy import Zenpy

from kefu.emulators.serve import Running
from kefu.simulator import Summary
from kefu.simulator.files import read_lines


def client(served: Running) -> Zenpy:
    """It can only say https://{subdomain}.zendesk.com, so the account is part of the path."""
    return Zenpy(subdomain=f"localhost:{served.port}/zendesk/acme", email=served.email, token=served.token)


@pytest.fixture
def zenpy(secure: Running) -> Iterator[Zenpy]:
    yield client(secure)


def test_tickets_by_cursor_end_with_the_stream(zenpy: Zenpy, world: Summary, secure: Running) -> None:
    numbers = [ticket.id for ticket in zenpy.tickets.incremental(start_time=0, per_page=200)]
    assert len(numbers) == len(set(numbers)) == world.counts["tickets"]
    calls = [call for call in secure.calls if "tickets/cursor" in call.path]
    assert len(calls) == -(-world.counts["tickets"] // 200), "and it asks for no page too many"


def test_tickets_resume_from_a_kept_cursor(zenpy: Zenpy) -> None:
    walk = zenpy.tickets.incremental(start_time=0, per_page=50)
    first = [next(walk).id for _ in range(50)]
    rest = [ticket.id for ticket in zenpy.tickets.incremental(cursor=walk.after_cursor)]
    assert not set(first) & set(rest)


def test_ticket_events_bring_comments(zenpy: Zenpy, world: Summary) -> None:
    since = int(world.now.timestamp()) - 20 * 86400
    events = list(zenpy.tickets.events(start_time=since, include="comment_events"))
    known = {
        event["id"]
        for event in read_lines(world.directory / "zendesk" / "ticket_events.jsonl")
        if event["timestamp"] >= since
    }
    assert len(known) > 1000, "more than a page"
    assert {event.id for event in events} == known
    assert any(child.get("body") for event in events for child in event.child_events)


def test_users_groups_ratings_and_policies_are_read(zenpy: Zenpy, world: Summary) -> None:
    assert len({user.id for user in zenpy.users.incremental(start_time=0)}) == world.counts["users"]
    assert next(group.name for group in zenpy.groups()) == "Returns"
    ratings = list(zenpy.satisfaction_ratings(cursor_pagination=100))
    assert len({rating.id for rating in ratings}) == world.counts["satisfaction_ratings"]
    assert {policy.title for policy in zenpy.sla_policies()} == {"Key accounts", "Everybody"}


def test_it_finds_the_people_of_a_ticket(zenpy: Zenpy) -> None:
    ticket = next(ticket for ticket in zenpy.tickets.incremental(start_time=0) if ticket.status == "closed")
    assert ticket.requester.role == "end-user"


def test_it_waits_when_told_to(zenpy: Zenpy, world: Summary, secure: Running) -> None:
    secure.plant("tickets/cursor", "status", status=429, retry_after=1, skip=1)
    begun = time.monotonic()
    tickets = list(zenpy.tickets.incremental(start_time=0, per_page=500))
    assert len(tickets) == world.counts["tickets"]
    assert time.monotonic() - begun > 1
    assert [call.status for call in secure.calls if "cursor" in call.path][:3] == [200, 429, 200]

"""The simulator's own truth as facts: every rule of counting applied here a second time, in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.dbt.stitching import Contact, issues
from tests.end_to_end.independent import Facts, frame

SOLVED = ("solved", "closed")
Row = dict[str, Any]


def facts(truth: dict[str, list[Row]], zone: str, as_of: datetime) -> Facts:
    """Facts of the invented centre; reporting days of ``zone``, backlog up to the last day any ticket changed."""
    local = ZoneInfo(zone)

    def day(text: str) -> date:
        return _instant(text).astimezone(local).date()

    tickets = [_life(ticket) for ticket in truth["tickets"] if not ticket["excluded"]]
    last_change = max(
        day(entry["at"]) for ticket in truth["tickets"] for entry in (*ticket["statuses"], *ticket["comments"])
    )
    return Facts(
        contacts=frame(
            (_contact(call, day) for call in truth["calls"]),
            (
                "date",
                "source",
                "channel",
                "queue",
                "team",
                "offered",
                "answered",
                "abandoned",
                "wait",
                "short",
                "transferred",
            ),
        ),
        legs=frame(_legs(truth["calls"], day), ("date", "source", "channel", "queue", "team", "talk", "hold", "wrap")),
        created=frame(
            ({**_dims(life, life["first_team"]), "date": day(life["created_at"])} for life in tickets),
            ("date", "source", "channel", "team", "priority"),
        ),
        replied=frame(
            (
                {
                    **_dims(life, life["reply_team"]),
                    "date": day(life["replied_at"]),
                    "seconds": _seconds(life["created_at"], life["replied_at"]),
                }
                for life in tickets
                if life["replied_at"] and life["created_by"] != "agent"
            ),
            ("date", "source", "channel", "team", "priority", "seconds"),
        ),
        solved=frame(
            (
                {
                    **_dims(life, life["solve_team"]),
                    "date": day(life["solved_at"]),
                    "seconds": _seconds(life["created_at"], life["solved_at"]),
                    "reopened": life["reopened"],
                    "one_touch": life["replies"] == 1,
                    "reassignments": life["moves"],
                }
                for life in tickets
                if life["solved_at"]
            ),
            ("date", "source", "channel", "team", "priority", "seconds", "reopened", "one_touch", "reassignments"),
        ),
        resolved=frame(
            (
                {
                    **_dims(life, life["last_solve_team"]),
                    "date": day(life["last_solved_at"]),
                    "seconds": _seconds(life["created_at"], life["last_solved_at"]),
                }
                for life in tickets
                if life["last_solved_at"]
            ),
            ("date", "source", "channel", "team", "priority", "seconds"),
        ),
        piles=frame(_piles(tickets, day, last_change), ("date", "source", "channel", "team", "priority", "open")),
        answers=frame(
            _answers(truth, day), ("date", "source", "channel", "team", "metric", "positive", "score", "group")
        ),
        invitations=frame(_invitations(truth, day), ("date", "source", "channel", "team", "delivered", "answered")),
        issues=frame(issue_rows(contacts(truth), day, as_of), (*ISSUE_DIMENSIONS, *ISSUE_FACTS)),
        linkable=frame(
            (
                {**of_contact(contact, day), "linked": contact.customer is not None}
                for contact in contacts(truth)
                if contact.is_contact
            ),
            (*ISSUE_DIMENSIONS, "linked"),
        ),
    )


def contacts(truth: dict[str, list[Row]]) -> list[Contact]:
    """Calls and tickets as the systems show them: a caller is known by the number of somebody who has a ticket."""
    known = {ticket["customer"] for ticket in truth["tickets"]}
    made: dict[str, Contact] = {}
    for call in truth["calls"]:
        name = f"call-asterisk-{call['call_id']}"
        who = ("reference", call["customer"]) if call["customer"] in known else ("phone", call["phone"])
        made[name] = Contact(
            name,
            who,
            0.8,
            call["team"],
            "voice",
            _instant(call["entered_at"]),
            _instant(call["ended_at"]),
            "asterisk",
            f"asterisk-{call['first_queue']}",
            is_human=call["outcome"] == "answered",
            transferred=call["transferred"],
        )
    for ticket in truth["tickets"]:
        if ticket["excluded"] not in (None, "merged"):
            continue
        life = _life(ticket)
        solved = life["last_solved_at"]
        name = f"ticket-zendesk-{ticket['ticket_id']}"
        made[name] = Contact(
            name,
            ("reference", ticket["customer"]),
            1.0,
            ticket["team"] or "none",
            ticket["channel"],
            _instant(ticket["created_at"]),
            _instant(solved) if solved else _instant(ticket["created_at"]) if ticket["excluded"] else None,
            "zendesk",
            is_contact=ticket["created_by"] != "agent",
            is_human=life["replies"] > 0,
            transferred=life["moves"] > 0,
            reopened=life["reopened"],
            is_open=not solved and not ticket["excluded"],
            solved=bool(solved),
            hangs_on=f"ticket-zendesk-{ticket['follow_up_of']}" if ticket["follow_up_of"] else None,
        )
        call = made.get(f"call-asterisk-{ticket['call_id']}")
        if call is not None and made[name].started - call.started <= timedelta(days=1):
            call.hangs_on = name
    return list(made.values())


ISSUE_DIMENSIONS = ("date", "source", "channel", "team", "queue")
ISSUE_FACTS = ("contacts", "channels", "due", "resolved", "final", "fcr")


def of_contact(contact: Contact, day: Any) -> Row:
    """Where a contact is booked."""
    return {
        "date": day(contact.started.isoformat()),
        "source": contact.source,
        "channel": contact.channel,
        "team": contact.team,
        "queue": contact.queue,
    }


def issue_rows(contacts: list[Contact], day: Any, as_of: datetime) -> Iterator[Row]:
    """Issues as facts, by the day of their first contact."""
    for issue in issues(contacts):
        yield {
            **of_contact(issue.first, day),
            "contacts": len(issue.inbound),
            "channels": len({contact.channel for contact in issue.inbound}),
            "due": issue.due <= as_of,
            "resolved": issue.resolved,
            "final": issue.over is not None and issue.over <= as_of,
            "fcr": issue.settled(),
        }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _seconds(start: str, end: str) -> int:
    return int((_instant(end) - _instant(start)).total_seconds())


def _contact(call: Row, day: Any) -> Row:
    answered = [visit for visit in call["visits"] if visit["outcome"] == "answered"]
    return {
        "date": day(call["entered_at"]),
        "source": "asterisk",
        "channel": "voice",
        "queue": f"asterisk-{call['visits'][0]['queue']}",
        "team": (answered or call["visits"])[0]["team"],
        "offered": True,
        "answered": bool(answered),
        "abandoned": not answered and call["visits"][-1]["outcome"] == "abandoned",
        "wait": call["wait_seconds"],
        "short": 5,
        "transferred": any(visit["transferred_to"] for visit in answered),
    }


def _legs(calls: list[Row], day: Any) -> Iterator[Row]:
    for call in calls:
        for visit in call["visits"]:
            if visit["outcome"] == "answered":
                yield {
                    "date": day(call["entered_at"]),
                    "source": "asterisk",
                    "channel": "voice",
                    "queue": f"asterisk-{visit['queue']}",
                    "team": visit["team"],
                    "talk": visit["talk_seconds"],
                    "hold": None,
                    "wrap": visit["wrap_seconds"],
                }


def _dims(life: Row, team: str | None) -> Row:
    return {"source": "zendesk", "channel": life["channel"], "team": team or "none", "priority": life["priority"]}


def _life(ticket: Row) -> Row:
    """Walk through the updates of a ticket once, in order."""
    updates: dict[int, Row] = {}
    for name in ("statuses", "teams", "agents", "priorities", "comments"):
        for entry in ticket[name]:
            updates.setdefault(entry["n"], {"at": entry["at"]})[name] = entry
    status, team, agent, priority = "new", None, None, None
    known_team = known_agent = None
    life: Row = {
        "channel": ticket["channel"], "created_at": ticket["created_at"], "created_by": ticket["created_by"],
        "first_team": None, "replied_at": None, "reply_team": None, "solved_at": None, "solve_team": None,
        "last_solved_at": None, "last_solve_team": None, "replies": 0, "moves": 0, "states": [],
    }  # fmt: skip
    solves: list[tuple[int, str]] = []
    reopens: list[tuple[int, str, str]] = []
    replies: list[int] = []
    for n in sorted(updates):
        update = updates[n]
        was_solved = status in SOLVED
        moved = False
        if "statuses" in update:
            status = update["statuses"]["value"]
        if "priorities" in update:
            priority = update["priorities"]["value"]
        if "teams" in update:
            team = update["teams"]["value"]
            moved |= bool(team and known_team and team != known_team)
            known_team = team or known_team
            life["first_team"] = life["first_team"] or team
        if "agents" in update:
            agent = update["agents"]["value"]
            moved |= bool(agent and known_agent and agent != known_agent)
            known_agent = agent or known_agent
        life["moves"] += moved
        comment = update.get("comments")
        if comment and comment["public"] and comment["by"]["kind"] == "agent" and n > 1:
            replies.append(n)
            if not life["replied_at"]:
                life["replied_at"], life["reply_team"] = update["at"], team
        if status in SOLVED and not was_solved:
            solves.append((n, update["at"]))
            life["solved_at"] = life["solved_at"] or update["at"]
            life["solve_team"] = life["solve_team"] if len(solves) > 1 else team
            life["last_solved_at"], life["last_solve_team"] = update["at"], team
        if was_solved and status not in (*SOLVED, "deleted"):
            reopens.append((n, update["at"], solves[-1][1]))
        life["states"].append((update["at"], status, team, priority))
    if status not in SOLVED:
        life["last_solved_at"] = None
    life["priority"] = ticket["priority"] or "normal"
    life["replies"] = len(replies)
    life["reopened"] = any(
        _seconds(undone, at) <= 14 * 86400 and not _is_thanks(n, at, solves, replies) for n, at, undone in reopens
    )
    return life


def _is_thanks(n: int, at: str, solves: list[tuple[int, str]], replies: list[int]) -> bool:
    after = [(m, when) for m, when in solves if m > n]
    if not after:
        return False
    again, when = after[0]
    return _seconds(at, when) <= 24 * 3600 and not any(n <= reply <= again for reply in replies)


def _piles(tickets: list[Row], day: Any, last: date) -> Iterator[Row]:
    """Every day's open tickets, one row a combination, from its first open ticket on."""
    changes: Counter[tuple[date, str, str, str]] = Counter()
    for life in tickets:
        by_day: dict[date, tuple[str, str | None, str | None]] = {}
        for at, status, team, priority in life["states"]:
            by_day[day(at)] = (status, team, priority)
        days = sorted(by_day)
        for place, when in enumerate(days):
            status, team, priority = by_day[when]
            if status in (*SOLVED, "deleted"):
                continue
            pile = (life["channel"], team or "none", priority or "normal")
            changes[(when, *pile)] += 1
            if place + 1 < len(days):
                changes[(days[place + 1], *pile)] -= 1
    for pile in sorted({key[1:] for key in changes}):
        open_tickets = 0
        when = min(key[0] for key in changes if key[1:] == pile)
        while when <= last:
            open_tickets += changes[(when, *pile)]
            channel, team, priority = pile
            yield {
                "date": when,
                "source": "zendesk",
                "channel": channel,
                "team": team,
                "priority": priority,
                "open": open_tickets,
            }
            when += timedelta(days=1)


def _answers(truth: dict[str, list[Row]], day: Any) -> Iterator[Row]:
    for rating in truth["ratings"]:
        if not rating["score"] or rating["ticket_excluded"]:
            continue
        if _seconds(rating["offered_at"], rating["scored_at"]) > 7 * 86400:
            continue
        good = rating["score"] == "good"
        yield {
            "date": day(rating["scored_at"]),
            "source": "zendesk",
            "channel": rating["channel"],
            "team": rating["team"] or "none",
            "metric": "csat",
            "positive": good,
            "score": float(good),
            "group": None,
        }
    for response in truth["responses"]:
        if response["verdict"] != "counted":
            continue
        common = {
            "date": day(response["recorded_at"]),
            "source": "qualtrics",
            "channel": "voice",
            "team": response["team"],
        }
        if response["csat"] is not None:
            yield {
                **common,
                "metric": "csat",
                "positive": response["csat"] >= 4,
                "score": (response["csat"] - 1) / 4,
                "group": None,
            }
        if response["nps"] is not None:
            yield {
                **common,
                "metric": "nps",
                "positive": False,
                "score": None,
                "group": "promoter" if response["nps"] >= 9 else "detractor" if response["nps"] <= 6 else "passive",
            }


def _invitations(truth: dict[str, list[Row]], day: Any) -> Iterator[Row]:
    for rating in truth["ratings"]:
        if rating["ticket_excluded"]:
            continue
        yield {
            "date": day(rating["offered_at"]),
            "source": "zendesk",
            "channel": rating["channel"],
            "team": rating["team"] if rating["score"] else rating["team_when_offered"],
            "delivered": True,
            "answered": bool(rating["score"]) and _seconds(rating["offered_at"], rating["scored_at"]) <= 7 * 86400,
        }
    for invitation in truth["invitations"]:
        if invitation["outcome"] != "delivered":
            continue
        yield {
            "date": day(invitation["sent_at"]),
            "source": "qualtrics",
            "channel": "voice",
            "team": invitation["team"],
            "delivered": True,
            "answered": invitation["answered"],
        }

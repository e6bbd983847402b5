"""The simulator's own truth as facts: every rule of counting applied here a second time, in Python."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from kefu.emulators.zendesk_account import Account
from kefu.settings import Parameters
from kefu.simulator.zendesk import HOLIDAYS, LONG_SCHEDULE, SCHEDULE
from tests.dbt.business_oracle import OpenTime, Version
from tests.dbt.stitching import Contact, issues
from tests.end_to_end import centre_people, centre_voice, freshness, reconciled, sla_truth, voice
from tests.end_to_end.centre_credits import call_shares, ticket_shares
from tests.end_to_end.independent import CLOCKS, Facts, frame

SOLVED = ("solved", "closed")
# which of the invented teams are what; kefu.toml says it of real ones
FIRST_LEVEL, OUTSIDE = ("returns", "orders", "key_accounts"), ("payments",)
DEFAULTS = Parameters()  # the rules of the invented centre; raw rows are also counted under others
Row = dict[str, Any]


def facts(
    truth: dict[str, list[Row]],
    zone: str,
    as_of: datetime,
    account: Path,
    telephone_hours: Callable[[str], OpenTime | None] = lambda team: None,
) -> Facts:
    """Facts of the invented centre; reporting days of ``zone``, backlog up to the last day any ticket changed.

    ``account``: the folder with the state of the ticketing system, where its policies and schedules are.
    ``telephone_hours``: when a team's telephone is open, if kefu.toml says so.
    """
    local, voiced = ZoneInfo(zone), _voiced(truth)

    def day(text: str) -> date:
        return _instant(text).astimezone(local).date()

    hours = _hours(zone, as_of)
    tickets = [_life(ticket, hours) for ticket in truth["tickets"] if not ticket["excluded"]]
    last_change = max(
        day(entry["at"]) for ticket in truth["tickets"] for entry in (*ticket["statuses"], *ticket["comments"])
    )
    made = dict(
        **voice.frames(centre_voice.contacts(truth["calls"]), voice.Rules(local, as_of, Parameters(), telephone_hours)),
        **ticket_frames(tickets, day, list(_piles(tickets, day, last_change)), FIRST_LEVEL, OUTSIDE),
        answers=frame(
            _answers(truth, day),
            (
                "date",
                "at",
                "source",
                "channel",
                "team",
                "survey",
                "opening",
                "metric",
                "box",
                "score",
                "group",
                "weight",
            ),
        ),
        ratings=frame(_bad_ratings(truth, day), ("date", "source", "channel", "team", "recovered", "weight")),
        invitations=frame(
            _invitations(truth, day), ("date", "source", "channel", "team", "sent", "delivered", "answered")
        ),
        clocks=frame(sla_truth.clocks(truth, account, as_of, day), CLOCKS),
        issues=frame(issue_rows(contacts(truth), day, as_of, _said(truth)), (*ISSUE_DIMENSIONS, *ISSUE_FACTS)),
        linkable=frame(
            (
                {
                    **of_contact(contact, day),
                    "linked": contact.customer is not None,
                    "voiced": contact.id in voiced,
                }
                for contact in contacts(truth)
                if contact.is_contact
            ),
            (*ISSUE_DIMENSIONS, "linked", "voiced"),
        ),
        reconciled=frame(_reconciled(truth, hours, day, as_of, account), reconciled.COLUMNS),
        **centre_people.frames(truth, zone, as_of, day),
    )
    return Facts(**made, ages=freshness.ages(made, local, as_of))


def _reconciled(
    truth: dict[str, list[Row]], hours: dict[int, OpenTime], day: Callable[[str], date], as_of: datetime, account: Path
) -> Iterator[Row]:
    """The vendor's figures, as the emulator works them out of the account's own events, against the truth."""
    vendor, until = Account(account), int(as_of.timestamp())
    tickets = {ticket["ticket_id"]: ticket for ticket in truth["tickets"]}
    told = []
    for version in vendor.tickets(until):
        ticket = tickets.get(version.id)
        metrics = vendor.ticket(version, until, "", metric_sets=True).get("metric_set")
        if ticket is not None and metrics is not None:
            at = datetime.fromtimestamp(version.at, UTC)
            told.append(reconciled.Told(ticket, _life(ticket, hours), metrics, at))
    return reconciled.rows(told, hours, day, as_of)


def ticket_frames(
    lives: list[Row],
    day: Callable[[str], date],
    piles: list[Row],
    first_level: Collection[str],
    outside: Collection[str],
) -> dict[str, pd.DataFrame]:
    """Tickets that count as facts, each booked on the day it happened and to the team that had the ticket then.

    ``first_level`` are the teams of level 1, ``outside`` those of other departments; without any nothing is known.
    """
    return {
        "levelled": frame(
            (
                {**_dims(life, life["first_team"]), "date": day(life["solved_at"]), **_level(life, first_level)}
                for life in lives
                if life["solved_at"] and first_level
            ),
            ("date", "source", "channel", "team", "priority", "first_level", "escalated"),
        ),
        "created": frame(
            (
                {
                    **_dims(life, life["first_team"]),
                    "date": day(life["created_at"]),
                    "at": _instant(life["created_at"]),
                    "unreplied": not life["replied_at"] and life["created_by"] != "agent",
                }
                for life in lives
            ),
            ("date", "at", "source", "channel", "team", "priority", "unreplied"),
        ),
        "replied": frame(
            (
                {
                    **_dims(life, life["reply_team"]),
                    "date": day(life["replied_at"]),
                    "at": _instant(life["replied_at"]),
                    "seconds": _seconds(life["created_at"], life["replied_at"]),
                    "business": life["business"](life["created_at"], life["replied_at"]),
                }
                for life in lives
                if life["replied_at"] and life["created_by"] != "agent"
            ),
            ("date", "at", "source", "channel", "team", "priority", "seconds", "business"),
        ),
        "first_replies": frame(
            (
                {
                    **_dims(life, life["reply_team"]),
                    "date": day(life["replied_at"]),
                    "by_agent": life["created_by"] == "agent",
                    **_clocks_since(life, life["created_at"], life["replied_at"]),
                    **_clocks_since(life, life["asked_last"], life["replied_at"], "_last"),
                }
                for life in lives
                if life["replied_at"]
            ),
            (
                "date",
                "source",
                "channel",
                "team",
                "priority",
                "by_agent",
                "seconds",
                "business",
                "seconds_last",
                "business_last",
            ),
        ),
        "solved": frame(
            (
                {
                    **_dims(life, life["solve_team"]),
                    "date": day(life["solved_at"]),
                    "at": _instant(life["solved_at"]),
                    "seconds": _seconds(life["created_at"], life["solved_at"]),
                    "business": life["business"](life["created_at"], life["solved_at"]),
                    "reopened": life["reopened"],
                    "one_touch": life["replies"] == 1,
                    "reassignments": life["moves"],
                    "reopens": life["reopens"],
                    "group_hops": life["hops"],
                    "repliers": len(life["repliers"]),
                    **{name: life[name] for name in ("replies", "undone", "solves", "messages", "wrote_again")},
                    "writers": len(life["writers"]),
                    "is_solved": life["last_solved_at"] is not None,
                    **_pending(life),
                }
                for life in lives
                if life["solved_at"]
            ),
            (
                "date",
                "at",
                "source",
                "channel",
                "team",
                "priority",
                "seconds",
                "business",
                "reopened",
                "one_touch",
                "reassignments",
                "reopens",
                "group_hops",
                "repliers",
                "replies",
                "undone",
                "solves",
                "messages",
                "wrote_again",
                "writers",
                "is_solved",
                "pending",
                "pending_business",
            ),
        ),
        "resolved": frame(
            (
                {
                    **_dims(life, life["last_solve_team"]),
                    "date": day(life["last_solved_at"]),
                    "at": _instant(life["last_solved_at"]),
                    "seconds": _seconds(life["created_at"], life["last_solved_at"]),
                    "business": life["business"](life["created_at"], life["last_solved_at"]),
                    "outside": _time_outside(life, outside) if outside else None,
                    **_waits(life),
                }
                for life in lives
                if life["last_solved_at"]
            ),
            (
                "date",
                "at",
                "source",
                "channel",
                "team",
                "priority",
                "seconds",
                "business",
                "outside",
                "requester_wait",
                "requester_wait_business",
                "agent_wait",
                "agent_wait_business",
            ),
        ),
        "turns": frame(
            (
                {
                    **_dims(life, turn["team"]),
                    "priority": turn["priority"] or "normal",
                    "date": day(turn["at"]),
                    "at": _instant(turn["at"]),
                    "seconds": _seconds(turn["since"], turn["at"]),
                    "business": life["business"](turn["since"], turn["at"]),
                    "first": turn["first"] and life["created_by"] != "agent",
                    **_clocks_since(life, turn["since_last"], turn["at"], "_last"),
                }
                for life in lives
                for turn in life["turns"]
            ),
            (
                "date",
                "at",
                "source",
                "channel",
                "team",
                "priority",
                "seconds",
                "business",
                "first",
                "seconds_last",
                "business_last",
            ),
        ),
        "piles": frame(piles, ("date", "source", "channel", "team", "priority", "open", "ages", "recent", "days")),
    }


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
        life = _life(ticket, {})
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


def _voiced(truth: dict[str, list[Row]]) -> set[str]:
    """Contacts that anything was said of, by whoever could say it: previews and tests are nobody's."""
    rated = {f"ticket-zendesk-{rating['ticket_id']}" for rating in truth["ratings"] if rating["score"]}
    asked = {
        f"call-asterisk-{response['call_id']}"
        for response in truth["responses"]
        if response["call_id"] and (response["csat"], response["nps"]) != (None, None)
    }
    return rated | asked


def _said(truth: dict[str, list[Row]]) -> dict[str, tuple[Any, bool]]:
    """By contact, what its customer said last of whether it was solved the first time, and when; if it counts."""
    said: dict[str, tuple[Any, bool]] = {}
    for response in truth["responses"]:
        if response["verdict"] == "counted" and response["solved"] is not None:
            given = (_instant(response["recorded_at"]), response["response_id"]), response["solved"]
            name = f"call-asterisk-{response['call_id']}"
            said[name] = max(said.get(name, given), given)
    return said


ISSUE_DIMENSIONS = ("date", "source", "channel", "team", "queue")
ISSUE_FACTS = (
    "contacts", "channels", "due", "resolved", "final", "fcr", "confirmed", "fcr_in_seven_days", "transferred",
)  # fmt: skip


def of_contact(contact: Contact, day: Any) -> Row:
    """Where a contact is booked."""
    return {
        "date": day(contact.started.isoformat()),
        "source": contact.source,
        "channel": contact.channel,
        "team": contact.team,
        "queue": contact.queue,
    }


def issue_rows(
    contacts: list[Contact],
    day: Any,
    as_of: datetime,
    said: Mapping[str, tuple[Any, bool]] | None = None,
    rules: Parameters = DEFAULTS,
) -> Iterator[Row]:
    """Issues as facts, by the day of their first contact; ``said`` is, by contact, what its customer said last of
    whether it was solved the first time, and when."""
    window = (rules.fcr_window_days, rules.fcr_window_days_mail)
    for issue in issues(contacts, window, float(rules.issue_match_confidence)):
        given = [(said or {})[contact.id] for contact in issue.contacts if contact.id in (said or {})]
        yield {
            **of_contact(issue.first, day),
            "contacts": len(issue.inbound),
            "channels": len({contact.channel for contact in issue.inbound}),
            "due": issue.due <= as_of,
            "resolved": issue.resolved,
            "final": issue.over is not None and issue.over <= as_of,
            "fcr": issue.settled(),
            "confirmed": max(given)[1] if given else None,
            "fcr_in_seven_days": issue.settled(7),
            "transferred": any(contact.transferred for contact in issue.contacts),
        }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _seconds(start: str, end: str) -> int:
    return int((_instant(end) - _instant(start)).total_seconds())


def _dims(life: Row, team: str | None) -> Row:
    return {"source": "zendesk", "channel": life["channel"], "team": team or "none", "priority": life["priority"]}


def _hours(zone: str, as_of: datetime) -> dict[int, OpenTime]:
    """When each schedule is open: with a break for lunch, and round the day without holidays."""
    office = dict.fromkeys(range(1, 6), ((540, 720), (780, 1080))) | dict.fromkeys((6, 7), ((600, 1020),))
    closed = tuple(
        (first + timedelta(days=n), (0, 1440))
        for year in (as_of.year, as_of.year + 1)
        for first, last in ((date(year, *begin), date(year, *end)) for _, begin, end in HOLIDAYS)
        for n in range((last - first).days + 1)
    )
    begin, end = int((as_of - timedelta(days=400)).timestamp()), int((as_of + timedelta(days=30)).timestamp())
    return {
        SCHEDULE: OpenTime((Version(0, zone, office, closed),), begin, end),
        LONG_SCHEDULE: OpenTime((Version(0, zone, dict.fromkeys(range(1, 8), ((480, 1320),))),), begin, end),
    }


def _business(ticket: Row, hours: dict[int, OpenTime]) -> Callable[[str, str], int]:
    """Open seconds between two instants of a ticket, under whatever schedule it had."""
    since = [int(_instant(entry["at"]).timestamp()) for entry in ticket["schedules"]]
    spells = list(zip([0, *since[1:]], [*since[1:], 2**40], (e["value"] for e in ticket["schedules"]), strict=True))

    def between(start: str, end: str) -> int:
        a, b = (int(_instant(text).timestamp()) for text in (start, end))
        return sum(
            hours[schedule].between(max(a, begin), min(b, until))
            for begin, until, schedule in spells
            if max(a, begin) < min(b, until)
        )

    return between


def _level(life: Row, first_level: Collection[str]) -> Row:
    """Whether level 1 had a ticket until it was first solved, or gave it away."""
    owners = []
    for _, status, team, _ in life["states"]:
        owners += [team] if team else []
        if status in SOLVED:
            break
    since = next((owners[place:] for place, team in enumerate(owners) if team in first_level), [])
    stayed = all(team in first_level for team in since)
    return {"first_level": bool(since) and stayed, "escalated": not stayed}


def _time_outside(life: Row, outside: Collection[str]) -> int:
    """Seconds another department had a ticket while it was not solved."""
    return sum(
        _seconds(begin, end)
        for (begin, status, team, _), (end, *_) in itertools.pairwise(life["states"])
        if team in outside and status not in (*SOLVED, "deleted") and end <= life["last_solved_at"]
    )


def _clocks_since(life: Row, since: str | None, at: str, what: str = "") -> Row:
    """Calendar and business seconds from an instant, if there is one, to another."""
    return {
        f"seconds{what}": _seconds(since, at) if since else None,
        f"business{what}": life["business"](since, at) if since else None,
    }


def _pending(life: Row) -> Row:
    """How long it waited for the customer before it was first solved."""
    spells = [
        (begin, end)
        for (begin, status, *_), (end, *_) in itertools.pairwise(life["states"])
        if status == "pending" and end <= life["solved_at"]
    ]
    is_known = life["business"](life["created_at"], life["solved_at"]) is not None
    return {
        "pending": sum(_seconds(*spell) for spell in spells),
        "pending_business": sum(life["business"](*spell) for spell in spells) if is_known else None,
    }


def _waits(life: Row) -> Row:
    """How long the customer waited for us, and we for the customer, until it was solved for good."""
    is_known = life["business"](life["created_at"], life["last_solved_at"]) is not None
    calendar, business = Counter[str](), Counter[str]()
    for (begin, status, *_), (end, *_) in itertools.pairwise(life["states"]):
        if status not in (*SOLVED, "deleted"):
            name = "agent_wait" if status == "pending" else "requester_wait"
            calendar[name] += _seconds(begin, end)
            business[name] += life["business"](begin, end) if is_known else 0
    names = ("requester_wait", "agent_wait")
    return {name: calendar[name] for name in names} | {
        f"{name}_business": business[name] if is_known else None for name in names
    }


def _life(ticket: Row, hours: dict[int, OpenTime], rules: Parameters = DEFAULTS) -> Row:
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
        "last_solved_at": None, "last_solve_team": None, "replies": 0, "moves": 0, "hops": 0, "states": [],
        "turns": [], "repliers": set(), "writers": set(), "messages": 0, "wrote_again": 0, "asked_last": None,
        "business": _business(ticket, hours),
    }  # fmt: skip
    asked = last_asked = None
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
            life["hops"] += bool(team and known_team and team != known_team)
            known_team = team or known_team
            life["first_team"] = life["first_team"] or team
        if "agents" in update:
            agent = update["agents"]["value"]
            moved |= bool(agent and known_agent and agent != known_agent)
            known_agent = agent or known_agent
        life["moves"] += moved
        comment = update.get("comments")
        if comment and comment["public"] and comment["by"]["kind"] == "customer":
            asked, last_asked = asked or update["at"], update["at"]
            life["wrote_again"] += n > 1
        if comment and comment["by"]["kind"] == "agent":
            life["writers"].add(str(comment["by"]))
            life["messages"] += comment["public"]
        if comment and comment["public"] and comment["by"]["kind"] == "agent" and n > 1:
            if asked:
                turn = {"since": asked, "at": update["at"], "team": team, "priority": priority, "first": not replies}
                life["turns"].append({**turn, "since_last": last_asked})
            asked = None
            life["repliers"].add(str(comment["by"]))
            replies.append(n)
            if not life["replied_at"]:
                life["replied_at"], life["reply_team"] = update["at"], team
                life["asked_last"] = last_asked
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
    thanks, late = rules.thanks_window_seconds, rules.reopen_window_days * 86400
    real = [(at, undone) for n, at, undone in reopens if not _is_thanks(n, at, solves, replies, thanks)]
    life["reopens"] = len(real)
    life["undone"], life["solves"] = len(reopens), len(solves)
    life["reopened"] = any(_seconds(undone, at) <= late for at, undone in real)
    return life


def _is_thanks(n: int, at: str, solves: list[tuple[int, str]], replies: list[int], window: int) -> bool:
    after = [(m, when) for m, when in solves if m > n]
    if not after:
        return False
    again, when = after[0]
    return _seconds(at, when) <= window and not any(n <= reply <= again for reply in replies)


def _piles(tickets: list[Row], day: Any, last: date, rules: Parameters = DEFAULTS) -> Iterator[Row]:
    """Every day's open tickets with their ages, and what was solved of late, one row a combination."""
    lying: dict[tuple[date, tuple[str, str, str]], list[int]] = {}
    solves: Counter[tuple[date, tuple[str, str, str]]] = Counter()
    seen: set[date] = set()
    for life in tickets:
        by_day: dict[date, tuple[str, str | None, str | None]] = {}
        for at, status, team, priority in life["states"]:
            by_day[day(at)] = (status, team, priority)
        seen |= by_day.keys()
        created = day(life["created_at"])
        was_open = True
        for when, until in itertools.pairwise([*sorted(by_day), last + timedelta(days=1)]):
            status, team, priority = by_day[when]
            pile = (life["channel"], team or "none", priority or "normal")
            if status in SOLVED:
                solves[when, pile] += was_open
            was_open = status not in (*SOLVED, "deleted")
            for n in range((until - when).days if was_open else 0):
                at_end = when + timedelta(days=n)
                lying.setdefault((at_end, pile), []).append(max((at_end - created).days, 0))
    for pile in sorted({pile for _, pile in (*lying, *solves)}):
        when = min(day for day, name in (*lying, *solves) if name == pile)
        while when <= last:
            ages = lying.get((when, pile), [])
            channel, team, priority = pile
            yield {
                "date": when,
                "source": "zendesk",
                "channel": channel,
                "team": team,
                "priority": priority,
                "open": len(ages),
                "ages": tuple(ages),
                "recent": sum(solves[when - timedelta(days=n), pile] for n in range(rules.backlog_rate_days)),
                "days": min(rules.backlog_rate_days, (when - min(seen)).days + 1),
            }
            when += timedelta(days=1)


def _answers(truth: dict[str, list[Row]], day: Any) -> Iterator[Row]:
    shares = _Shares(truth)
    for rating in truth["ratings"]:
        score = _in_time(rating)
        if score is None or rating["ticket_excluded"]:
            continue
        good = score["score"] == "good"
        for team, weight in shares.of_ticket(rating["ticket_id"], score["at"]):
            yield {
                "date": day(score["at"]),
                "at": _instant(score["at"]),
                "source": "zendesk",
                "channel": rating["channel"],
                "team": team,
                "weight": weight,
                "survey": "zendesk-ticket-rating",
                "opening": shares.opening(rating["ticket_id"]),
                "metric": "csat",
                "box": "top" if good else "bottom",
                "score": float(good),
                "group": None,
            }
    for response in truth["responses"]:
        if response["verdict"] != "counted":
            continue
        for team, weight in shares.of_call(response["call_id"]):
            common = {
                "date": day(response["recorded_at"]),
                "at": _instant(response["recorded_at"]),
                "source": "qualtrics",
                "channel": "voice",
                "team": team,
                "weight": weight,
                "survey": f"qualtrics-{response['survey_id']}",
                "opening": "none",
            }
            if response["csat"] is not None:
                score = (response["csat"] - 1) / 4
                yield {**common, "metric": "csat", "box": _box(response["csat"]), "score": score, "group": None}
            if response["nps"] is not None:
                group = "promoter" if response["nps"] >= 9 else "detractor" if response["nps"] <= 6 else "passive"
                yield {**common, "metric": "nps", "box": None, "score": None, "group": group}
            if response["solved"] is not None:
                box = "top" if response["solved"] else "bottom"
                yield {**common, "metric": "fcr", "box": box, "score": float(response["solved"]), "group": None}


def _box(csat: int) -> str:
    return "top" if csat >= 4 else "bottom" if csat <= 2 else "middle"


class _Shares:
    """The teams' shares of ratings; what no contact is known of cannot be shared, and all of these are known."""

    def __init__(self, truth: dict[str, list[Row]]) -> None:
        self._tickets = {ticket["ticket_id"]: ticket for ticket in truth["tickets"]}
        self._calls = {call["call_id"]: call for call in truth["calls"]}
        writers = [comment["by"] for ticket in truth["tickets"] for comment in ticket["comments"]]
        self._ids = {who["name"]: f"zendesk-{who['user_id']}" for who in writers if who["kind"] == "agent"}

    def of_ticket(self, ticket_id: int, until: str) -> Iterable[tuple[str, Decimal]]:
        return ticket_shares(self._tickets[ticket_id], until, self._ids).items()

    def opening(self, ticket_id: int) -> str:
        """The priority a customer's ticket came with: what its first update set."""
        ticket = self._tickets[ticket_id]
        first = [entry["value"] for entry in ticket["priorities"] if entry["n"] == 1]
        return (first[-1] if first and ticket["created_by"] != "agent" else None) or "none"

    def of_call(self, call_id: str) -> Iterable[tuple[str, Decimal]]:
        return call_shares(self._calls[call_id]).items()


def _in_time(rating: Row) -> Row | None:
    """The last score a customer gave within seven days, also if another one came later (E07)."""
    within = [one for one in rating["scores"] if _seconds(rating["offered_at"], one["at"]) <= 7 * 86400]
    return within[-1] if within else None


def _bad_ratings(truth: dict[str, list[Row]], day: Any) -> Iterator[Row]:
    """Every bad rating, also one that was taken back or came late, and whether the customer's next one was good."""
    shares = _Shares(truth)
    customers = {ticket["ticket_id"]: ticket["customer"] for ticket in truth["tickets"]}
    asked = {invitation["invitation_id"]: invitation["customer"] for invitation in truth["invitations"]}
    told: dict[str, list[tuple[str, str, Row]]] = {}
    for rating in truth["ratings"]:
        if not rating["ticket_excluded"]:
            for score in rating["scores"]:
                box = "top" if score["score"] == "good" else "bottom"
                told.setdefault(customers[rating["ticket_id"]], []).append((score["at"], box, rating))
    for response in truth["responses"]:
        if response["verdict"] in ("counted", "superseded", "too_late"):
            customer = asked[response["invitation_id"]]
            told.setdefault(customer, []).append((response["recorded_at"], _box(response["csat"]), response))
    for ratings in told.values():
        ratings.sort(key=lambda one: one[0])
        for (at, box, row), following in zip(ratings, [*ratings[1:], None], strict=True):
            if box != "bottom":
                continue
            is_call = "call_id" in row
            parts = shares.of_call(row["call_id"]) if is_call else shares.of_ticket(row["ticket_id"], at)
            for team, weight in parts:
                yield {
                    "date": day(at),
                    "source": "qualtrics" if is_call else "zendesk",
                    "channel": "voice" if is_call else row["channel"],
                    "team": team,
                    "weight": weight,
                    "recovered": following is not None and following[1] == "top",
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
            "sent": True,
            "delivered": True,
            "answered": _in_time(rating) is not None,
        }
    for invitation in truth["invitations"]:
        yield {
            "date": day(invitation["sent_at"]),
            "source": "qualtrics",
            "channel": "voice",
            "team": invitation["team"],
            "sent": invitation["outcome"] != "suppressed",
            "delivered": invitation["outcome"] == "delivered",
            "answered": invitation["answered"],
        }

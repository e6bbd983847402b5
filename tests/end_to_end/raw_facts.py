"""Facts from raw rows: the sources' own tables read with plain Python, sharing no code and no SQL with the models.

Of each kind of source only what `independent` counts is read. What a frame of `Facts` needs and is not made here stays
None, and `tests/golden/test_agreement.py` names the KPIs that rest on it.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql
from psycopg.rows import dict_row

from kefu import warehouse
from kefu.settings import Settings
from tests.end_to_end import raw_issues, raw_sla, raw_surveys, raw_tickets
from tests.end_to_end.centre_truth import ISSUE_DIMENSIONS, ISSUE_FACTS
from tests.end_to_end.independent import CLOCKS, Facts, frame

Row = dict[str, Any]
Raw = dict[str, dict[str, list[Row]]]  # by source and table

TALK_ENDS = ("COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER")
WAIT_ENDS = {
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "overflowed",
    "EXITWITHKEY": "overflowed",
    "EXITEMPTY": "closed",
}
QUEUED = ("answered", "abandoned", "callback_requested", "voicemail", "overflowed", "closed")


@dataclasses.dataclass(frozen=True)
class Centre:
    """What of the configuration decides how raw rows count."""

    zone: ZoneInfo
    as_of: datetime
    teams: dict[tuple[str, str], str]
    short: int
    short_chat: int
    survey_days: int

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def team(self, source: str, member: str | None, fallback: str | None = None) -> str:
        """The organisation's team of what a source calls one; else the source's own."""
        if member is None:
            return "none"
        return self.teams.get((source, member), f"{source}-{fallback or member}")


def facts(settings: Settings, as_of: datetime) -> Facts:
    """Everything `independent` counts, from what is in raw now, as of an instant."""
    raw = read(settings)
    centre = Centre(
        zone=ZoneInfo(settings.reporting_zone),
        as_of=as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC),
        teams={
            (source, member): team.id
            for team in settings.teams
            for source, members in team.members.items()
            for member in members
        },
        short=settings.parameters.short_abandon_seconds,
        short_chat=settings.parameters.short_abandon_seconds_chat,
        survey_days=settings.parameters.survey_window_days,
    )
    contacts, legs = [*_log_contacts(raw, centre)], [*_log_legs(raw, centre)]
    for source in raw:
        if "calls" in raw[source]:
            contacts += _exported_contacts(source, raw[source]["calls"], centre)
            legs += _exported_legs(source, raw[source]["calls"], centre)
    tickets, hours = raw_tickets.tickets(raw, centre), raw_tickets.open_hours(raw, centre)
    stitched = raw_issues.contacts(raw, tickets, centre)
    sheets = [
        *raw_surveys.rating_sheets(raw, tickets, centre),
        *raw_surveys.response_sheets(raw, tickets, legs, centre),
    ]
    made = {
        "contacts": frame(
            contacts,
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
        "legs": frame(legs, ("date", "source", "channel", "queue", "team", "talk", "hold", "wrap")),
        **raw_tickets.frames(tickets, hours, centre),
        "clocks": frame(raw_sla.clocks(raw, tickets, hours, centre), CLOCKS),
        "answers": frame(
            raw_surveys.answers(sheets, centre),
            ("date", "source", "channel", "team", "survey", "segment", "metric", "box", "score", "group", "weight"),
        ),
        "ratings": frame(
            raw_surveys.ratings(sheets, raw_issues.people(raw), centre),
            ("date", "source", "channel", "team", "survey", "segment", "recovered", "weight"),
        ),
        "invitations": frame(
            raw_surveys.invitations(raw, tickets, sheets, centre),
            ("date", "source", "channel", "team", "survey", "segment", "sent", "delivered", "answered"),
        ),
        "issues": frame(raw_issues.issues(stitched, centre), (*ISSUE_DIMENSIONS, *ISSUE_FACTS)),
        "linkable": frame(raw_issues.linkable(stitched, centre), (*ISSUE_DIMENSIONS, "linked")),
    }
    return Facts(**{one.name: made.get(one.name) for one in dataclasses.fields(Facts)})  # type: ignore[arg-type]


def read(settings: Settings) -> Raw:
    """Every row of every raw table."""
    found: Raw = defaultdict(dict)
    with warehouse.connect(settings, "loader", row_factory=dict_row) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_type = 'BASE TABLE' and table_schema like 'raw\\_%'"
            " and table_name not in ('quarantine', 'removed')"
        ).fetchall()
        for one in tables:
            schema, table = one["table_schema"], one["table_name"]
            rows = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, table))).fetchall()
            if rows:
                found[schema.removeprefix("raw_")][table] = rows
    return found


def _seconds(start: datetime, end: datetime) -> int:
    """Whole seconds by the clock: fractions are cut off before."""
    return math.floor(end.timestamp()) - math.floor(start.timestamp())


# --- a queue log -----------------------------------------------------------------------------------------------------


def _visits(raw: Raw) -> dict[str, list[list[Row]]]:
    """The lines of each call, in order, cut where it entered a queue."""
    calls: dict[str, list[list[Row]]] = defaultdict(list)
    lines = sorted(
        raw.get("asterisk", {}).get("queue_log", []),
        key=lambda line: (line["occurred_at"], line["file_id"], line["byte_offset"]),
    )
    for line in lines:
        if line["callid"] in (None, "NONE"):
            continue
        if line["event"] == "ENTERQUEUE" or not calls[line["callid"]]:
            calls[line["callid"]].append([])
        calls[line["callid"]][-1].append(line)
    return calls


def _figure(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _visit(lines: list[Row]) -> Row:
    """What became of one wait, and of the talk it led to."""
    entered = next((line for line in lines if line["event"] == "ENTERQUEUE"), lines[0])
    connect = next((line for line in lines if line["event"] == "CONNECT"), None)
    left = next((line for line in lines if line["event"] in WAIT_ENDS), None)
    ended = next((line for line in lines if line["event"] in TALK_ENDS), None)
    talk: int | None = None
    if connect is not None:
        outcome = "answered"
        wait = _figure(connect["data1"])
        wait = _seconds(entered["occurred_at"], connect["occurred_at"]) if wait is None else wait
        if ended is not None:
            talk = _figure(ended["data2"]) if ended["event"].startswith("COMPLETE") else None
            talk = _seconds(connect["occurred_at"], ended["occurred_at"]) if talk is None else talk
    elif left is not None:
        outcome = WAIT_ENDS[left["event"]]
        said = _figure(left["data3"]) if left["event"] in ("ABANDON", "EXITWITHTIMEOUT") else None
        wait = _seconds(entered["occurred_at"], left["occurred_at"]) if said is None else said
    else:
        outcome, wait = "unfinished", None
    return {
        "queue": entered["queue"],
        "outcome": outcome,
        "wait": wait,
        "talk": talk,
        "agent": connect["agent"] if connect else None,
        "ended": ended,
        "began": connect["occurred_at"] if connect else None,
        "transferred": ended is not None and "TRANSFER" in ended["event"],
    }


def _log_contacts(raw: Raw, centre: Centre) -> Iterator[Row]:
    for visits in _visits(raw).values():
        began = min(line["occurred_at"] for lines in visits for line in lines)
        if began > centre.as_of:
            continue
        told = [_visit(lines) for lines in visits]
        place = next((number for number, one in enumerate(told) if one["outcome"] == "answered"), None)
        waits = [one["wait"] for one in (told if place is None else told[: place + 1]) if one["wait"] is not None]
        yield {
            "date": centre.day(began),
            "source": "asterisk",
            "channel": "voice",
            "queue": f"asterisk-{told[0]['queue']}",
            "team": centre.team("asterisk", told[place or 0]["queue"]),
            "offered": True,
            "answered": place is not None,
            "abandoned": place is None and told[-1]["outcome"] == "abandoned",
            "wait": sum(waits) if waits else None,
            "short": centre.short,
            "transferred": any(one["transferred"] for one in told),
        }


def _log_legs(raw: Raw, centre: Centre) -> Iterator[Row]:
    lines = sorted(
        raw.get("asterisk", {}).get("queue_log", []),
        key=lambda line: (line["occurred_at"], line["file_id"], line["byte_offset"]),
    )
    is_wrap = {id(line): line["event"] == "PAUSE" and (line["data1"] or "").lower() == "wrapup" for line in lines}
    is_recorded = any(is_wrap.values())
    spells: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        if line["event"] in (*TALK_ENDS, "CONNECT", "PAUSE", "UNPAUSE"):
            spells[line["agent"]].append(line)
    following = {
        id(line): spell[place + 1 : place + 3] for spell in spells.values() for place, line in enumerate(spell)
    }
    for call, visits in _visits(raw).items():
        began = min(line["occurred_at"] for some in visits for line in some)
        if began > centre.as_of:
            continue
        for told in map(_visit, visits):
            if told["talk"] is None:
                continue
            wrap: int | None = 0 if is_recorded else None
            after = following[id(told["ended"])]
            if after and is_wrap[id(after[0])]:
                ends = len(after) == 2 and after[1]["event"] == "UNPAUSE"
                wrap = _seconds(after[0]["occurred_at"], after[1]["occurred_at"]) if ends else None
            yield {
                "call": call,
                "agent": told["agent"],
                "began": told["began"],
                "date": centre.day(began),
                "source": "asterisk",
                "channel": "voice",
                "queue": f"asterisk-{told['queue']}",
                "team": centre.team("asterisk", told["queue"]),
                "talk": told["talk"],
                "hold": None,
                "wrap": wrap,
            }


# --- exported calls --------------------------------------------------------------------------------------------------


def _exported_contacts(source: str, calls: list[Row], centre: Centre) -> Iterator[Row]:
    for call in calls:
        if call["direction"] != "inbound" or call["outcome"] not in QUEUED or call["started_at"] > centre.as_of:
            continue
        answered = call["outcome"] == "answered"
        wait = call["wait_seconds"]
        until = call["answered_at"] if answered else call["ended_at"]
        if wait is None and until is not None:
            wait = _seconds(call["queued_at"] or call["started_at"], until)
        yield {
            **_exported(source, call, centre),
            "offered": True,
            "answered": answered,
            "abandoned": call["outcome"] == "abandoned",
            "wait": wait,
            "short": centre.short_chat if call["channel"] in ("chat", "messaging") else centre.short,
            "transferred": None if call["transfers"] is None else call["transfers"] > 0,
        }


def _exported(source: str, call: Row, centre: Centre) -> Row:
    return {
        "call": call["call_id"],
        "agent": call["agent"],
        "began": call["answered_at"] or call["started_at"],
        "date": centre.day(call["started_at"]),
        "source": source,
        "channel": call["channel"],
        "queue": f"{source}-{call['queue'] or 'none'}",
        "team": centre.team(source, call["team"] or call["queue"]),
    }


def _exported_legs(source: str, calls: list[Row], centre: Centre) -> Iterator[Row]:
    for call in calls:
        talk = call["talk_seconds"]
        if talk is None and call["answered_at"] and call["ended_at"]:
            talk = _seconds(call["answered_at"], call["ended_at"]) - (call["hold_seconds"] or 0)
        if call["outcome"] != "answered" or call["direction"] != "inbound" or talk is None:
            continue
        if call["started_at"] <= centre.as_of:
            yield {
                **_exported(source, call, centre),
                "talk": talk, "hold": call["hold_seconds"], "wrap": call["wrap_seconds"],
            }  # fmt: skip

"""Facts from raw rows: the sources' own tables read with plain Python, sharing no code and no SQL with the models.

Of each kind of source only what `independent` counts is read. What a frame of `Facts` needs and is not made here stays
None, and `tests/golden/test_agreement.py` names the KPIs that rest on it.
"""

from __future__ import annotations

import dataclasses
import json
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
from tests.end_to_end.centre_truth import _life, _piles
from tests.end_to_end.independent import Facts, frame

Row = dict[str, Any]
Raw = dict[str, dict[str, list[Row]]]  # by source and table

CHANNELS = {"email": "email", "web": "web", "chat": "chat", "voice": "voice", "phone": "voice", "mobile": "other"}
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
    tickets = [*_tickets(raw, centre)]
    lives = [(ticket, _life(ticket, {})) for ticket in tickets if not ticket["excluded"]]
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
        "created": frame(
            ({**_place(life, life["first_team"]), "date": centre.day(_at(life["created_at"]))} for _, life in lives),
            ("date", "source", "channel", "team", "priority"),
        ),
        "replied": frame(
            (
                {
                    **_place(life, life["reply_team"]),
                    "date": centre.day(_at(life["replied_at"])),
                    "seconds": _seconds(_at(life["created_at"]), _at(life["replied_at"])),
                }
                for _, life in lives
                if life["replied_at"] and life["created_by"] != "agent"
            ),
            ("date", "source", "channel", "team", "priority", "seconds"),
        ),
        "solved": frame(
            (
                {
                    **_place(life, life["solve_team"]),
                    "date": centre.day(_at(life["solved_at"])),
                    "seconds": _seconds(_at(life["created_at"]), _at(life["solved_at"])),
                    "reopened": life["reopened"],
                    "one_touch": life["replies"] == 1,
                    "reassignments": life["moves"],
                }
                for _, life in lives
                if life["solved_at"]
            ),
            ("date", "source", "channel", "team", "priority", "seconds", "reopened", "one_touch", "reassignments"),
        ),
        "resolved": frame(
            (
                {
                    **_place(life, life["last_solve_team"]),
                    "date": centre.day(_at(life["last_solved_at"])),
                    "seconds": _seconds(_at(life["created_at"]), _at(life["last_solved_at"])),
                }
                for _, life in lives
                if life["last_solved_at"]
            ),
            ("date", "source", "channel", "team", "priority", "seconds"),
        ),
        "piles": frame(
            _piles(
                [life for _, life in lives],
                lambda text: centre.day(_at(text)),
                max(centre.day(_at(at)) for _, life in lives for at, *_ in life["states"]),
            )
            if lives
            else [],
            ("date", "source", "channel", "team", "priority", "open"),
        ),
        "answers": frame(
            [*_ratings(raw, tickets, centre), *_submissions(raw, centre)],
            ("date", "source", "channel", "team", "survey", "segment", "metric", "positive", "score", "group"),
        ),
        "invitations": frame(
            [*_rating_invitations(raw, tickets, centre), *_invitations(raw, centre)],
            ("date", "source", "channel", "team", "survey", "segment", "delivered", "answered"),
        ),
    }
    from tests.end_to_end import raw_people

    made |= raw_people.frames(raw, settings, centre.as_of)
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


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(start: datetime, end: datetime) -> int:
    """Whole seconds by the clock: fractions are cut off before."""
    return math.floor(end.timestamp()) - math.floor(start.timestamp())


def _channel(word: str | None) -> str:
    return CHANNELS.get((word or "other").lower(), "other")


def _place(life: Row, team: str | None) -> Row:
    return {"source": "zendesk", "channel": life["channel"], "team": team or "none", "priority": life["priority"]}


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
    for visits in _visits(raw).values():
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


# --- tickets ---------------------------------------------------------------------------------------------------------


def _tickets(raw: Raw, centre: Centre) -> Iterator[Row]:
    """The account's tickets, each with its changes in order, as `centre_truth` tells of its own."""
    desk = raw.get("zendesk", {})
    roles = {user["id"]: user["role"] for user in desk.get("users", [])}
    groups = {group["id"]: group["name"] for group in desk.get("groups", [])}
    events: dict[int, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(desk.get("ticket_events", []), key=lambda row: (row["event_id"], row["child_number"])):
        if row["created_at"] <= centre.as_of:
            events[row["ticket_id"]][row["event_id"]].append(row)
    for ticket in desk.get("tickets", []):
        if ticket["created_at"] > centre.as_of:
            continue
        told: Row = {name: [] for name in ("statuses", "teams", "agents", "priorities", "comments")}
        tags = json.loads(ticket["tags"]) if isinstance(ticket["tags"], str) else ticket["tags"] or []
        for number, rows in enumerate(events[ticket["id"]].values(), start=1):
            last = {row["field"]: row for row in rows}  # set twice in one update: the last one holds
            common = {"n": number, "at": rows[0]["created_at"].isoformat()}
            automatic = any((row["via"] or "").lower() in ("rule", "trigger", "automation") for row in rows)
            for field, name in (("status", "statuses"), ("assignee_id", "agents"), ("priority", "priorities")):
                if field in last:
                    told[name].append({**common, "value": last[field]["value"] or None})
            if "group_id" in last:
                group = last["group_id"]["value"]
                team = centre.team("zendesk", groups.get(int(group)), group) if group else None
                told["teams"].append({**common, "value": team})
            if "comment" in last:
                comment = last["comment"]
                author = comment["author_id"] if comment["author_id"] is not None else comment["updater_id"]
                role = roles.get(author)
                is_bot = automatic or (comment["updater_id"] or 0) < 0
                kind = "bot" if is_bot else "agent" if role in ("agent", "admin") else "customer"
                told["comments"].append({**common, "public": bool(comment["is_public"]), "by": {"kind": kind}})
        left_out = ticket["status"] == "deleted" or {"closed_by_merge", "spam", "test"} & set(tags)
        opener = roles.get(ticket["submitter_id"])
        yield {
            **told,
            "id": ticket["id"],
            "channel": _channel(ticket["via_channel"]),
            "priority": ticket["priority"],
            "created_at": ticket["created_at"].isoformat(),
            "created_by": "agent" if opener in ("agent", "admin") else "customer",
            "excluded": bool(left_out),
        }


# --- ratings of tickets ----------------------------------------------------------------------------------------------


def _rated(raw: Raw, tickets: list[Row], centre: Centre) -> Iterator[tuple[Row, list[Row], list[Row]]]:
    """Each ticket that counts with its rating records and, of those, the answers inside the window, in order."""
    desk = raw.get("zendesk", {})
    counted = {ticket["id"]: ticket for ticket in tickets if not ticket["excluded"]}
    records: dict[int, list[Row]] = defaultdict(list)
    for rating in desk.get("satisfaction_ratings", []):
        if rating["ticket_id"] in counted and rating["score"] != "unoffered":
            records[rating["ticket_id"]].append(rating)
    for ticket_id, ratings in records.items():
        sent = min(rating["created_at"] for rating in ratings)
        answers = [
            rating
            for rating in ratings
            if rating["score"].startswith(("good", "bad"))
            and rating["updated_at"] <= centre.as_of
            and _seconds(sent, rating["updated_at"]) <= centre.survey_days * 86_400
        ]
        yield counted[ticket_id], ratings, sorted(answers, key=lambda one: (one["updated_at"], str(one["id"])))


def _rating_place(raw: Raw, ticket: Row, group: int | None, centre: Centre) -> Row:
    names = {one["id"]: one["name"] for one in raw["zendesk"].get("groups", [])}
    return {
        "source": "zendesk",
        "channel": ticket["channel"],
        "team": centre.team("zendesk", names.get(group) if group else None, str(group)),
        "survey": "zendesk-ticket-rating",
        "segment": "none",
    }


def _ratings(raw: Raw, tickets: list[Row], centre: Centre) -> Iterator[Row]:
    for ticket, _, answers in _rated(raw, tickets, centre):
        if answers:
            last = answers[-1]
            good = last["score"].startswith("good")
            yield {
                **_rating_place(raw, ticket, last["group_id"], centre),
                "date": centre.day(last["updated_at"]),
                "metric": "csat",
                "positive": good,
                "score": float(good),
                "group": None,
            }


def _rating_invitations(raw: Raw, tickets: list[Row], centre: Centre) -> Iterator[Row]:
    for ticket, ratings, answers in _rated(raw, tickets, centre):
        groups = [rating["group_id"] for rating in ratings if rating["group_id"] is not None]
        sent = min(rating["created_at"] for rating in ratings)
        if sent <= centre.as_of:
            yield {
                **_rating_place(raw, ticket, min(groups, default=None), centre),
                "date": centre.day(sent),
                "delivered": True,
                "answered": bool(answers),
            }


# --- questionnaires --------------------------------------------------------------------------------------------------


def _passed(response: Row) -> Row:
    embedded = response["embedded"]
    found: Row = json.loads(embedded) if isinstance(embedded, str) else embedded or {}
    return found


def _sent(raw: Raw, centre: Centre) -> dict[str, Row]:
    return {
        f"{one['distribution_id']}-{one['contact_id']}": one
        for one in raw.get("qualtrics", {}).get("invitations", [])
        if one["sent_at"] <= centre.as_of
    }


def _fit(raw: Raw, centre: Centre) -> Iterator[tuple[str | None, list[Row]]]:
    """Complete responses in time, by the invitation they answer (None: by none), in the order they came."""
    tables = raw.get("qualtrics", {})
    sent = _sent(raw, centre)
    named = {one["response_id"]: key for key, one in sent.items() if one["response_id"]}
    by_invitation: dict[str, list[Row]] = defaultdict(list)
    for response in tables.get("responses", []):
        if response["status"] != 0 or not response["finished"] or response["recorded_at"] > centre.as_of:
            continue
        passed = _passed(response)
        key = named.get(response["response_id"])
        if passed.get("distribution_id") and passed.get("contact_id"):
            key = f"{passed['distribution_id']}-{passed['contact_id']}"
        if key is None or key not in sent:
            yield None, [response]
        elif _seconds(sent[key]["sent_at"], response["recorded_at"]) <= centre.survey_days * 86_400:
            by_invitation[key].append(response)
    for key, responses in by_invitation.items():
        yield key, sorted(responses, key=lambda one: (one["recorded_at"], one["response_id"]))


def _submissions(raw: Raw, centre: Centre) -> Iterator[Row]:
    tables = raw.get("qualtrics", {})
    metrics = {(one["survey_id"], one["question_id"]): one["metric"] for one in tables.get("questions", [])}
    answers: dict[str, list[Row]] = defaultdict(list)
    for answer in tables.get("answers", []):
        answers[answer["response_id"]].append(answer)
    for _, responses in _fit(raw, centre):
        last = responses[-1]
        place = {
            "date": centre.day(last["recorded_at"]),
            "source": "qualtrics",
            "channel": "voice" if _passed(last).get("call_id") else "other",
            "team": centre.team("qualtrics", last["team"]),
            "survey": f"qualtrics-{last['survey_id']}",
            "segment": "none",
        }
        for answer in answers[last["response_id"]]:
            metric, value = metrics.get((answer["survey_id"], answer["question_id"])), float(answer["value"])
            if metric == "csat" and 1 <= value <= 5:
                yield {**place, "metric": metric, "positive": value >= 4, "score": (value - 1) / 4, "group": None}
            elif metric == "nps" and 0 <= value <= 10:
                group = "promoter" if value >= 9 else "detractor" if value <= 6 else "passive"
                yield {**place, "metric": metric, "positive": False, "score": None, "group": group}


def _invitations(raw: Raw, centre: Centre) -> Iterator[Row]:
    answered = {key for key, _ in _fit(raw, centre) if key}
    follows_calls = {
        one["survey_id"] for one in raw.get("qualtrics", {}).get("responses", []) if _passed(one).get("call_id")
    }
    for key, invitation in _sent(raw, centre).items():
        status = (invitation["status"] or "").lower()
        if "bounce" in status or "fail" in status or status in ("blocked", "skipped", "suppressed", "optedout"):
            continue
        yield {
            "date": centre.day(invitation["sent_at"]),
            "source": "qualtrics",
            "channel": "voice" if invitation["survey_id"] in follows_calls else "other",
            "team": centre.team("qualtrics", invitation["team"]),
            "survey": f"qualtrics-{invitation['survey_id']}",
            "segment": "none",
            "delivered": True,
            "answered": key in answered,
        }

"""Agents' time and reviews of their work from raw rows: a queue log, a ticketing system's users, exported files.

Read with plain Python, sharing no code and no SQL with the models; `people_rules` counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from kefu.settings import Settings
from tests.end_to_end import people_rules, raw_voice
from tests.end_to_end.independent import frame
from tests.end_to_end.people_rules import Agent, Review, Row, Rules, Spell

Raw = dict[str, dict[str, list[Row]]]

MEMBER_EVENTS = (
    "ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE", "PAUSEALL", "UNPAUSEALL", "AGENTLOGIN", "AGENTLOGOFF",
    "AGENTCALLBACKLOGIN", "AGENTCALLBACKLOGOFF",
)  # fmt: skip
SIGNED_OUT = ("REMOVEMEMBER", "AGENTLOGOFF", "AGENTCALLBACKLOGOFF")
REASONS = {"wrapup": "wrap", "wrap-up": "wrap", "acw": "wrap", "": "other", "auto-pause": "other"}
EVER = -(2**40)


@dataclass(frozen=True)
class Centre:
    """What of the configuration decides how raw rows count."""

    zone: ZoneInfo
    as_of: datetime
    teams: dict[tuple[str, str], str]

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def team(self, source: str, member: str | None, fallback: str | None = None) -> str:
        """The organisation's team of what a source calls one; else the source's own."""
        return "none" if member is None else self.teams.get((source, member), f"{source}-{fallback or member}")


def frames(raw: Raw, settings: Settings, as_of: datetime) -> dict[str, pd.DataFrame]:
    """The frames of `Facts` about people, as of an instant."""
    said = settings.parameters
    centre = Centre(
        zone=ZoneInfo(settings.reporting_zone),
        as_of=as_of,
        teams={
            (source, member): team.id
            for team in settings.teams
            for source, members in team.members.items()
            for member in members
        },
    )
    rules = Rules(
        as_of=math.floor(centre.as_of.timestamp()),
        zone=centre.zone,
        tolerance=said.adherence_tolerance_seconds,
        longest=said.stuck_state_seconds,
        longest_wrap=said.stuck_wrap_seconds,
        longest_hold=said.stuck_hold_seconds,
    )
    teams = _teams(raw, centre)
    agents: dict[str, Agent] = defaultdict(Agent)
    _log_states(raw, centre, rules, agents)
    for source, tables in raw.items():
        _file_states(source, tables, centre, rules, agents)
        _plan(source, tables, centre, rules, agents)
    contacts = {one["id"]: one for one in _contacts(raw, centre)}
    for contact in contacts.values():
        for leg in contact["legs"]:
            agents[leg["agent"]].legs += _leg(leg, contact["source"], rules)
    for name, versions in teams.items():
        agents[name].teams = versions
    reviews = list(_reviews(raw, centre, contacts, teams))
    return {
        "agent_days": frame(people_rules.agent_days(agents, rules), people_rules.AGENT_DAYS),
        "evaluations": frame(people_rules.evaluations(reviews, centre.day), people_rules.EVALUATIONS),
        "reviewed": frame(_reviewed(contacts, reviews, centre), people_rules.REVIEWED),
    }


def _second(moment: datetime) -> int:
    return math.floor(moment.timestamp())


def _who(source: str, row: Row) -> str:
    """An agent, by the system that knows them."""
    return f"{row.get('system') or source}-{row['agent']}"


def _none_is(team: str) -> str | None:
    return None if team == "none" else team


# --- who was in which team, and when ---------------------------------------------------------------------------------


def _teams(raw: Raw, centre: Centre) -> dict[str, list[tuple[int, str | None]]]:
    """From which second on an agent was in which team: by a roster, else by the ticketing system's own users."""
    rosters: dict[str, dict[int, tuple[str | None, int | None]]] = defaultdict(dict)
    for source in sorted(raw):
        for row in raw[source].get("agents", []):
            until = _second(row["valid_to"]) if row["valid_to"] else None
            # of two rosters that speak of the same instant, the first source by name
            rosters[_who(source, row)].setdefault(
                _second(row["valid_from"]), (_none_is(centre.team(source, row["team"])), until)
            )
    found: dict[str, list[tuple[int, str | None]]] = {}
    desk = raw.get("zendesk", {})
    groups = {group["id"]: group["name"] for group in desk.get("groups", [])}
    seen: dict[int, list[Row]] = defaultdict(list)
    for user in (*desk.get("user_versions", []), *desk.get("users", [])):
        seen[user["id"]].append(user)
    for number, states in seen.items():
        if any(state["role"] in ("agent", "admin") for state in states):
            states.sort(key=lambda state: state["updated_at"] or datetime.min.replace(tzinfo=UTC))
            teams = [
                _none_is(centre.team("zendesk", groups.get(state["default_group_id"]), str(state["default_group_id"])))
                for state in states
            ]
            since = [EVER, *(_second(state["updated_at"]) for state in states[1:])]
            found[f"zendesk-{number}"] = list(zip(since, teams, strict=True))
    for name, versions in rosters.items():
        found[name] = []
        starts = sorted(versions)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            team, until = versions[start]
            found[name].append((start, team))
            if until is not None and (following is None or until < following):
                found[name].append((until, None))
    return found


def _team_at(teams: dict[str, list[tuple[int, str | None]]], agent: str, at: datetime) -> str | None:
    held = [team for since, team in teams.get(agent, []) if since <= _second(at)]
    return held[-1] if held else None


# --- what agents did, and were to do ---------------------------------------------------------------------------------


def _log(raw: Raw) -> list[Row]:
    return sorted(
        raw.get("asterisk", {}).get("queue_log", []),
        key=lambda line: (line["occurred_at"], line["file_id"], line["byte_offset"]),
    )


def _log_states(raw: Raw, centre: Centre, rules: Rules, agents: dict[str, Agent]) -> None:
    """From one line about a member to the next; what the log said last holds in all queues."""
    own = {row["reason"].lower(): row["state"] for row in raw.get("asterisk", {}).get("pause_reasons", [])}
    lines: dict[str, list[Row]] = defaultdict(list)
    for line in _log(raw):
        if line["event"] in MEMBER_EVENTS and line["agent"] not in (None, "NONE"):
            lines[line["agent"]].append(line)
    for agent, told in lines.items():
        for line, following in zip(told, [*told[1:], None], strict=True):
            reason = (line["data1"] or "").lower()
            if line["event"] in SIGNED_OUT:
                state = "offline"
            elif line["event"] in ("PAUSE", "PAUSEALL"):
                state = own.get(reason) or REASONS.get(reason, reason)
            else:
                state = "other" if line["event"] == "ADDMEMBER" and reason == "paused" else "available"
            queue = line["queue"] if line["queue"] != "NONE" else None
            agents[f"asterisk-{agent}"].states += rules.state(
                state,
                _second(line["occurred_at"]),
                _second(following["occurred_at"]) if following else None,
                "asterisk",
                _none_is(centre.team("asterisk", queue)),
            )


def _file_states(
    source: str, tables: dict[str, list[Row]], centre: Centre, rules: Rules, agents: dict[str, Agent]
) -> None:
    for row in tables.get("agent_states", []):
        ended = _second(row["ended_at"]) if row["ended_at"] else None
        agents[_who(source, row)].states += rules.state(
            row["state"].lower(), _second(row["started_at"]), ended, source, _none_is(centre.team(source, row["team"]))
        )


def _plan(source: str, tables: dict[str, list[Row]], centre: Centre, rules: Rules, agents: dict[str, Agent]) -> None:
    in_force: dict[str, Row] = {}
    for row in sorted(tables.get("shifts", []), key=lambda row: row["published_at"]):
        if row["published_at"] <= centre.as_of:
            in_force[row["shift_id"]] = row
    for row in in_force.values():
        begin, end = _second(row["started_at"]), _second(row["ended_at"])
        if not row["is_cancelled"] and end > begin:
            agents[_who(source, row)].plan.append(
                Spell(
                    row["activity"].lower(), begin, end, source, _none_is(centre.team(source, row["team"])),
                    is_paid=row["is_paid"] is not False,
                )
            )  # fmt: skip


# --- contacts --------------------------------------------------------------------------------------------------------


def _contacts(raw: Raw, centre: Centre) -> Iterator[Row]:
    """Every contact on a live channel: where it is booked, and who took it when."""
    for one in _log_contacts(raw, centre):
        if one["began"] <= centre.as_of:
            yield one
    for source, tables in raw.items():
        for call in tables.get("calls", []):
            if call["started_at"] <= centre.as_of:
                answered = call["outcome"] == "answered"
                team = centre.team(source, call["team"] or call["queue"])
                yield {
                    "id": f"{source}-{call['call_id']}",
                    "source": source,
                    "channel": call["channel"] or "voice",
                    "team": team,
                    "began": call["started_at"],
                    "answered": answered,
                    "legs": [_exported_leg(source, call, team)] if answered and call["agent"] else [],
                }


def _log_contacts(raw: Raw, centre: Centre) -> Iterator[Row]:
    wraps = _wraps(raw)
    for callid, lines in raw_voice.calls(raw).items():
        stays = raw_voice.stays(lines)
        answered = [(stay, connect) for stay in stays if (connect := raw_voice.first(stay, "CONNECT"))]
        legs = []
        for stay, connect in answered:
            ended = raw_voice.first(stay, *raw_voice.TALK_ENDS)
            legs.append(
                {
                    "agent": f"asterisk-{connect['agent']}",
                    "team": centre.team("asterisk", stay[0]["queue"]),
                    "began": _second(connect["occurred_at"]),
                    "ended": _second(ended["occurred_at"]) if ended else None,
                    "talk": raw_voice.talked(connect, ended),
                    "hold": 0,
                    "wrap": wraps.get(id(ended)),
                }
            )
        yield {
            "id": f"asterisk-{callid}",
            "source": "asterisk",
            "channel": "voice",
            "team": centre.team("asterisk", (answered[0][0] if answered else stays[0])[0]["queue"]),
            "began": lines[0]["occurred_at"],
            "answered": bool(answered),
            "legs": legs,
        }


def _wraps(raw: Raw) -> dict[int, tuple[int, int] | None]:
    """Of each end of a talk, the pause for wrap-up right after it, if it has ended."""
    spells: dict[str, list[Row]] = defaultdict(list)
    for line in _log(raw):
        if line["event"] in (*raw_voice.TALK_ENDS, "CONNECT", "PAUSE", "UNPAUSE"):
            spells[line["agent"]].append(line)
    found: dict[int, tuple[int, int] | None] = {}
    for lines in spells.values():
        for place, line in enumerate(lines[:-2]):
            begin, end = lines[place + 1 : place + 3]
            is_wrap = begin["event"] == "PAUSE" and (begin["data1"] or "").lower() == "wrapup"
            if line["event"] in raw_voice.TALK_ENDS and is_wrap and end["event"] == "UNPAUSE":
                found[id(line)] = _second(begin["occurred_at"]), _second(end["occurred_at"])
    return found


def _exported_leg(source: str, call: Row, team: str) -> Row:
    queued = _second(call["queued_at"] or call["started_at"]) + (0 if call["queued_at"] else call["ivr_seconds"] or 0)
    began = _second(call["answered_at"]) if call["answered_at"] else queued + (call["wait_seconds"] or 0)
    talk = call["talk_seconds"]
    if talk is None and call["answered_at"] and call["ended_at"]:
        talk = _second(call["ended_at"]) - began - (call["hold_seconds"] or 0)
    hold = call["hold_seconds"]
    if hold is None and not call["ended_on_hold"]:
        hold = 0
    after = _second(call["ended_at"]) if call["ended_at"] else began + (talk or 0) + (hold or 0)
    return {
        "agent": f"{source}-{call['agent']}",
        "team": team,
        "began": began,
        "ended": began + talk if talk is not None else None,
        "talk": talk,
        "hold": hold,
        "wrap": (after, after + call["wrap_seconds"]) if call["wrap_seconds"] is not None else None,
    }


def _leg(leg: Row, source: str, rules: Rules) -> Iterator[Spell]:
    """Busy with the contact, then with the work after it; what was left open is cut, what lasts is not there yet."""
    team = _none_is(leg["team"])
    if leg["ended"] is not None and leg["hold"] is not None:
        begin = leg["began"]
        ends = min(leg["ended"], begin + rules.longest)
        counted = min(leg["talk"], rules.longest) + min(leg["hold"], rules.longest_hold)
        end = max(ends, begin + counted, begin + min(leg["hold"], rules.longest_hold))
        if begin < end <= rules.as_of:
            yield Spell("talk", begin, end, source, team)
    if leg["wrap"] is not None:
        begin, end = leg["wrap"][0], min(leg["wrap"][1], leg["wrap"][0] + rules.longest_wrap)
        if begin < end <= rules.as_of:
            yield Spell("wrap", begin, end, source, team)


# --- reviews ---------------------------------------------------------------------------------------------------------


def _reviews(
    raw: Raw, centre: Centre, contacts: dict[str, Row], teams: dict[str, list[tuple[int, str | None]]]
) -> Iterator[Review]:
    for source, tables in raw.items():
        items: dict[str, list[Row]] = defaultdict(list)
        for row in tables.get("evaluation_answers", []):
            items[row["evaluation_id"]].append(
                {
                    "weight": row["weight"],
                    "points": row["score"],
                    "most": row["max_score"],
                    "passed": row["passed"],
                    "applies": row["is_applicable"],
                    "is_critical": row["is_critical"] is True,
                    "critical_for": row["critical_area"],
                }
            )
        for row in tables.get("evaluations", []):
            if row["evaluated_at"] > centre.as_of:
                continue
            call = f"{row['system'] or source}-{row['call_id']}" if row["call_id"] else None
            contact = contacts.get(call) if call else None
            yield Review(
                id=f"{source}-{row['evaluation_id']}",
                evaluated_at=row["evaluated_at"],
                source=source,
                channel=contact["channel"] if contact else row["channel"] or "other",
                team=_reviewed_team(source, row, contact, centre, teams),
                kind=row["kind"].lower(),
                selection=row["selection"].lower(),
                contact=call,
                is_calibration=row["is_calibration"] is True,
                replaces=f"{source}-{row['rescored_of']}" if row["rescored_of"] else None,
                items=tuple(items[row["evaluation_id"]]),
            )


def _reviewed_team(
    source: str,
    row: Row,
    contact: Row | None,
    centre: Centre,
    teams: dict[str, list[tuple[int, str | None]]],
) -> str:
    """Whose work it was: as the review says, as a roster says of that day, where the agent took the contact."""
    if row["team"]:
        return centre.team(source, row["team"])
    agent = _who(source, row) if row["agent"] else None
    if agent:
        began = contact["began"] if contact else None
        if team := _team_at(teams, agent, row["contact_at"] or began or row["evaluated_at"]):
            return team
    if contact is None:
        return "none"
    own: list[str] = [leg["team"] for leg in contact["legs"] if leg["agent"] == agent]
    return min(own, default=str(contact["team"]))


def _reviewed(contacts: dict[str, Row], reviews: list[Review], centre: Centre) -> Iterator[dict[str, Any]]:
    """Answered contacts, and whether people reviewed them."""
    looked_at = people_rules.looked_at(reviews)
    for name, contact in contacts.items():
        if contact["answered"]:
            reasons = looked_at.get(name, set())
            yield {
                "date": centre.day(contact["began"]),
                "source": contact["source"],
                "channel": contact["channel"],
                "team": contact["team"],
                "evaluated": False in reasons,
                "for_a_reason": True in reasons,
            }

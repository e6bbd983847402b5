"""Agents' time and reviews of their work, from the simulator's truth, as facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from tests.end_to_end import people_rules
from tests.end_to_end.independent import frame
from tests.end_to_end.people_rules import Agent, Review, Row, Rules, Spell, second

Truth = dict[str, list[Row]]


def frames(truth: Truth, zone: str, as_of: datetime, day: Callable[[str], date]) -> dict[str, pd.DataFrame]:
    """The frames of `Facts` about people."""
    reviews = list(_reviews(truth, as_of))

    def reviewed_on(at: datetime) -> date:
        return day(at.isoformat())

    return {
        "agent_days": frame(
            people_rules.agent_days(_agents(truth, rules := Rules(int(as_of.timestamp()), ZoneInfo(zone))), rules),
            people_rules.AGENT_DAYS,
        ),
        "evaluations": frame(people_rules.evaluations(reviews, reviewed_on), people_rules.EVALUATIONS),
        "reviewed": frame(_reviewed(truth, reviews, day), people_rules.REVIEWED),
    }


def _agents(truth: Truth, rules: Rules) -> dict[str, Agent]:
    agents: dict[str, Agent] = defaultdict(Agent)
    for row in truth["agent_states"]:
        end = second(row["ended_at"]) if row["ended_at"] else None
        system = "workforce" if row["state"] == "on_contact" else "asterisk"
        agents[row["agent"]].states += rules.state(row["state"], second(row["started_at"]), end, system, row["team"])
    for call in truth["calls"]:
        for visit in call["visits"]:
            if visit["outcome"] == "answered":
                answered, ended = second(visit["left_at"]), second(visit["ended_at"])
                spells = [("talk", answered, ended), ("wrap", ended, ended + (visit["wrap_seconds"] or 0))]
                agents[visit["agent"]].legs += [
                    Spell(what, begin, end, "asterisk", visit["team"])
                    for what, begin, end in spells
                    if begin < end <= rules.as_of
                ]
    in_force: dict[str, Row] = {}
    for row in sorted(truth["shifts"], key=lambda row: str(row["published_at"])):
        if second(row["published_at"]) <= rules.as_of:
            in_force[row["shift_id"]] = row
    for row in in_force.values():
        if not row["is_cancelled"]:
            spell = second(row["started_at"]), second(row["ended_at"])
            agents[row["agent"]].plan.append(
                Spell(row["activity"], *spell, "workforce", row["team"], is_paid=row["is_paid"])
            )
    return agents


def _reviews(truth: Truth, as_of: datetime) -> Iterator[Review]:
    for row in truth["evaluations"]:
        at = datetime.fromisoformat(row["evaluated_at"]).astimezone(UTC)
        if at <= as_of:
            yield Review(
                id=row["evaluation_id"],
                evaluated_at=at,
                source="quality",
                channel=row["channel"],
                team=row["team"],
                kind=row["kind"],
                selection=row["selection"],
                contact=row["call_id"],
                is_calibration=row["is_calibration"],
                replaces=row["replaces"],
                items=tuple({**item, "is_critical": bool(item["critical_for"])} for item in row["items"]),
            )


def _reviewed(truth: Truth, reviews: list[Review], day: Callable[[str], date]) -> Iterator[dict[str, Any]]:
    """Answered contacts, and whether people reviewed them."""
    looked_at = people_rules.looked_at(reviews)
    for call in truth["calls"]:
        answered = next((visit for visit in call["visits"] if visit["outcome"] == "answered"), None)
        if answered:
            reasons = looked_at.get(call["call_id"], set())
            yield {
                "date": day(call["entered_at"]),
                "source": "asterisk",
                "channel": "voice",
                "team": answered["team"],
                "evaluated": False in reasons,
                "for_a_reason": True in reasons,
            }

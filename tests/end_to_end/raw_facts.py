"""Facts from raw rows: the sources' own tables read with plain Python, sharing no code and no SQL with the models.

Of each kind of source only what `independent` counts is read. What a frame of `Facts` needs and is not made here stays
None, and `tests/golden/test_agreement.py` names the KPIs that rest on it.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql
from psycopg.rows import dict_row

from kefu import warehouse
from kefu.settings import Parameters, Settings
from tests.end_to_end import (
    freshness,
    raw_issues,
    raw_people,
    raw_sla,
    raw_surveys,
    raw_tickets,
    raw_voice,
    reconciled,
    voice,
)
from tests.end_to_end.centre_truth import ISSUE_DIMENSIONS, ISSUE_FACTS
from tests.end_to_end.independent import CLOCKS, Facts, frame

# Rules that are written down a second time as they are by default, and not as one may choose them: raw rows of a centre
# that chose otherwise are refused rather than counted wrongly. All others that a KPI hangs on are followed.
ONLY_BY_DEFAULT = ("phone_match_digits", "survey_credit")

Row = dict[str, Any]
Raw = dict[str, dict[str, list[Row]]]  # by source and table


@dataclasses.dataclass(frozen=True)
class Centre:
    """What of the configuration decides how raw rows count."""

    zone: ZoneInfo
    as_of: datetime
    teams: dict[tuple[str, str], str]
    survey_days: int
    parameters: Parameters = dataclasses.field(default_factory=Parameters)  # the edge rules in force
    promises: frozenset[str] = frozenset()  # the policies customers were told of
    first_level: frozenset[str] = frozenset()  # the teams of level 1
    outside: frozenset[str] = frozenset()  # those of other departments

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def team(self, source: str, member: str | None, fallback: str | None = None) -> str:
        """The organisation's team of what a source calls one; else the source's own."""
        if member is None:
            return "none"
        return self.teams.get((source, member), f"{source}-{fallback or member}")


def facts(settings: Settings, as_of: datetime) -> Facts:
    """Everything `independent` counts, from what is in raw now, as of an instant."""
    usual = Parameters()
    other = [name for name in ONLY_BY_DEFAULT if getattr(settings.parameters, name) != getattr(usual, name)]
    assert not other, f"nobody has counted raw rows a second time by another {', '.join(other)}"
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
        survey_days=settings.parameters.survey_window_days,
        parameters=settings.parameters,
        promises=frozenset(settings.parameters.public_promises),
        first_level=frozenset(settings.parameters.first_level_teams),
        outside=frozenset(settings.parameters.teams_outside_service),
    )
    rules = voice.Rules(centre.zone, centre.as_of, settings.parameters, raw_voice.team_hours(settings, centre.as_of))
    live = [*raw_voice.contacts(raw, centre)]
    tickets, hours = raw_tickets.tickets(raw, centre), raw_tickets.open_hours(raw, centre)
    stitched = raw_issues.contacts(raw, tickets, centre)
    sheets = [
        *raw_surveys.rating_sheets(raw, tickets, centre),
        *raw_surveys.response_sheets(raw, tickets, raw_surveys.calls(live, rules), centre),
    ]
    made = {
        **voice.frames(live, rules),
        **raw_tickets.frames(tickets, hours, centre),
        "clocks": frame(raw_sla.clocks(raw, tickets, hours, centre), CLOCKS),
        "answers": frame(
            raw_surveys.answers(sheets, centre),
            raw_surveys.ANSWERS,
        ),
        "ratings": frame(
            raw_surveys.ratings(sheets, raw_issues.people(raw, centre), centre),
            ("date", "source", "channel", "team", "survey", "segment", "recovered", "weight"),
        ),
        "invitations": frame(
            raw_surveys.invitations(raw, tickets, sheets, centre),
            ("date", "source", "channel", "team", "survey", "segment", "sent", "delivered", "answered"),
        ),
        "reconciled": frame(raw_tickets.figures(tickets, hours, centre), reconciled.COLUMNS),
        "issues": frame(
            raw_issues.issues(stitched, raw_surveys.confirmed(sheets), centre), (*ISSUE_DIMENSIONS, *ISSUE_FACTS)
        ),
        "linkable": frame(
            raw_issues.linkable(stitched, raw_surveys.voiced(raw, {one.id for one in stitched}, centre), centre),
            (*ISSUE_DIMENSIONS, "linked", "voiced"),
        ),
    }
    made |= raw_people.frames(raw, settings, centre.as_of)
    made["ages"] = freshness.ages(made, centre.zone, centre.as_of)
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

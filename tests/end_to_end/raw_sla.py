"""SLA clocks from raw Zendesk rows: the account's own policies and schedules, by the target that `sla_rebase` says.

sla_truth walks through the updates; here they are read from the ticket's history, and the policies as they were.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.dbt.business_oracle import OpenTime
from tests.end_to_end import sla_truth
from tests.end_to_end.raw_tickets import valid_since

if TYPE_CHECKING:
    from tests.end_to_end.raw_facts import Centre, Raw

Row = dict[str, Any]
Promises = dict[str, tuple[int, bool]]


@dataclass
class Moment(sla_truth.Moment):
    """A ticket after one update, with every field a policy may ask for."""

    fields: Mapping[str, Any] = field(default_factory=dict)


class Always:
    """Where no schedule is known, a promise in business time runs by the calendar."""

    @staticmethod
    def between(start: int, end: int) -> int:
        """All seconds from one instant to another."""
        return end - start


class Hours(dict[Any, Any]):
    """When each schedule is open."""

    def __missing__(self, key: Any) -> Always:
        """A schedule nobody knows."""
        return Always()


class Account(sla_truth.Account):
    """Policies in every version they were seen in, as raw has them."""

    def __init__(self, desk: Mapping[str, list[Row]], hours: Mapping[int | None, OpenTime]) -> None:
        """Read the versions with their targets and conditions."""
        self.open = Hours(hours)
        self._targets: dict[tuple[int, str], list[Row]] = defaultdict(list)
        self._conditions: dict[tuple[int, str], dict[tuple[str, int], list[Row]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for row in desk.get("sla_policy_targets", []):
            self._targets[row["policy_id"], row["content"]].append(row)
        for row in desk.get("sla_policy_conditions", []):
            self._conditions[row["policy_id"], row["content"]][row["clause"], row["number"]].append(row)
        states: dict[int, list[Row]] = defaultdict(list)
        for row in desk.get("sla_policy_versions", []):
            states[row["policy_id"]].append(row)
        self._versions = {
            policy: [
                (math.floor(since.timestamp()) if since else 0, row)
                for since, row in valid_since(
                    rows, min(filter(None, (row["created_at"] for row in rows)), default=None)
                )
            ]
            for policy, rows in states.items()
        }

    def promise(self, group: int | None, moment: sla_truth.Moment) -> tuple[str, Promises]:
        """The first policy in order that the ticket meets, in the version then in force, and what it promises."""
        assert isinstance(moment, Moment)
        there = []
        for policy, versions in self._versions.items():
            past = [row for since, row in versions if since <= moment.at]
            if past and past[-1]["content"] != "gone" and not past[-1]["obstacle"]:
                there.append((past[-1]["position"] or 0, policy, past[-1]["content"]))
        for _, policy, content in sorted(there):
            if self._meets(self._conditions.get((policy, content), {}), moment.fields):
                return f"zendesk-{policy}", {
                    row["metric"].removeprefix("total_").removesuffix("_time"): (
                        row["target_seconds"],
                        row["business_hours"],
                    )
                    for row in self._targets[policy, content]
                    if row["target_seconds"] is not None and row["priority"].lower() == moment.priority
                }
        return "none", {}

    @staticmethod
    def _meets(conditions: Mapping[tuple[str, int], list[Row]], fields: Mapping[str, Any]) -> bool:
        def holds(rows: list[Row]) -> bool:
            """Any of the values is enough, or none of them may be."""
            attribute = rows[0]["attribute"]
            has = fields["tags"] if attribute == "tags" else {str(fields.get(attribute) or "")}
            return any(row["value"] in has for row in rows) == bool(rows[0]["is_wanted"])

        every = [holds(rows) for (clause, _), rows in conditions.items() if clause == "all"]
        some = [holds(rows) for (clause, _), rows in conditions.items() if clause == "any"]
        return all(every) and (not some or any(some))


def clocks(raw: Raw, tickets: list[Row], hours: Mapping[int | None, OpenTime], centre: Centre) -> Iterator[Row]:
    """Every clock that was decided."""
    account, now = Account(raw.get("zendesk", {}), hours), math.floor(centre.as_of.timestamp())
    follows = centre.parameters.sla_rebase == "change"
    for ticket in tickets:
        moments = _moments(ticket)
        if ticket["excluded"] or not moments:
            continue
        for clock in sla_truth._clocks(ticket, moments):
            row = sla_truth._decided(clock, moments, account, {}, now, follows=follows)
            if row is not None:
                decided = datetime.fromtimestamp(row.pop("decided"), UTC)
                yield {
                    **row,
                    "date": centre.day(decided),
                    "source": "zendesk",
                    "channel": ticket["channel"],
                    "is_public": row["policy"] in centre.promises,
                }


ASKED = ("type", "priority", "group_id", "assignee_id", "requester_id", "organization_id", "brand_id", "tags")


def _moments(ticket: Row) -> list[sla_truth.Moment]:
    now = ticket["row"]
    fields = {name: None if now[name] is None else str(now[name]) for name in ASKED}
    for update in reversed(ticket["updates"]):  # what a field was before it was first changed
        fields |= {name: value for name, value in update["was"].items() if name in fields and name in update["set"]}
    found: list[sla_truth.Moment] = []
    schedules = {entry["n"]: entry["value"] for entry in ticket["schedules"]}
    status, team, schedule = "new", None, schedules[0]
    for update in ticket["updates"]:
        set_now = update["set"]
        fields |= {name: set_now[name] for name in ASKED if name in set_now}
        status = set_now.get("status") or status
        team = update.get("team", team)
        schedule = schedules.get(update["n"], schedule)
        found.append(
            Moment(
                at=math.floor(datetime.fromisoformat(update["at"]).timestamp()),
                status=status,
                team=team,
                priority=fields["priority"].lower() if fields["priority"] else None,
                schedule=schedule,
                type=fields["type"],
                by=update["by"]["kind"] if update.get("comment") else None,
                fields={
                    **fields,
                    "status": "hold" if status == "on_hold" else status,
                    "via": (now["via_channel"] or "").lower(),
                    "tags": _tags(fields["tags"]),
                },
            )
        )
    return found


def _tags(text: str | None) -> set[str]:
    """The tags of a ticket, from a list as JSON or a text with blanks."""
    if not text:
        return set()
    return {str(tag).lower() for tag in (json.loads(text) if text.startswith("[") else text.split())}

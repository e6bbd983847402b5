"""What the organisation promises: the ``[[sla_policies]]`` of kefu.toml, and what the models read of them.

For tickets of sources that have no SLA policies of their own. A policy is a target for each metric, by priority, on a
calendar or a business clock, and says for which tickets. The first one in the file that fits a ticket applies. Several
entries with one id are versions: each is valid from its ``valid_from`` on, the first from the beginning of time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kefu.schedules import EVER, FOR_EVER

if TYPE_CHECKING:
    import psycopg

    from kefu.settings import Settings

TABLES = """
create table if not exists control.sla_policies (
    policy_id text not null,
    valid_from timestamp not null,
    valid_to timestamp not null,
    policy_en text not null,
    policy_zh text not null,
    place_in_order bigint not null,
    primary key (policy_id, valid_from)
);
comment on table control.sla_policies is 'One row per version of an SLA policy of the organisation (kefu.toml), UTC.';
create table if not exists control.sla_targets (
    policy_id text not null,
    valid_from timestamp not null,
    metric text not null,
    priority text not null,
    target_seconds bigint not null,
    is_business boolean not null,
    primary key (policy_id, valid_from, metric, priority)
);
comment on table control.sla_targets is 'One row per version of an SLA policy, metric and priority.';
create table if not exists control.sla_conditions (
    policy_id text not null,
    valid_from timestamp not null,
    attribute text not null,
    value text not null,
    primary key (policy_id, valid_from, attribute, value)
);
comment on table control.sla_conditions is
'One row per value a version is restricted to: of one attribute any is enough, of several all have to fit.';
"""

Metric = Literal[
    "first_reply", "next_reply", "requester_wait", "agent_work", "resolution", "periodic_update", "pausable_update"
]
_PRIORITY = re.compile(r"[a-z0-9][a-z0-9_ -]*")  # as the source has it, in lower case
_DURATION = re.compile(r"([1-9]\d*) ?([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}


class SlaPolicy(BaseModel):
    """One ``[[sla_policies]]`` of kefu.toml: a policy, or a version of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: dict[Literal["en", "zh"], str] = {}
    clock: Literal["calendar", "business"]
    targets: dict[Metric, dict[str, int]] = Field(min_length=1)  # seconds by priority
    sources: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    valid_from: date | datetime | None = None

    @field_validator("targets", mode="before")
    @classmethod
    def _by_priority(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            raise ValueError('expected targets by metric, such as { first_reply = "4h" }')
        return {metric: _targets(str(metric), said) for metric, said in given.items()}

    def starts_at(self, zone: str) -> datetime:
        """From when on this version is valid, naive UTC. A date begins at midnight of the zone."""
        if self.valid_from is None:
            return EVER
        begins = self.valid_from
        if not isinstance(begins, datetime):
            begins = datetime.combine(begins, time(), ZoneInfo(zone))
        if begins.tzinfo is None:
            begins = begins.replace(tzinfo=ZoneInfo(zone))
        return begins.astimezone(UTC).replace(tzinfo=None)

    def conditions(self) -> Iterator[tuple[str, str]]:
        """What it is restricted to: attribute and value."""
        for attribute, values in (
            ("source", self.sources),
            ("channel", self.channels),
            ("team", self.teams),
            ("priority", self.priorities),
        ):
            for value in dict.fromkeys(values):
                yield attribute, value


def problems(policies: Sequence[SlaPolicy], zone: str) -> list[str]:
    """What is wrong with the policies as a whole, a sentence each, naming the policy."""
    found = []
    for id_ in dict.fromkeys(policy.id for policy in policies):
        starts = Counter(policy.starts_at(zone) for policy in policies if policy.id == id_)
        first = starts.pop(EVER, 0)
        if first > 1:
            found.append(f"{id_!r} has {first} versions without valid_from; only the first may have none")
        found += [f"{id_!r} has two versions valid from {start}Z" for start, count in starts.items() if count > 1]
    return found


def write(connection: psycopg.Connection[Any], settings: Settings) -> None:
    """Write the policies as the models of this build read them. Their order is that of their first mention."""
    for table in ("sla_policies", "sla_targets", "sla_conditions"):
        connection.execute(f"delete from control.{table}".encode())
    versions = list(_versions(settings.sla_policies, settings.reporting_zone))
    order = list(dict.fromkeys(policy.id for policy in settings.sla_policies))
    _insert(
        connection,
        "sla_policies",
        (
            (
                policy.id,
                since,
                until,
                policy.name.get("en", policy.id),
                policy.name.get("zh", policy.name.get("en", policy.id)),
                order.index(policy.id) + 1,
            )
            for policy, since, until in versions
        ),
    )
    _insert(
        connection,
        "sla_targets",
        (
            (policy.id, since, metric, priority, seconds, policy.clock == "business")
            for policy, since, _ in versions
            for metric, by_priority in policy.targets.items()
            for priority, seconds in by_priority.items()
        ),
    )
    _insert(
        connection,
        "sla_conditions",
        ((policy.id, since, *condition) for policy, since, _ in versions for condition in policy.conditions()),
    )


def described(connection: psycopg.Connection[Any]) -> str:
    """What was written, as a mark: another one means that clocks may be others."""
    marks = []
    for table in ("sla_policies", "sla_targets", "sla_conditions"):
        row = connection.execute(
            f"select md5(coalesce(string_agg(t::text, E'\\n' order by t::text), '')) from control.{table} t".encode()
        ).fetchone()
        marks.append(str(row and row[0]))
    return " ".join(marks)


def _versions(policies: Sequence[SlaPolicy], zone: str) -> Iterator[tuple[SlaPolicy, datetime, datetime]]:
    """Every version with the instants it is valid from and to."""
    ordered = sorted(policies, key=lambda policy: (policy.id, policy.starts_at(zone)))
    for place, version in enumerate(ordered, start=1):
        following = ordered[place] if place < len(ordered) else None
        ends = following.starts_at(zone) if following is not None and following.id == version.id else FOR_EVER
        yield version, version.starts_at(zone), ends


def _targets(metric: str, said: object) -> dict[str, int]:
    """Seconds by priority; one duration is for all of them, and ``any`` for those that are not named."""
    if isinstance(said, str):
        said = {"any": said}
    if not isinstance(said, Mapping) or not said:
        raise ValueError(f'{metric}: expected a duration such as "4h", or durations by priority')
    for priority in said:
        if not _PRIORITY.fullmatch(str(priority)):
            raise ValueError(f"{metric}: {priority!r} is no priority; expected one such as urgent, or any")
    return {str(priority): _seconds(metric, duration) for priority, duration in said.items()}


def _seconds(metric: str, duration: object) -> int:
    found = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if not found:
        raise ValueError(f'{metric}: {duration!r} is no duration; expected one such as "45s", "30m" or "4h"')
    return int(found[1]) * _UNITS[found[2]]


def _insert(connection: psycopg.Connection[Any], table: str, rows: Iterable[Sequence[object]]) -> None:
    with connection.cursor().copy(f"copy control.{table} from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)

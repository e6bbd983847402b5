"""Raw rows as they might have come: in random batches, in any order, twice, in a wrong version first, or gone again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from psycopg import sql

from kefu import raw, warehouse
from kefu.files.entities import ENTITIES
from kefu.settings import Settings
from kefu.sources import Table, kinds

Row = dict[str, Any]
# Everything hangs on them: were they to come late, all would be made anew.
AT_FIRST = (
    "groups", "surveys", "questions", "schedule_versions", "schedule_intervals", "schedule_holidays",
    "sla_policy_versions", "sla_policy_targets", "sla_policy_conditions",
)  # fmt: skip


@dataclass
class Batch:
    """What one load of one source brings, by table; and the files whose rows go unless they come again."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    gone: list[tuple[str, str]] = field(default_factory=list)  # table and file


def tables(kind: str) -> dict[str, Table]:
    """The raw tables of a kind of source."""
    return {table.name: table for table in kinds()[kind].tables}


def read(settings: Settings, source: str, kind: str) -> dict[str, list[Row]]:
    """Every raw row of a source, without what the load added."""
    found: dict[str, list[Row]] = {}
    with warehouse.connect(settings, "loader") as connection:
        for name, table in tables(kind).items():
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            query = sql.SQL("select {} from {}").format(columns, sql.Identifier(raw.raw(source), name))
            found[name] = [dict(zip(table.columns, row, strict=True)) for row in connection.execute(query)]
    return found


def batches(rows: dict[str, list[Row]], kind: str, number: int, chance: random.Random) -> list[Batch]:
    """The rows dealt out to ``number`` batches such that raw holds exactly them when all have come.

    A third come twice, a third come in a wrong version first, in columns that are no key. Files also bring calls and
    events that a later delivery takes back.
    """
    dealt = [Batch() for _ in range(number)]
    known: set[tuple[str, Any]] = set()
    for name, listed in rows.items():
        table = tables(kind)[name]
        if table.disposition == "replace" or name in AT_FIRST:
            dealt[0].rows[name] = listed
            continue
        for row in listed:
            told = _told(row) if kind == "files" else set()
            last = chance.randrange(number) if told <= known else 0
            known |= told
            dealt[last].rows.setdefault(name, []).append(row)
            luck = chance.random()
            if last and luck < 0.33:
                dealt[chance.randrange(last)].rows.setdefault(name, []).append(row)
            elif last and luck < 0.66:
                dealt[chance.randrange(last)].rows.setdefault(name, []).append(_wrong(table, row, chance))
        if "_file" in table.columns and listed and number > 1:
            _deal_ghosts(dealt, table, listed, chance)
    return dealt


def _told(row: Row) -> set[tuple[str, Any]]:
    """What a row of a file says of its source as a whole: a team there is, a kind of record that is kept."""
    team = row.get("team") or row.get("queue")
    kept = {("event", row.get("event_type")), *((name, bool(row.get(name))) for name in ("team", "agent", "status"))}
    return kept | {("named", team)}


def deliver(settings: Settings, source: str, kind: str, batch: Batch) -> None:
    """Load one batch the way `kefu.load` does: through the landing tables, in one transaction."""
    declared = tuple(kinds()[kind].tables)
    with warehouse.connect(settings, "loader", autocommit=True) as connection:
        raw.prepare_source(connection, source, declared)
        raw.make_landing(connection, source, (*declared, raw.quarantine()))
        landed = {}
        for name, rows in batch.rows.items():
            columns = [*tables(kind)[name].columns, raw.SEQUENCE]
            with connection.cursor().copy(
                sql.SQL("copy {} ({}) from stdin").format(
                    sql.Identifier(raw.landing(source), name), sql.SQL(", ").join(map(sql.Identifier, columns))
                )
            ) as copy:
                for number, row in enumerate(rows):
                    copy.write_row([*row.values(), number])
            landed[name] = len(rows)
        superseded: dict[tuple[str, tuple[str, ...]], list[tuple[str, ...]]] = {}
        for name, file in batch.gone:
            superseded.setdefault((name, ("_file",)), []).append((file,))
        raw.publish(connection, source, declared, landed, superseded=superseded, state={}, started=datetime.now(UTC))
        raw.clear_landing(connection, source)


def _wrong(table: Table, row: Row, chance: random.Random) -> Row:
    """The row with some of what is no key otherwise than it will be: of the right type, and a word that occurs."""
    changed = dict(row)
    entity = ENTITIES.get(table.name)
    needed = {field.name for field in entity.fields.values() if field.required} if entity else set()
    for name, kind in table.columns.items():
        if name in table.key or name.startswith("_") or chance.random() < 0.5:
            continue
        if pa.types.is_timestamp(kind) and row[name] is not None:
            changed[name] = row[name].replace(minute=chance.randrange(60))
        elif name not in needed and name in (
            "email", "phone", "reference", "merged_into", "call_id", "follow_up_of", "value", "agent", "team",
            "assignee_id", "group_id", "callback_of",
        ):  # fmt: skip
            changed[name] = None
    return changed


def callbacks(now: datetime, number: int) -> dict[str, list[Row]]:
    """Requests to be called back over the two weeks before, with no, one or several attempts within three days."""
    chance = random.Random(number)
    calls: list[Row] = []
    for request in range(number):
        asked = now - timedelta(hours=chance.randrange(336))
        calls.append({"call_id": f"r{request}", "outcome": "callback_requested", "started_at": asked})
        for attempt in range(chance.randrange(4)):
            calls.append(
                {
                    "call_id": f"r{request}-{attempt}",
                    "callback_of": f"r{request}",
                    "direction": "outbound",
                    "outcome": chance.choice(("answered", "failed")),
                    "started_at": asked + timedelta(minutes=chance.randrange(4320)),
                    "talk_seconds": 90,
                }
            )
    usual = {"direction": "inbound", "channel": "voice", "queue": "loans", "wait_seconds": 30, "_file": "callbacks.csv"}
    return {"raw_bank.calls": [{**usual, **call, "_line": line} for line, call in enumerate(calls)]}


def chats(now: datetime, number: int) -> dict[str, list[Row]]:
    """Chats of a few agents over the two weeks before, several at a time and over midnight, some with a wrap-up."""
    chance = random.Random(number)
    calls: list[Row] = []
    for chat in range(number):
        began = now - timedelta(hours=8 * chance.randrange(42), seconds=chance.randrange(5400))
        calls.append(
            {
                "_file": "chats.csv",
                "_line": chat,
                "call_id": f"chat{chat}",
                "started_at": began,
                "direction": chance.choice(("inbound", "inbound", "outbound")),
                "channel": chance.choice(("chat", "messaging", "voice")),
                "queue": chance.choice(("loans", "cards")),
                "outcome": "answered",
                "agent": chance.choice(("Kim", "Lou", "Max")),
                "wait_seconds": chance.randrange(90),
                "talk_seconds": chance.randrange(3600),
                "wrap_seconds": chance.choice((None, 0, 600, 3600)),
            }
        )
    return {"raw_bank.calls": calls}


def voices(now: datetime, number: int, tickets: list[int]) -> dict[str, list[Row]]:
    """Calls of a few customers over the two weeks before, what they answered and said of them; and of tickets."""
    chance = random.Random(number)
    calls: list[Row] = []
    responses: list[Row] = []
    feedback: list[Row] = []
    for place in range(number):
        began, customer = now - timedelta(hours=chance.randrange(336)), f"w{chance.randrange(number // 3)}"
        usual = {"_file": "voices.csv", "_line": place}
        calls.append(
            {
                **usual,
                "call_id": f"v{place}",
                "started_at": began,
                "direction": "inbound",
                "channel": "voice",
                "queue": "loans",
                "outcome": chance.choice(("answered", "answered", "abandoned")),
                "wait_seconds": 9,
                "talk_seconds": 90,
                "customer": customer,
            }
        )
        said = {**usual, "call_id": f"v{place}", "customer": customer}
        later = began + timedelta(minutes=chance.randrange(2880))
        if chance.random() < 0.7:
            solved = {"question": "solved", "metric": "fcr", "scale": "yes_no", "value": chance.randrange(2)}
            responses.append({**said, **solved, "response_id": f"v{place}", "responded_at": later})
        if chance.random() < 0.3:
            feedback.append({**said, "feedback_id": f"w{place}", "occurred_at": later, "comment": "words"})
        of_ticket = {"ticket_id": str(chance.choice(tickets)), "system": "zendesk"}
        feedback.append({**usual, **of_ticket, "feedback_id": f"t{place}", "occurred_at": later, "comment": "words"})
    return {"raw_bank.calls": calls, "raw_bank.survey_responses": responses, "raw_bank.feedback": feedback}


def _deal_ghosts(dealt: list[Batch], table: Table, listed: list[Row], chance: random.Random) -> None:
    """Rows of a file that a later delivery of that file no longer holds."""
    come = chance.randrange(len(dealt) - 1)
    go = chance.randrange(come + 1, len(dealt))
    for row in chance.sample(listed, min(5, len(listed))):
        ghost = {**row, table.key[0]: f"ghost-{row[table.key[0]]}", "_file": "ghosts.csv"}
        dealt[come].rows.setdefault(table.name, []).append(ghost)
    # a row of the history itself, moved by the ghosts' file for a while
    dealt[go].gone.append((table.name, "ghosts.csv"))


def content(settings: Settings, schemas: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Every table of the schemas with its rows as sorted text."""
    with warehouse.connect(settings, "transformer") as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema = any(%s) and table_type = 'BASE TABLE' order by 1, 2",
            [schemas],
        ).fetchall()
        for schema, name in names:
            rows = connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(schema, name)))
            yield f"{schema}.{name}", sorted(row for (row,) in rows)

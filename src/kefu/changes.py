"""What a build has to make anew: everything, or the roots that changed since the slot's last one.

A root is what facts are made of as a whole: a ticket, an interaction, an invitation, a submission. Every source says
in its staging view ``stg_<source>__changes`` which root each raw row belongs to and when it came, and in
``stg_<source>__references`` what everything hangs on (team names, traits of the source). From the first comes the
worklist of an incremental build; when the second, the configuration or the models themselves changed, or when the
as-of time went back, everything is built anew.

The ledger (canonical) is one, marts and kpis are two slots: each remembers how far it has read every source.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from kefu import schedules, sla_policies
from kefu.settings import Settings

LEDGER = "ledger"
MODELS, CONFIGURATION = "the models", "the configuration"

TABLES = """
create table if not exists control.slots (
    slot text primary key,
    fingerprint text not null,
    watermarks text not null,
    as_of_at timestamp not null,
    build_id bigint not null
);
comment on table control.slots is
'One row per slot, and one for the ledger: what it was built from, so that the next build makes only what changed.';
create table if not exists control.worklist (
    slot text not null,
    entity text not null,
    source text not null default '',
    root text not null default '',
    id text not null,
    primary key (slot, entity, id)
);
create index if not exists worklist_by_root on control.worklist (slot, entity, root);
comment on table control.worklist is
'One row per slot and root to make anew. One with root came with raw rows; the others were put there by a model or by
the passing of time. Kept until a build of the slot has succeeded.';
create table if not exists control.due (
    slot text not null,
    model text not null,
    entity text not null,
    id text not null,
    due_at timestamp not null,
    primary key (slot, model, entity, id, due_at)
);
create table if not exists control.staging (kind text not null, models text not null, views bigint not null);
comment on table control.staging is
'What the views of staging read, everything or what is on the worklist, of which models they are, and how many.';
comment on table control.due is 'One row per root that changes by itself at an instant after the as-of time.';
"""


@dataclass(frozen=True)
class Scope:
    """What a build makes anew.

    ``full_ledger`` and ``full_marts`` say that of canonical, and of marts and kpis, everything is; ``reason`` says
    why. ``roots`` counts the worklist by entity. ``watermarks`` is how far each source is read, ``fingerprint`` what
    everything hangs on.
    """

    full_ledger: bool
    full_marts: bool
    reason: str
    roots: dict[str, int]
    watermarks: dict[str, str]
    fingerprint: dict[str, str]

    def __str__(self) -> str:
        """One line for people."""
        if self.full_ledger:
            return f"everything ({self.reason})"
        counted = ", ".join(f"{count:,} {entity}s" for entity, count in sorted(self.roots.items()) if count)
        changed = f"what changed: {counted}" if counted else "nothing has changed"
        return f"{changed}; marts and kpis in full ({self.reason})" if self.full_marts else changed


@dataclass(frozen=True)
class _State:
    fingerprint: dict[str, str]
    watermarks: dict[str, str]
    as_of_at: datetime


def plan(
    connection: psycopg.Connection[Any], settings: Settings, slot: str, as_of: datetime, *, full: bool = False
) -> Scope:
    """Say what the next build of ``slot`` makes anew, as of ``as_of`` (naive UTC), and write its worklist."""
    watermarks = _watermarks(connection)
    fingerprint = _fingerprint(connection, settings)
    states = _states(connection)
    ledger, own = states.get(LEDGER), states.get(slot)
    reason = _reason(ledger, fingerprint, full=full)
    if reason or ledger is None:
        # Until it has succeeded nothing is known: if it dies half-way, what depended on the ledger before is lost.
        connection.execute("delete from control.slots")
        return Scope(True, True, reason, {}, watermarks, fingerprint)
    slot_reason = _slot_reason(slot, own, fingerprint, as_of)
    since = own if own and not slot_reason else ledger
    _write_worklist(connection, slot, since.watermarks, as_of)
    counted = connection.execute(
        "select entity, count(*) from control.worklist where slot = %s and root <> '' group by entity", [slot]
    ).fetchall()
    return Scope(False, bool(slot_reason), slot_reason, dict(counted), watermarks, fingerprint)


def ledger_built(connection: psycopg.Connection[Any], scope: Scope, build_id: int, as_of: datetime) -> Scope:
    """Remember what the ledger was built from; the scope as it is to be remembered for the slot.

    Made anew as a whole, it leaves no slot as it was. The references are then those of the views just made: before a
    first build there are none, and before one of changed models they are others. If more came in meanwhile, what the
    ledger hangs on is not known, and the next build makes everything anew.
    """
    if scope.full_ledger:
        connection.execute("delete from control.worklist")
        known = {part: digest for part, digest in scope.fingerprint.items() if part in (MODELS, CONFIGURATION)}
        if _watermarks(connection) == scope.watermarks:
            known |= _references(connection)
        scope = replace(scope, fingerprint=known)
    _remember(connection, LEDGER, scope, build_id, as_of)
    return scope


def views_stand(connection: psycopg.Connection[Any], scope: Scope) -> bool:
    """Whether the views of staging are those this build needs; if not, they no longer count as any build's."""
    row = connection.execute("select kind, models, views from control.staging").fetchone()
    stand = row == (*_views(scope), _count_views(connection))
    if not stand:
        connection.execute("delete from control.staging")
    return stand


def views_made(connection: psycopg.Connection[Any], scope: Scope) -> None:
    """Remember for which builds the views of staging are made."""
    connection.execute("delete from control.staging")
    connection.execute(
        "insert into control.staging (kind, models, views) values (%s, %s, %s)",
        [*_views(scope), _count_views(connection)],
    )


def _views(scope: Scope) -> tuple[str, str]:
    return "everything" if scope.full_ledger else "what changed", scope.fingerprint[MODELS]


def _count_views(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select count(*) from pg_views where schemaname = 'staging'").fetchone()
    assert row is not None
    return int(row[0])


def slot_built(connection: psycopg.Connection[Any], slot: str, scope: Scope, build_id: int, as_of: datetime) -> None:
    """Remember what the slot was built from: its worklist is done, and what was due by then."""
    _remember(connection, slot, scope, build_id, as_of)
    connection.execute("delete from control.worklist where slot = %s", [slot])
    connection.execute("delete from control.due where slot = %s and due_at <= %s", [slot, as_of])


def _remember(connection: psycopg.Connection[Any], slot: str, scope: Scope, build_id: int, as_of: datetime) -> None:
    connection.execute(
        "insert into control.slots (slot, fingerprint, watermarks, as_of_at, build_id) values (%s, %s, %s, %s, %s)"
        " on conflict (slot) do update set fingerprint = excluded.fingerprint, watermarks = excluded.watermarks,"
        " as_of_at = excluded.as_of_at, build_id = excluded.build_id",
        [slot, json.dumps(scope.fingerprint), json.dumps(scope.watermarks), as_of, build_id],
    )


def _states(connection: psycopg.Connection[Any]) -> dict[str, _State]:
    rows = connection.execute("select slot, fingerprint, watermarks, as_of_at from control.slots").fetchall()
    return {slot: _State(json.loads(prints), json.loads(marks), as_of) for slot, prints, marks, as_of in rows}


def _reason(ledger: _State | None, fingerprint: dict[str, str], *, full: bool) -> str:
    if full:
        return "asked for"
    if ledger is None:
        return "the first build, or the last full one did not finish"
    parts = sorted(fingerprint.keys() | ledger.fingerprint.keys())
    changed = [part for part in parts if fingerprint.get(part) != ledger.fingerprint.get(part)]
    return f"changed: {', '.join(changed)}" if changed else ""


def _slot_reason(slot: str, own: _State | None, fingerprint: dict[str, str], as_of: datetime) -> str:
    if own is None or own.fingerprint != fingerprint:
        return f"the first build of slot {slot} from this ledger"
    return f"as of {as_of}Z, before the {own.as_of_at}Z it was built for" if as_of < own.as_of_at else ""


def _watermarks(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """How far each source is loaded: its loads become visible in the order of their times, one at a time."""
    there = connection.execute("select to_regclass('control.loads') is not null").fetchone()
    if not there or not there[0]:
        return {}
    rows = connection.execute("select source, max(loaded_at) from control.loads group by source").fetchall()
    return {source: at.astimezone(UTC).isoformat() for source, at in rows}


def _fingerprint(connection: psycopg.Connection[Any], settings: Settings) -> dict[str, str]:
    """What everything hangs on, by what a person would call it: models, configuration, the sources' references."""
    digest = hashlib.sha256()
    for path in _project_files(settings.project / "dbt_project"):
        digest.update(path.read_bytes())
    return {MODELS: digest.hexdigest(), CONFIGURATION: _configuration(connection), **_references(connection)}


def _references(connection: psycopg.Connection[Any]) -> dict[str, str]:
    found = {}
    for view in _staging_views(connection, "references"):
        row = connection.execute(
            f"select md5(coalesce(string_agg(content, E'\n' order by content), '')) from staging.{view}".encode()
        ).fetchone()
        assert row is not None
        found[f"what all of {view.split('_')[1]} hangs on"] = row[0]
    return found


def _configuration(connection: psycopg.Connection[Any]) -> str:
    """A digest of the build's parameters, the organisation's teams, schedules and policies as models read them."""
    moments = (
        "{build_id,slot,as_of_at,started_at,built_at,checked_at,full_ledger,full_marts,reason,watermarks,fingerprint}"
    )
    row = connection.execute(
        "select (select to_jsonb(b) - %s::text[] from control.build b)::text,"
        " (select jsonb_agg(to_jsonb(t) order by t.source, t.member) from control.teams t)::text,"
        " (select jsonb_agg(to_jsonb(n) order by n.parameter, n.named_id) from control.names n)::text",
        [moments],
    ).fetchone()
    described = f"{row!r} {schedules.described(connection)} {sla_policies.described(connection)}"
    return hashlib.sha256(described.encode()).hexdigest()


def _project_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for name in ("models", "macros", "seeds", "snapshots", "dbt_project.yml")
        for path in ([folder / name] if (folder / name).is_file() else (folder / name).rglob("*"))
        if path.is_file()
    )


def _staging_views(connection: psycopg.Connection[Any], what: str) -> list[str]:
    rows = connection.execute(
        "select viewname from pg_views where schemaname = 'staging' and viewname like %s order by viewname",
        [f"stg\\_%\\_\\_{what}"],
    ).fetchall()
    return [view for (view,) in rows]


def _write_worklist(connection: psycopg.Connection[Any], slot: str, since: dict[str, str], as_of: datetime) -> None:
    for view in _staging_views(connection, "changes"):
        for source in _watermarks(connection):
            connection.execute(
                f"""
                insert into control.worklist as listed (slot, entity, source, root, id)
                select distinct %s, entity, source, root, id
                from staging.{view}
                where source = %s and loaded_at > %s::timestamptz and root is not null
                on conflict (slot, entity, id) do update set source = excluded.source, root = excluded.root
                where listed.root = ''
                """.encode(),
                [slot, source, since.get(source, "-infinity")],
            )
    connection.execute(
        "insert into control.worklist (slot, entity, id) select distinct slot, entity, id from control.due"
        " where slot = %s and due_at <= %s on conflict do nothing",
        [slot, as_of],
    )
    connection.execute("analyze control.worklist")

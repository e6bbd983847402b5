"""What was published when: the additive parts and the definitions behind every number readers ever saw.

With each publication the rows of the KPI tables that are not those of the one before are added to ``kpis_history``,
and those that went are closed: a row holds from ``from_publication`` up to, not including, ``to_publication``. So the
history grows with what changes, and any publication can be rebuilt to the last digit, with the formula of then. It is
written in the transaction that turns the views.

A table's columns may change from one publication to the next: ``kpis_history.layouts`` says which it had and under
which name each is kept here (another one where its type changed).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from kefu import catalogue, warehouse
from kefu.catalogue import Kpi
from kefu.errors import KefuError
from kefu.settings import Settings

SCHEMA = "kpis_history"
KEPT = ("publications", "definitions", "layouts")  # ours; the other tables are named after those of kpis
BETWEEN = ("from_publication", "to_publication")
HASH = "row_hash"

TABLES = """
create schema if not exists kpis_history;
comment on schema kpis_history is
'What was published when; a row holds from from_publication up to, not including, to_publication (null: still).';
create table if not exists kpis_history.publications (
    publication_id bigint primary key,
    as_of_at timestamp not null,
    published_at timestamptz not null,
    restores bigint,
    rows_added bigint not null,
    rows_closed bigint not null
);
comment on table kpis_history.publications is 'One row per publication that can be rebuilt.';
create table if not exists kpis_history.definitions (
    kpi text not null,
    profile text not null,
    version integer not null,
    definition jsonb not null,
    from_publication bigint not null,
    to_publication bigint
);
comment on table kpis_history.definitions is 'How each KPI was defined: words and SQL of then.';
create table if not exists kpis_history.layouts (
    table_name text not null,
    columns jsonb not null,
    from_publication bigint not null,
    to_publication bigint
);
comment on table kpis_history.layouts is
'Which columns a KPI table had, and the column of kpis_history that keeps each.';
"""


@dataclass(frozen=True)
class Published:
    """A publication that can be rebuilt."""

    publication_id: int
    as_of_at: datetime  # naive UTC
    published_at: datetime

    def __str__(self) -> str:
        """One line for people."""
        return f"publication {self.publication_id} of {self.published_at:%Y-%m-%d %H:%M:%S %Z}, as of {self.as_of_at}Z"


@dataclass(frozen=True)
class _Staged:
    """What a publication will change in the history of one table; the rows wait in temporary tables."""

    table: str
    columns: tuple[tuple[str, str, str], ...]  # name, type, name here
    changed_layout: bool


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Create what the history is kept in; in the connection's transaction."""
    if connection.execute("select to_regclass('kpis_history.layouts')").fetchone() == (None,):
        connection.execute("select pg_advisory_xact_lock(hashtext('kpis_history'))")
        connection.execute(TABLES)
        for reader in warehouse.READERS:
            who = sql.Identifier(reader)
            connection.execute(sql.SQL("grant usage on schema kpis_history to {}").format(who))
            connection.execute(sql.SQL("grant select on all tables in schema kpis_history to {}").format(who))


# --- writing ---------------------------------------------------------------------------------------------------------


def stage(connection: psycopg.Connection[Any], settings: Settings, slot: str) -> tuple[_Staged, ...]:
    """Find out what of a slot is not as it was published last, before the views are turned.

    The rows wait in temporary tables of the session; nobody else publishes meanwhile.
    """
    staged = []
    present, history = _columns(connection, f"kpis_{slot}"), _columns(connection, SCHEMA)
    # the text of a row, which tells whether it is the same, must not hang on who asks
    connection.execute("set local datestyle = 'ISO'")
    connection.execute("set local timezone = 'UTC'")
    connection.execute("set local extra_float_digits = 1")
    for table in sorted({kpi.table for kpi in catalogue.load(settings.project).values()} & set(present)):
        here = history.get(table)
        columns = tuple((name, kind, _kept_as(name, kind, here or {})) for name, kind in present[table].items())
        layout = _layout(connection, table)
        names = sql.SQL(", ").join(sql.Identifier(name) for name, *_ in columns)
        said = ",".join(f"{name} {kind}" for name, kind, _ in columns)
        waiting = sql.SQL(", ").join([_temporary("fresh", table), _temporary("gone", table)])
        connection.execute(sql.SQL("drop table if exists {}").format(waiting))
        connection.execute(
            sql.SQL("create temporary table {} as select {}, md5({} || row({})::text)::uuid as {} from {}").format(
                _temporary("fresh", table), names, sql.Literal(said), names, sql.Identifier(HASH),
                sql.Identifier(f"kpis_{slot}", table),
            )
        )  # fmt: skip
        gone = _temporary("gone", table)
        connection.execute(sql.SQL("create temporary table {} ({} uuid)").format(gone, sql.Identifier(HASH)))
        if here is not None:
            fresh, kept = _temporary("fresh", table), sql.Identifier(SCHEMA, table)
            connection.execute(
                sql.SQL(
                    "insert into {gone} select kept.row_hash from {kept} as kept"
                    " where kept.to_publication is null"
                    " and not exists (select from {fresh} as fresh where fresh.row_hash = kept.row_hash)"
                ).format(gone=gone, kept=kept, fresh=fresh)
            )
            connection.execute(
                sql.SQL(
                    "delete from {fresh} as fresh using {kept} as kept"
                    " where kept.to_publication is null and kept.row_hash = fresh.row_hash"
                ).format(kept=kept, fresh=fresh)
            )
        staged.append(_Staged(table, columns, layout != [[name, kept_as] for name, _, kept_as in columns]))
    return tuple(staged)


def record(
    connection: psycopg.Connection[Any],
    settings: Settings,
    staged: Sequence[_Staged],
    publication: Any,
) -> None:
    """Keep what a publication shows; in the transaction that makes it."""
    number = publication.id
    added = closed = 0
    for one in staged:
        added += _add(connection, one, number)
        closed += _close(connection, one, number)
    _close_tables_gone(connection, [one.table for one in staged], number)
    _define(connection, settings, number)
    connection.execute(
        "insert into kpis_history.publications (publication_id, as_of_at, published_at, restores, rows_added,"
        " rows_closed) values (%s, %s, %s, %s, %s, %s)",
        [number, publication.as_of_at, publication.published_at, publication.restores, added, closed],
    )
    _forget(connection, publication.published_at - timedelta(days=settings.as_reported_days))


def _add(connection: psycopg.Connection[Any], one: _Staged, number: int) -> int:
    kept = sql.Identifier(SCHEMA, one.table)
    here = _columns(connection, SCHEMA).get(one.table)
    if here is None:
        connection.execute(
            sql.SQL(
                "create table {} (row_hash uuid not null, from_publication bigint not null, to_publication bigint)"
            ).format(kept)
        )
        for reader in warehouse.READERS:
            connection.execute(sql.SQL("grant select on {} to {}").format(kept, sql.Identifier(reader)))
        here = {}
    for _, kind, kept_as in one.columns:
        if kept_as not in here:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(kept, sql.Identifier(kept_as), sql.SQL(kind))
            )
    done = connection.execute(
        sql.SQL("insert into {} ({}, row_hash, from_publication) select {}, row_hash, {} from {}").format(
            kept,
            sql.SQL(", ").join(sql.Identifier(kept_as) for *_, kept_as in one.columns),
            sql.SQL(", ").join(sql.Identifier(name) for name, *_ in one.columns),
            sql.Literal(number),
            _temporary("fresh", one.table),
        )
    )
    if one.changed_layout:
        connection.execute(
            "update kpis_history.layouts set to_publication = %s where table_name = %s and to_publication is null",
            [number, one.table],
        )
        connection.execute(
            "insert into kpis_history.layouts (table_name, columns, from_publication) values (%s, %s, %s)",
            [one.table, json.dumps([[name, kept_as] for name, _, kept_as in one.columns]), number],
        )
    return done.rowcount


def _close(connection: psycopg.Connection[Any], one: _Staged, number: int) -> int:
    return connection.execute(
        sql.SQL(
            "update {} as kept set to_publication = {} from {} as gone"
            " where kept.to_publication is null and kept.from_publication < {} and kept.row_hash = gone.row_hash"
        ).format(
            sql.Identifier(SCHEMA, one.table), sql.Literal(number), _temporary("gone", one.table), sql.Literal(number)
        )
    ).rowcount


def _close_tables_gone(connection: psycopg.Connection[Any], tables: list[str], number: int) -> None:
    """A table that is no longer published holds nothing from now on."""
    gone = connection.execute(
        "select table_name from kpis_history.layouts where to_publication is null and table_name <> all(%s)", [tables]
    ).fetchall()
    for (table,) in gone:
        connection.execute(
            sql.SQL("update {} set to_publication = {} where to_publication is null").format(
                sql.Identifier(SCHEMA, table), sql.Literal(number)
            )
        )
        connection.execute(
            "update kpis_history.layouts set to_publication = %s where table_name = %s and to_publication is null",
            [number, table],
        )


def _define(connection: psycopg.Connection[Any], settings: Settings, number: int) -> None:
    """Keep the definitions that are not those of the publication before."""
    now = {}
    for kpi in catalogue.load(settings.project).values():
        for one in kpi.definitions():
            body = asdict(replace(one, profiles=(), versions=()))
            now[one.id, one.profile, one.version] = json.loads(json.dumps(body))
    open_ = {
        (kpi, profile, version): body
        for kpi, profile, version, body in connection.execute(
            "select kpi, profile, version, definition from kpis_history.definitions where to_publication is null"
        )
    }
    with connection.cursor() as cursor:
        cursor.executemany(
            "update kpis_history.definitions set to_publication = %s"
            " where kpi = %s and profile = %s and version = %s and to_publication is null",
            [[number, *key] for key, body in open_.items() if now.get(key) != body],
        )
        cursor.executemany(
            "insert into kpis_history.definitions (from_publication, kpi, profile, version, definition)"
            " values (%s, %s, %s, %s, %s)",
            [[number, *key, json.dumps(body)] for key, body in now.items() if open_.get(key) != body],
        )


def _forget(connection: psycopg.Connection[Any], before: datetime) -> None:
    """Drop what no publication that was visible at ``before`` or later needs."""
    row = connection.execute(
        "select max(publication_id) from kpis_history.publications where published_at <= %s", [before]
    ).fetchone()
    if not row or row[0] is None:
        return
    oldest = row[0]
    done = connection.execute("delete from kpis_history.publications where publication_id < %s", [oldest])
    if not done.rowcount:
        return
    for table in _columns(connection, SCHEMA):
        if table != "publications":
            connection.execute(
                sql.SQL("delete from {} where to_publication <= {}").format(
                    sql.Identifier(SCHEMA, table), sql.Literal(oldest)
                )
            )


def _temporary(what: str, table: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"{what}_{table}")


def _kept_as(name: str, kind: str, here: dict[str, str]) -> str:
    """The column of the history for a column: its own name, unless that one is of another type."""
    number, kept_as = 1, name
    while kept_as in (*BETWEEN, HASH) or here.get(kept_as, kind) != kind:
        number += 1
        kept_as = f"{name}__{number}"
    return kept_as


def _columns(connection: psycopg.Connection[Any], schema: str) -> dict[str, dict[str, str]]:
    """The columns and types of a schema's tables; of the history only what stands for columns of kpis."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'm', 'p') order by c.relname, a.attnum",
        [schema],
    ):
        found.setdefault(table, {})[column] = kind
    if schema == SCHEMA:
        for table, columns in found.items():
            found[table] = {name: kind for name, kind in columns.items() if name not in (*BETWEEN, HASH)}
    return found


def _layout(connection: psycopg.Connection[Any], table: str) -> list[list[str]] | None:
    row = connection.execute(
        "select columns from kpis_history.layouts where table_name = %s and to_publication is null", [table]
    ).fetchone()
    return row[0] if row else None


# --- reading ---------------------------------------------------------------------------------------------------------


def published(connection: psycopg.Connection[Any], instant: datetime) -> Published:
    """What readers saw at an instant. KefuError if nothing had been published, or it is no longer kept."""
    try:
        row = connection.execute(
            "select publication_id, as_of_at, published_at from kpis_history.publications where published_at <= %s"
            " order by publication_id desc limit 1",
            [instant],
        ).fetchone()
        first = connection.execute("select min(published_at) from kpis_history.publications").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise KefuError("Nothing has been published yet.", do="Run `kefu run`.") from error
    if row is None:
        raise KefuError(
            f"What was published at {instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z is not known.",
            found=f"the first publication kept is of {first[0].astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
            if first and first[0]
            else "no publication is kept",
            do="Ask for a later day; as_reported_days in kefu.toml says how long publications are kept.",
        )
    return Published(row[0], row[1], row[2].astimezone(UTC))


def publications(connection: psycopg.Connection[Any]) -> list[Published]:
    """Every publication that can be rebuilt, the first one first."""
    rows = connection.execute(
        "select publication_id, as_of_at, published_at from kpis_history.publications order by publication_id"
    ).fetchall()
    return [Published(number, as_of, at.astimezone(UTC)) for number, as_of, at in rows]


def definition(
    connection: psycopg.Connection[Any], publication: Published, name: str, profile: str, version: int | None
) -> Kpi:
    """A KPI as it was defined in a publication; KefuError if there was none of that name."""
    rows = connection.execute(
        "select profile, version, definition from kpis_history.definitions where kpi = %(kpi)s"
        " and from_publication <= %(number)s and (to_publication is null or to_publication > %(number)s)"
        " order by version desc",
        {"kpi": name, "number": publication.publication_id},
    ).fetchall()
    for is_profile, is_version, body in rows:
        if is_profile == profile and version in (None, is_version):
            known = {one.name for one in fields(Kpi)}
            said: dict[str, Any] = dict.fromkeys(known)  # what was not yet said then is None
            for key in known & body.keys():
                said[key] = tuple(body[key]) if isinstance(body[key], list) else body[key]
            return Kpi(**said)
    there_were = ", ".join(f"{one} version {number}" for one, number, _ in rows)
    raise KefuError(
        f"{name}{f' version {version}' if version else ''} under profile {profile!r} was no KPI then.",
        found=there_were or f"nothing called {name}",
        where=str(publication),
    )


def relation(connection: psycopg.Connection[Any], publication: Published, table: str) -> sql.Composable:
    """A KPI table as it was in a publication, as a sub-query."""
    row = connection.execute(
        "select columns from kpis_history.layouts where table_name = %(table)s and from_publication <= %(number)s"
        " and (to_publication is null or to_publication > %(number)s)",
        {"table": table, "number": publication.publication_id},
    ).fetchone()
    if row is None:
        raise KefuError(f"kpis.{table} was not published then.", where=str(publication))
    return sql.SQL(
        "(select {} from {} where from_publication <= {number}"
        " and (to_publication is null or to_publication > {number})) as published"
    ).format(
        sql.SQL(", ").join(
            sql.SQL("{} as {}").format(sql.Identifier(kept_as), sql.Identifier(name)) for name, kept_as in row[0]
        ),
        sql.Identifier(SCHEMA, table),
        number=sql.Literal(publication.publication_id),
    )

"""What was published when: the additive parts and the definitions behind every number readers ever saw.

With each publication the rows of the KPI tables that are not those of the one before are added to ``kpis_history``,
and those that went are closed: a row holds from ``from_publication`` up to, not including, ``to_publication``. So the
history grows with what changes, and any publication can be rebuilt to the last digit, with the formula of then. It is
written in the transaction that turns the views.

What changed is found day by day: ``kpis_history.days`` holds a digest of every day's rows as they were published last,
and only days whose digest is another are compared row by row.

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
KEPT = ("publications", "definitions", "layouts", "days")  # ours; the other tables are named after those of kpis
BETWEEN = ("from_publication", "to_publication")
# Types of which equal values are also written the same, so that a hash tells all there is to tell.
PLAIN = ("bigint", "integer", "smallint", "boolean", "text", "date", "timestamp", "numeric(")

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
create table if not exists kpis_history.days (
    table_name text not null,
    day date not null,
    rows bigint not null,
    digest numeric not null,
    primary key (table_name, day)
);
comment on table kpis_history.days is
'Of every day of a KPI table as it was published last: how many rows it has, and the sum of their hashes.';
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
    """What a publication will change in the history of one table; what changed waits in temporary tables."""

    table: str
    built: sql.Identifier
    columns: tuple[tuple[str, str, str], ...]  # name, type, name here
    is_new: bool  # nothing of it is kept yet
    changed_layout: bool

    @property
    def kept(self) -> sql.Identifier:
        """The table that keeps it."""
        return sql.Identifier(SCHEMA, self.table)

    def names(self, *, kept: bool = False) -> sql.Composed:
        """Its columns, by their names here if ``kept``."""
        return sql.SQL(", ").join(sql.Identifier(here if kept else name) for name, _, here in self.columns)

    def day(self, *, kept: bool = False) -> sql.Composable:
        """SQL for the day of a row; one for all rows of a table that knows none."""
        for name, kind, here in self.columns:
            if (name, kind) == ("service_date", "date"):
                return sql.SQL("coalesce({}, '-infinity')").format(sql.Identifier(here if kept else name))
        return sql.SQL("date '-infinity'")

    def hash(self, *, kept: bool = False, seed: int = 0) -> sql.Composed:
        """SQL for a hash of a row, the same for rows that are the same."""
        values = [
            sql.SQL("{}" if kind.startswith(PLAIN) else "{}::text").format(sql.Identifier(here if kept else name))
            for name, kind, here in self.columns
        ]
        return sql.SQL("hash_record_extended(row({}), {})").format(sql.SQL(", ").join(values), sql.Literal(seed))

    def hashes(self, *, kept: bool = False) -> sql.Composed:
        """SQL for two of them, which two rows have in common only if they are the same: 128 bits."""
        return sql.SQL("{} as hash, {} as other_hash").format(self.hash(kept=kept), self.hash(kept=kept, seed=1))

    def digests(self, *, kept: bool = False) -> sql.Composed:
        """SQL for a row a day: how many rows it has, and the sum of their hashes; ``kept``: as published last."""
        return sql.SQL("select {} as day, count(*) as rows, sum({}) as digest from {} group by 1").format(
            self.day(kept=kept),
            self.hash(kept=kept),
            sql.SQL("{} where to_publication is null").format(self.kept) if kept else self.built,
        )


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Create what the history is kept in; in the connection's transaction."""
    if connection.execute("select to_regclass('kpis_history.days')").fetchone() == (None,):
        connection.execute("select pg_advisory_xact_lock(hashtext('kpis_history'))")
        connection.execute(TABLES)
        for table in set(_columns(connection, SCHEMA)) - set(KEPT):  # when days had no digests each row had a hash
            connection.execute(
                sql.SQL("alter table {} drop column if exists row_hash").format(sql.Identifier(SCHEMA, table))
            )
        for reader in warehouse.READERS:
            who = sql.Identifier(reader)
            connection.execute(sql.SQL("grant usage on schema kpis_history to {}").format(who))
            connection.execute(sql.SQL("grant select on all tables in schema kpis_history to {}").format(who))


# --- writing ---------------------------------------------------------------------------------------------------------


def stage(connection: psycopg.Connection[Any], settings: Settings, slot: str) -> tuple[_Staged, ...]:
    """Find out what of a slot is not as it was published last, before the views are turned.

    It waits in temporary tables of the session; nobody else publishes meanwhile.
    """
    staged = []
    present, history = _columns(connection, f"kpis_{slot}"), _columns(connection, SCHEMA)
    # the text of a value, which tells whether it is the same, must not hang on who asks
    connection.execute("set local datestyle = 'ISO'")
    connection.execute("set local timezone = 'UTC'")
    connection.execute("set local extra_float_digits = 1")
    connection.execute("set local work_mem = '64MB'")  # the hashes of a large table
    for table in sorted({kpi.table for kpi in catalogue.load(settings.project).values()} & set(present)):
        here = history.get(table)
        columns = tuple((name, kind, _kept_as(name, kind, here or {})) for name, kind in present[table].items())
        layout = [[name, kept_as] for name, _, kept_as in columns]
        one = _Staged(
            table,
            sql.Identifier(f"kpis_{slot}", table),
            columns,
            is_new=here is None,
            changed_layout=_layout(connection, table) != layout,
        )
        if not one.is_new:  # else nobody reads it yet, and it is kept as it is
            _stage(connection, one)
        staged.append(one)
    return tuple(staged)


def _stage(connection: psycopg.Connection[Any], one: _Staged) -> None:
    """The rows of a table that are new, and where those lie that are gone; of a changed layout all of them."""
    names = {what: _temporary(what, one.table) for what in ("now", "changed", "built", "kept", "fresh", "gone")}

    def put(what: str, query: sql.Composed) -> None:
        connection.execute(sql.SQL("create temporary table {} as {}").format(names[what], query))

    connection.execute(sql.SQL("drop table if exists {}").format(sql.SQL(", ").join(names.values())))
    if one.changed_layout:
        put("fresh", sql.SQL("select {} from {}").format(one.names(), one.built))
        return
    put("now", one.digests())
    put(
        "changed",
        sql.SQL(
            "select day from {} as now full join ({}) as before using (day)"
            " where (now.rows, now.digest) is distinct from (before.rows, before.digest)"
        ).format(names["now"], _before(connection, one)),
    )
    of_those = sql.SQL("in (select day from {})").format(names["changed"])
    put(
        "built",
        sql.SQL("select {}, {} from {} where {} {}").format(one.names(), one.hashes(), one.built, one.day(), of_those),
    )
    put(
        "kept",
        sql.SQL("select ctid as place, {} from {} where to_publication is null and {} {}").format(
            one.hashes(kept=True), one.kept, one.day(kept=True), of_those
        ),
    )
    for what, of, other in (("fresh", "built", "kept"), ("gone", "kept", "built")):
        put(
            what,
            sql.SQL(
                "select * from {} as these where not exists (select from {} as those"
                " where those.hash = these.hash and those.other_hash = these.other_hash)"
            ).format(names[of], names[other]),
        )


def _before(connection: psycopg.Connection[Any], one: _Staged) -> sql.Composable:
    """The digests of a table's days as they were published last."""
    kept = sql.SQL("select day, rows, digest from kpis_history.days where table_name = {}").format(
        sql.Literal(one.table)
    )
    if connection.execute(kept + sql.SQL(" limit 1")).fetchone():
        return kept
    return one.digests(kept=True)  # published before there were digests


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
        _digest(connection, one)
    _close_tables_gone(connection, [one.table for one in staged], number)
    _define(connection, settings, number)
    connection.execute(
        "insert into kpis_history.publications (publication_id, as_of_at, published_at, restores, rows_added,"
        " rows_closed) values (%s, %s, %s, %s, %s, %s)",
        [number, publication.as_of_at, publication.published_at, publication.restores, added, closed],
    )
    _forget(connection, publication.published_at - timedelta(days=settings.as_reported_days))


def _add(connection: psycopg.Connection[Any], one: _Staged, number: int) -> int:
    here = _columns(connection, SCHEMA).get(one.table)
    if here is None:
        connection.execute(
            sql.SQL("create table {} (from_publication bigint not null, to_publication bigint)").format(one.kept)
        )
        for reader in warehouse.READERS:
            connection.execute(sql.SQL("grant select on {} to {}").format(one.kept, sql.Identifier(reader)))
        here = {}
    for _, kind, kept_as in one.columns:
        if kept_as not in here:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(one.kept, sql.Identifier(kept_as), sql.SQL(kind))
            )
    done = connection.execute(
        sql.SQL("insert into {} ({}, from_publication) select {}, {} from {}").format(
            one.kept,
            one.names(kept=True),
            one.names(),
            sql.Literal(number),
            one.built if one.is_new else _temporary("fresh", one.table),
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
    if one.changed_layout:
        return connection.execute(
            sql.SQL(
                "update {} set to_publication = {number} where to_publication is null and from_publication < {number}"
            ).format(one.kept, number=sql.Literal(number))
        ).rowcount
    gone = _temporary("gone", one.table)
    closed = connection.execute(
        sql.SQL(
            "update {} as kept set to_publication = {} from {} as gone"
            " where kept.ctid = gone.place and kept.to_publication is null and {} = gone.hash"
        ).format(one.kept, sql.Literal(number), gone, one.hash(kept=True))
    ).rowcount
    if (closed,) != connection.execute(sql.SQL("select count(*) from {}").format(gone)).fetchone():
        raise KefuError(
            f"{SCHEMA}.{one.table} was rewritten while it was compared; nothing was published.",
            do="Publish again: `kefu publish`.",
        )
    return closed


def _digest(connection: psycopg.Connection[Any], one: _Staged) -> None:
    """Keep the digests of a table's days as they are published now."""
    changed: sql.Composable = sql.SQL("true")
    table, now = sql.Literal(one.table), one.digests(kept=True)
    if not one.changed_layout:
        changed = sql.SQL("day in (select day from {})").format(_temporary("changed", one.table))
        now = sql.SQL("select * from {}").format(_temporary("now", one.table))
    connection.execute(sql.SQL("delete from kpis_history.days where table_name = {} and {}").format(table, changed))
    connection.execute(
        sql.SQL(
            "insert into kpis_history.days (table_name, day, rows, digest)"
            " select {}, day, rows, digest from ({}) as now on conflict do nothing"
        ).format(table, now)
    )


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
        connection.execute("delete from kpis_history.days where table_name = %s", [table])


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
        if table not in ("publications", "days"):
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
    while kept_as in BETWEEN or here.get(kept_as, kind) != kind:
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
            found[table] = {name: kind for name, kind in columns.items() if name not in BETWEEN}
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

"""The raw schemas in the warehouse: their tables, and the one transaction in which a load becomes visible.

Pages land in ``landing_<source>`` first, tables that nobody reads and no crash needs to preserve. From there one
transaction takes them into ``raw_<source>``, together with the source's cursors (``control.cursors``) and what
was loaded (``control.loads``): whenever a process dies, raw holds whole loads and the cursor fits them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from kefu.errors import KefuError
from kefu.sources import Table

if TYPE_CHECKING:
    import pyarrow as pa

Connection = psycopg.Connection[Any]

LOAD_COLUMNS = {"_load_id": "text", "_loaded_at": "timestamp with time zone"}
SEQUENCE = "_sequence"  # landing only: the order in which rows came
FILES = "raw_files"
ANALYZE_FROM = 0.1  # of a table's rows changed by one load; below, autovacuum is early enough

_NAME = re.compile(r"_?[a-z][a-z0-9]*(_[a-z0-9]+)*")  # survives dlt's naming unchanged
_PREPARING = 0x7261775F  # advisory locks: making tables; and, with the source's hash, extracting a source
_EXTRACTING = 0x6578_7472

_LEDGER = """
create table if not exists control.loads (
    load_id text not null,
    source text not null,
    table_name text not null,
    rows bigint not null,
    rows_changed bigint not null,
    rows_deleted bigint not null,
    rows_quarantined bigint not null,
    started_at timestamptz not null,
    loaded_at timestamptz not null,
    seconds double precision not null,
    primary key (load_id, table_name)
);
comment on table control.loads is 'One row per load and table of the source: what _load_id in the raw tables means.';
create table if not exists control.cursors (
    source text primary key,
    state text not null,
    load_id text not null,
    saved_at timestamptz not null
);
comment on table control.cursors is 'Where each source goes on reading, saved with the rows it stands for.';
"""


def quarantine() -> Table:
    """Rows that could not be read, with where they stood and why."""
    import pyarrow as pa

    text = pa.string()
    columns = {"entity": text, "file": text, "line": pa.int64(), "column_name": text, "value": text}
    return Table(
        name="quarantine",
        columns=columns | {"reason": text, "row": text},
        key=(),
        disposition="append",
        description="Rows that could not be read: where they stood and why.",
    )


def removed() -> Table:
    """What rows that are gone were part of, or rows that are part of something else now."""
    import pyarrow as pa

    return Table(
        name="removed",
        columns={"table_name": pa.string(), "root": pa.string()},
        key=(),
        disposition="append",
        description="What rows that are gone were part of: builds make its facts anew.",
    )


@dataclass(frozen=True)
class TableLoad:
    """What one load did to one raw table, in rows.

    ``rows`` came from the source; ``changed`` of them are new or differ from what was there; ``deleted``
    disappeared (replaced tables, files delivered again); ``quarantined`` could not be read.
    """

    table: str
    rows: int
    changed: int
    deleted: int
    quarantined: int


Superseded = Mapping[tuple[str, tuple[str, ...]], Sequence[tuple[str, ...]]]


def raw(source: str) -> str:
    """The schema a source's rows end up in."""
    return f"raw_{source}"


def landing(source: str) -> str:
    """The schema they pass through."""
    return f"landing_{source}"


def postgres_type(kind: pa.DataType) -> str:
    """The type of a column, spelt as Postgres' catalogue spells it. KefuError for one that raw tables do not have."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return f"timestamp with{'' if kind.tz else 'out'} time zone"
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    for is_kind, name in (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_int16, "smallint"),
        (pa.types.is_int32, "integer"),
        (pa.types.is_int64, "bigint"),
        (pa.types.is_float64, "double precision"),
        (pa.types.is_string, "text"),
        (pa.types.is_large_string, "text"),
        (pa.types.is_date32, "date"),
        (pa.types.is_time64, "time without time zone"),
        (pa.types.is_binary, "bytea"),
    ):
        if is_kind(kind):
            return name
    raise KefuError(f"Raw tables have no columns of type {kind}.", do="Convert the column before yielding it.")


def prepare_ledger(connection: Connection) -> None:
    """Create control.loads and control.cursors where they are missing."""
    there = "select to_regclass('control.loads') is not null and to_regclass('control.cursors') is not null"
    if not _value(connection.execute(there)):
        with _preparing(connection):
            connection.execute(_LEDGER)


def prepare_source(connection: Connection, source: str, tables: Iterable[Table]) -> None:
    """Create what is missing of a source's raw schema: tables, columns, its quarantine.

    Raises KefuError if a table is there with another type or key than declared.
    """
    schema = raw(source)
    tables = [*tables, quarantine(), removed()]
    known = columns(connection, schema)
    keys = _keys(connection, schema)
    indexed = _indexes(connection, schema)
    if all(
        table.name in known
        and declared(table).items() <= known[table.name].items()
        and keys.get(table.name, ()) == _primary_key(table)
        and {index for index, _ in _wanted_indexes(table)} <= indexed
        for table in tables
    ):
        return
    with _preparing(connection):
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        known, keys = columns(connection, schema), _keys(connection, schema)
        for table in tables:
            if table.name in known:
                _complete(connection, schema, table, known[table.name], keys.get(table.name, ()))
            else:
                connection.execute(_create(schema, table, declared(table), _primary_key(table)))
                if table.description:
                    connection.execute(
                        sql.SQL("comment on table {} is {}").format(
                            sql.Identifier(schema, table.name), sql.Literal(table.description)
                        )
                    )
            for index, definition in _wanted_indexes(table):
                connection.execute(
                    sql.SQL("create index if not exists {} on {} {}").format(
                        sql.Identifier(index), sql.Identifier(schema, table.name), sql.SQL(definition)
                    )
                )


def prepare_files(connection: Connection, sources: Iterable[str], tables: Iterable[Table]) -> None:
    """Bring the views ``raw_files.<entity>`` up to date: the rows of every file source, the source in front.

    Without any source they are there and empty, so that the models above always have something to read.
    """
    sources = sorted(sources)
    wanted = {table.name: _union(sources, table) for table in (*tables, quarantine(), removed())}
    marks = {name: sha256(query.encode()).hexdigest()[:16] for name, query in wanted.items()}
    found = dict(
        connection.execute(
            "select relname, obj_description(oid, 'pg_class') from pg_class"
            " where relnamespace = to_regnamespace(%s) and relkind = 'v'",
            [FILES],
        ).fetchall()
    )
    stale = [name for name in wanted if not (found.get(name) or "").endswith(marks[name])]
    if not stale:
        return
    with _preparing(connection):
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(FILES)))
        for name in stale:
            view = sql.Identifier(FILES, name)
            query = sql.SQL(wanted[name])
            try:
                with connection.transaction():
                    connection.execute(sql.SQL("create or replace view {} as ").format(view) + query)
            except psycopg.errors.InvalidTableDefinition:
                # Its columns changed. Only staging views stand on it, and every build makes those anew.
                connection.execute(sql.SQL("drop view {} cascade").format(view))
                connection.execute(sql.SQL("create view {} as ").format(view) + query)
            mark = f"Every file source's {name}; {marks[name]}"
            connection.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(mark)))


@contextmanager
def held(connection: Connection, source: str) -> Iterator[None]:
    """Hold the source for this connection: one extraction of it at a time. KefuError says who has it."""
    if not _value(connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", [_EXTRACTING, source])):
        raise _is_held(connection, source)
    try:
        yield
    finally:
        # It would go with the connection, but only once the server has noticed; whoever comes next may be quicker.
        with suppress(psycopg.Error):
            connection.execute("select pg_advisory_unlock(%s, hashtext(%s))", [_EXTRACTING, source])


def _is_held(connection: Connection, source: str) -> KefuError:
    holder = connection.execute(
        "select a.pid, a.application_name, a.backend_start from pg_locks l join pg_stat_activity a using (pid)"
        " where l.locktype = 'advisory' and l.classid = %s and l.objid::bigint = hashtext(%s)::bigint & 4294967295"
        " and l.granted",
        [_EXTRACTING, source],
    ).fetchone()
    found = f"a session of {holder[1]}, since {holder[2]:%H:%M:%S} UTC (server process {holder[0]})" if holder else None
    return KefuError(
        f"{source} is being extracted already.",
        found=found,
        where=f"schema {raw(source)}",
        do="Wait until that has finished; both would read on from the same place.",
    )


def cursors(connection: Connection, source: str) -> dict[str, Any]:
    """What the source remembered at its last load; empty before the first."""
    row = connection.execute("select state from control.cursors where source = %s", [source]).fetchone()
    return json.loads(row[0]) if row else {}


def clear_landing(connection: Connection, source: str) -> None:
    """Drop what a load left behind on its way, its own or that of a process that died."""
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(landing(source))))


def make_landing(connection: Connection, source: str, tables: Iterable[Table]) -> None:
    """Empty tables to land in. Not logged: after a crash of the server the load starts again anyway."""
    schema = landing(source)
    clear_landing(connection, source)
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    for table in tables:
        types = _types(table) | {SEQUENCE: "bigint"}
        connection.execute(_create(schema, table, types, (), unlogged=True))


def publish(
    connection: Connection,
    source: str,
    tables: Sequence[Table],
    landed: Mapping[str, int],
    *,
    superseded: Superseded,
    state: Mapping[str, Any],
    started: datetime,
    forget_quarantine: bool = False,
) -> tuple[str, tuple[TableLoad, ...]]:
    """Take what landed into raw, with the cursors and the ledger, all of it or nothing.

    ``landed`` says how many rows were sent to each table; a table that is not in it was not delivered. Returns
    the load's id and what happened to each table. Empties the landing tables.

    Raises KefuError if the landing tables do not hold what was sent, or a column has another type in raw.
    """
    with connection.transaction():
        connection.execute("set local work_mem = '128MB'")
        load_id, at = _identify(connection, source)
        mark = {"load_id": load_id, "at": at}
        loads = {table.name: TableLoad(table.name, 0, 0, 0, 0) for table in tables}
        _verify(connection, source, landed)
        if forget_quarantine:
            connection.execute(sql.SQL("delete from {}").format(sql.Identifier(raw(source), "quarantine")))
        for table in (*tables, quarantine()):
            deleted = _supersede(connection, source, table, superseded, mark) if superseded else 0
            changed = 0
            if table.name in landed:
                changed, gone = _take(connection, source, table, mark)
                deleted += gone
            loads[table.name] = TableLoad(table.name, landed.get(table.name, 0), changed, deleted, 0)
        del loads["quarantine"]
        for entity, rows in _quarantined(connection, source, landed).items():
            known = loads.get(entity, TableLoad(entity, 0, 0, 0, 0))
            loads[entity] = TableLoad(entity, known.rows, known.changed, known.deleted, rows)
        _record(connection, source, mark, state, started, loads.values())
        for name in landed:
            connection.execute(sql.SQL("truncate {}").format(sql.Identifier(landing(source), name)))
    _analyze(connection, source, loads.values())
    return load_id, tuple(loads.values())


def _analyze(connection: Connection, source: str, loads: Iterable[TableLoad]) -> None:
    """Have the planner look at tables that are another now: a build that follows at once relies on it."""
    known = dict(
        connection.execute(
            "select relname, reltuples from pg_class where relnamespace = to_regnamespace(%s)", [raw(source)]
        ).fetchall()
    )
    for load in loads:
        changed = load.changed + load.deleted
        if changed and changed >= ANALYZE_FROM * known.get(load.table, 0):  # -1 where nobody looked yet
            connection.execute(sql.SQL("analyze {}").format(sql.Identifier(raw(source), load.table)))


def declared(table: Table) -> dict[str, str]:
    """The columns of a raw table and their types, the load's two last."""
    return _types(table) | LOAD_COLUMNS


def columns(connection: Connection, schema: str) -> dict[str, dict[str, str]]:
    """The tables of a schema as they are: column and type, in their order."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = to_regnamespace(quote_ident(%s)) and c.relkind in ('r', 'p')"
        " order by c.relname, a.attnum",
        [schema],
    ):
        found.setdefault(table, {})[column] = "text" if kind == "character varying" else kind
    return found


def _types(table: Table) -> dict[str, str]:
    for name in (table.name, *table.columns):
        if not _NAME.fullmatch(name):
            raise KefuError(
                f"{name!r} cannot be the name of a raw table or column.",
                expected="lower-case words joined by single underscores",
                where=f"table {table.name}",
            )
    return {name: postgres_type(kind) for name, kind in table.columns.items()}


def _primary_key(table: Table) -> tuple[str, ...]:
    return () if table.disposition == "append" else table.key


def _create(
    schema: str, table: Table, types: Mapping[str, str], key: Sequence[str], *, unlogged: bool = False
) -> sql.Composed:
    lines: list[sql.Composable] = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in types.items()
    ]
    if key:
        lines.append(sql.SQL("primary key ({})").format(_names(key)))
    return sql.SQL("create {}table {} ({})").format(
        sql.SQL("unlogged " if unlogged else ""),
        sql.Identifier(schema, table.name),
        sql.SQL(", ").join(lines),
    )


def _complete(
    connection: Connection, schema: str, table: Table, known: Mapping[str, str], key: tuple[str, ...]
) -> None:
    for name, kind in declared(table).items():
        if name not in known:
            _add_column(connection, schema, table.name, name, kind)
        elif known[name] != kind:
            raise _type_changed(f"{schema}.{table.name}", name, expected=kind, found=known[name], holder="warehouse")
    expected = _primary_key(table)
    if key != expected:
        raise KefuError(
            f"The key of {schema}.{table.name} is another one than this version of Kefu expects.",
            expected=", ".join(expected) or "none",
            found=", ".join(key) or "none",
            do=f"Drop the table and read the source again: `kefu extract {schema.removeprefix('raw_')} --full`.",
        )


def _add_column(connection: Connection, schema: str, table: str, name: str, kind: str) -> None:
    connection.execute(
        sql.SQL("alter table {} add column {} {}").format(
            sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(kind)
        )
    )


def _type_changed(table: str, column: str, *, expected: str, found: str, holder: str) -> KefuError:
    return KefuError(
        f"Column {column} of {table} has another type than it had.",
        expected=expected,
        found=f"{found} ({holder})",
        where=f"{table}.{column}",
        do="Nothing was loaded. Correct the source; if the new type is right, drop the table and extract with --full.",
    )


def _keys(connection: Connection, schema: str) -> dict[str, tuple[str, ...]]:
    return {
        table: tuple(key)
        for table, key in connection.execute(
            "select c.relname, array_agg(a.attname::text order by k.place) from pg_index i"
            " join pg_class c on c.oid = i.indrelid"
            " cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, place)"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum"
            " where i.indisprimary and c.relnamespace = to_regnamespace(quote_ident(%s)) group by c.relname",
            [schema],
        )
    }


def _wanted_indexes(table: Table) -> list[tuple[str, str]]:
    """Name and definition of a table's indexes beside its key: by what builds ask which rows are new, or whose."""
    # Rows stand in the order of their loads, or nearly: a range of pages says enough, and costs a load nothing.
    indexes = [(f"{table.name}_by_load", "using brin (_loaded_at) with (pages_per_range = 16, autosummarize = on)")]
    return indexes + [(f"{table.name}_by_{'_'.join(names)}", f"({', '.join(names)})") for names in table.lookups]


def _indexes(connection: Connection, schema: str) -> set[str]:
    found = connection.execute("select indexname from pg_indexes where schemaname = %s", [schema])
    return {name for (name,) in found}


def _union(sources: Sequence[str], table: Table) -> str:
    types = declared(table)
    if not sources:
        nothing = ", ".join(f'null::{kind} as "{name}"' for name, kind in types.items())
        return f"select null::text as source, {nothing} where false"
    names = ", ".join(f'"{name}"' for name in types)
    return " union all ".join(
        f"select '{source}'::text as source, {names} from {raw(source)}.{table.name}" for source in sources
    )


def _identify(connection: Connection, source: str) -> tuple[str, datetime]:
    # Later than the load before, even if the server's clock was set back: whoever reads what is new reads by it.
    latest = connection.execute(
        "select greatest(clock_timestamp(), max(loaded_at) + interval '1 microsecond') from control.loads"
        " where source = %s",
        [source],
    )
    at: datetime = _value(latest).astimezone(UTC)
    return f"{source}-{at:%Y%m%dT%H%M%S.%fZ}", at


def _verify(connection: Connection, source: str, landed: Mapping[str, int]) -> None:
    for name, sent in landed.items():
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(landing(source), name))
        found = _value(connection.execute(query))
        if found != sent:
            raise KefuError(
                f"{source}: not all rows of {name} reached the warehouse.",
                expected=f"{sent} rows",
                found=f"{found} rows",
                where=f"{landing(source)}.{name}",
                do="Nothing was loaded; run it again. It happens when the database server restarts during a load.",
            )


def _supersede(
    connection: Connection, source: str, table: Table, superseded: Superseded, mark: Mapping[str, Any]
) -> int:
    deleted = 0
    for (name, fields), values in superseded.items():
        if name != table.name:
            continue
        connection.execute("drop table if exists pg_temp.superseded")
        connection.execute(
            sql.SQL("create temporary table superseded ({}) on commit drop").format(
                sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(field)) for field in fields)
            )
        )
        with connection.cursor().copy("copy pg_temp.superseded from stdin") as copy:
            for value in set(values):
                copy.write_row(value)
        connection.execute("analyze pg_temp.superseded")
        matches = sql.SQL(" and ").join(
            sql.SQL("t.{0} = s.{0}::{1}").format(sql.Identifier(field), sql.SQL(declared(table)[field]))
            for field in fields
        )
        query = sql.SQL("delete from {} t using pg_temp.superseded s where {}").format(
            sql.Identifier(raw(source), name), matches
        )
        if table.key:
            query += sql.SQL(" and not exists (select from {} l where {})").format(
                sql.Identifier(landing(source), name), _equal("t", "l", table.key)
            )
        deleted += _delete(connection, source, table, query, mark)
    return deleted


def _delete(connection: Connection, source: str, table: Table, query: sql.Composed, mark: Mapping[str, Any]) -> int:
    """Delete rows of a raw table (``t``), and remember what they were part of."""
    if not table.root:
        return connection.execute(query).rowcount
    counted = connection.execute(
        sql.SQL(
            "with gone as ({query} returning {root} as root), kept as (insert into {removed} select distinct"
            " {name}, root, %(load_id)s, %(at)s from gone) select count(*) from gone"
        ).format(
            query=query,
            root=_root(table, "t"),
            removed=sql.Identifier(raw(source), "removed"),
            name=sql.Literal(table.name),
        ),
        mark,
    )
    return int(_value(counted))


def _root(table: Table, alias: str) -> sql.Composed:
    columns_ = sql.SQL(", ").join(sql.Identifier(alias, name) for name in table.root)
    return sql.SQL("concat_ws('-', {})").format(columns_)


def _remember_moved(connection: Connection, source: str, table: Table, mark: Mapping[str, Any]) -> None:
    """Rows that will be part of something else than they were."""
    if set(table.root) <= set(table.key):
        return
    connection.execute(
        sql.SQL(
            "insert into {removed} select distinct {name}, {before}, %(load_id)s, %(at)s from {target} t"
            " join {here} l on {same} where {before} is distinct from {after}"
        ).format(
            removed=sql.Identifier(raw(source), "removed"),
            name=sql.Literal(table.name),
            before=_root(table, "t"),
            after=_root(table, "l"),
            target=sql.Identifier(raw(source), table.name),
            here=sql.Identifier(landing(source), table.name),
            same=_equal("t", "l", table.key),
        ),
        mark,
    )


def _take(connection: Connection, source: str, table: Table, mark: Mapping[str, Any]) -> tuple[int, int]:
    """Landing to raw for one table; returns rows changed and rows deleted."""
    target, here = sql.Identifier(raw(source), table.name), sql.Identifier(landing(source), table.name)
    names = _same_columns(connection, source, table)
    key = _primary_key(table)
    deleted = 0
    if key:
        connection.execute(
            sql.SQL(
                "delete from {here} l using (select {key}, max({sequence}) as last from {here} group by {key}"
                " having count(*) > 1) d where {same} and l.{sequence} < d.last"
            ).format(
                here=here,
                key=_names(key),
                sequence=sql.Identifier(SEQUENCE),
                same=_equal("l", "d", key),
            )
        )
    if table.disposition == "replace":
        gone = sql.SQL("delete from {} t").format(target)
        if key:
            gone += sql.SQL(" where not exists (select from {} l where {})").format(here, _equal("t", "l", key))
        deleted = _delete(connection, source, table, gone, mark)
    insert = sql.SQL(
        "insert into {target} as t ({names}, _load_id, _loaded_at) select {names}, %(load_id)s, %(at)s from {here}"
    ).format(target=target, here=here, names=_names(names))
    empty = sql.SQL("select not exists (select from {})").format(target)
    if key and not _value(connection.execute(empty)):
        _remember_moved(connection, source, table, mark)
        insert += _on_conflict(key, [name for name in names if name not in key])
    return connection.execute(insert, mark).rowcount, deleted


def _on_conflict(key: Sequence[str], others: Sequence[str]) -> sql.Composed:
    if not others:
        return sql.SQL(" on conflict ({}) do nothing").format(_names(key))
    return sql.SQL(
        " on conflict ({key}) do update set {sets}, _load_id = excluded._load_id, _loaded_at = excluded._loaded_at"
        " where ({before}) is distinct from ({after})"
    ).format(
        key=_names(key),
        sets=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others),
        before=sql.SQL(", ").join(sql.Identifier("t", name) for name in others),
        after=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in others),
    )


def _same_columns(connection: Connection, source: str, table: Table) -> list[str]:
    """The columns that landed; a new one is added to raw, one of another type refused."""
    have = columns(connection, raw(source))[table.name]
    come = columns(connection, landing(source))[table.name]
    come.pop(SEQUENCE)
    for name, kind in come.items():
        if name not in have:
            _add_column(connection, raw(source), table.name, name, kind)
        elif have[name] != kind:
            raise _type_changed(
                f"{raw(source)}.{table.name}", name, expected=have[name], found=kind, holder="what came now"
            )
    return list(come)


def _quarantined(connection: Connection, source: str, landed: Mapping[str, int]) -> dict[str, int]:
    if "quarantine" not in landed:
        return {}
    query = sql.SQL("select entity, count(*) from {} group by entity")
    return dict(connection.execute(query.format(sql.Identifier(landing(source), "quarantine"))).fetchall())


def _record(
    connection: Connection,
    source: str,
    mark: Mapping[str, Any],
    state: Mapping[str, Any],
    started: datetime,
    loads: Iterable[TableLoad],
) -> None:
    seconds = (datetime.now(UTC) - started).total_seconds()
    connection.cursor().executemany(
        "insert into control.loads values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                mark["load_id"], source, load.table, load.rows, load.changed, load.deleted, load.quarantined,
                started, mark["at"], seconds,
            )
            for load in loads
        ],
    )  # fmt: skip
    connection.execute(
        "insert into control.cursors values (%s, %s, %s, %s) on conflict (source) do update"
        " set state = excluded.state, load_id = excluded.load_id, saved_at = excluded.saved_at",
        [source, json.dumps(state, sort_keys=True), mark["load_id"], mark["at"]],
    )


def _value(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _equal(one: str, other: str, names: Iterable[str]) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(one, name), sql.Identifier(other, name)) for name in names
    )


@contextmanager
def _preparing(connection: Connection) -> Iterator[None]:
    """A transaction that alone creates tables; the connection is in autocommit."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [_PREPARING])
        # Whoever held the lock before may have created what we believe is missing: touching a catalogue table makes
        # the server forget what it remembers of it. Without this `create schema if not exists` can collide.
        connection.execute("select count(*) from pg_namespace")
        yield

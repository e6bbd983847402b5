"""Turns what readers see from one finished build to another, all at once, and back.

dbt builds into one of two slots, ``marts_a``/``kpis_a`` or ``marts_b``/``kpis_b``. Readers see ``marts`` and ``kpis``:
nothing but views over the tables of one slot. Publishing replaces all of them in one transaction, so a reader sees
the old numbers or the new ones, never some of each; whatever dies meanwhile leaves the old ones.

How it keeps out of the readers' way: it takes the locks of all views first, and only if they are to be had at once,
or now and then within less time than Postgres waits before it looks for a deadlock. A reader in the middle of a query
makes it let go and try again; no reader is ever cancelled for it, and none waits longer than that moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import psycopg
from psycopg import sql

from kefu import history, warehouse
from kefu.errors import KefuError
from kefu.settings import Settings

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, Slot] = ("a", "b")
LAYERS = warehouse.PUBLISHED
PUBLICATION = "publication"  # kpis.publication: ours, not a table of the slot

PATIENCE = 60.0  # seconds until we say who is in the way
# Postgres looks for deadlocks after a second of waiting. Whoever waits for us began after we did, so letting go well
# before our own second is over means that it is never the reader who gets the deadlock error.
MOMENT_MS = 400
BETWEEN_MOMENTS = 3.0  # seconds in which readers are not held up at all

_PUBLISHING = 0x7075626C  # advisory lock: one publication at a time

CONTROL = """
create table if not exists control.publications (
    publication_id bigint generated always as identity primary key,
    slot text not null check (slot in ('a', 'b')),
    build_id bigint not null,
    as_of_at timestamp not null,
    published_at timestamptz not null,
    definitions text not null,
    sources text not null,
    checks text not null,
    restores bigint references control.publications
);
comment on table control.publications is
'One row per change of what readers see; the newest says what they see now. A roll-back names in restores the
publication it brought back.';
create or replace view kpis.publication as
select
    publications.as_of_at,
    publications.published_at,
    publications.slot,
    publications.sources,
    publications.checks,
    publications.definitions,
    publications.build_id,
    publications.publication_id
from control.publications
order by publications.publication_id desc
limit 1;
comment on view kpis.publication is 'One row: what readers see now.';
comment on column kpis.publication.as_of_at is 'The instant (UTC) the numbers are as of: nothing later is in them.';
comment on column kpis.publication.published_at is 'When they became visible.';
comment on column kpis.publication.slot is 'The slot behind the views: a or b.';
comment on column kpis.publication.sources is 'The sources in the numbers, separated by commas.';
comment on column kpis.publication.checks is 'Rules that hold / rules the build was held to.';
comment on column kpis.publication.definitions is 'Fingerprint of the KPI definitions the numbers were made with.';
comment on column kpis.publication.build_id is 'The build that made the numbers.';
comment on column kpis.publication.publication_id is 'Counts the publications.';
"""


@dataclass(frozen=True)
class Publication:
    """What readers saw from ``published_at`` on. ``restores``: the publication a roll-back brought back."""

    id: int
    slot: Slot
    build_id: int
    as_of_at: datetime  # naive UTC
    published_at: datetime
    definitions: str
    sources: str
    checks: str
    restores: int | None = None
    views: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """One line for people."""
        what = f"publication {self.id}" + (f", which brings back {self.restores}" if self.restores else "")
        return f"readers see {what}: slot {self.slot}, build {self.build_id}, as of {self.as_of_at}Z"


@dataclass(frozen=True)
class Status:
    """What readers see (None before the first publication), the slot the next build goes into, and the publication a
    roll-back would bring back (None: ``no_rollback`` says why not)."""

    current: Publication | None
    target: Slot
    rollback_to: Publication | None
    no_rollback: str


@dataclass(frozen=True)
class _Build:
    """The last build, finished or not."""

    build_id: int
    slot: Slot
    is_checked: bool


@dataclass(frozen=True)
class _Relation:
    """A table of a slot, or a view over one."""

    columns: tuple[tuple[str, str], ...]
    comment: str | None
    column_comments: tuple[tuple[str, str], ...]
    reads: str | None = None  # of a view: schema and name of the table behind it
    grants: tuple[tuple[str, str], ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class _Dependent:
    """A view somebody built on one of ours; it has to go and come back when ours changes its columns."""

    name: sql.Identifier
    label: str
    kind: str
    ours: bool
    definition: str
    comment: str | None
    grants: tuple[tuple[str, str], ...]


def prepare(settings: Settings) -> None:
    """Create the control tables of publication and ``kpis.publication``; may run any time."""
    with warehouse.connect(settings) as connection:
        prepare_control(connection)


def prepare_control(connection: psycopg.Connection[Any]) -> None:
    """The same on an open connection, in its transaction."""
    if connection.execute("select to_regclass('kpis.publication')").fetchone() == (None,):
        connection.execute("select pg_advisory_xact_lock(%s)", [_PUBLISHING + 1])
        connection.execute(CONTROL)
    history.prepare(connection)


def require_slot(slot: str) -> Slot:
    """``slot`` as a slot; KefuError for anything else."""
    if slot not in SLOTS:
        raise KefuError(f"There is no slot {slot!r}.", expected=" or ".join(SLOTS))
    return slot


def target_slot(settings: Settings) -> Slot:
    """The slot readers do not see: the one to build into."""
    with warehouse.connect(settings) as connection:
        prepare_control(connection)
        return _target(_current(connection))


def publish(settings: Settings, slot: str, *, as_of: datetime, patience: float = PATIENCE) -> Publication:
    """Let readers see what is in ``slot``, as of ``as_of``; all at once, or not at all.

    Publishing again what is already visible changes nothing. Raises KefuError: the slot has not passed its check or is
    empty, another publication is under way, or a reader's query stayed in the way for ``patience`` seconds.
    """
    target = require_slot(slot)
    as_of_at = as_of.astimezone(UTC).replace(tzinfo=None) if as_of.tzinfo else as_of

    def change(connection: psycopg.Connection[Any]) -> tuple[Slot, Callable[[], Publication]]:
        current, build = _current(connection), _publishable(connection, target)

        def record() -> Publication:
            if current and (current.slot, current.build_id, current.as_of_at) == (target, build.build_id, as_of_at):
                return current
            return _insert(
                connection,
                Publication(
                    0, target, build.build_id, as_of_at, datetime.now(UTC), _definitions(settings),
                    _sources(connection, target), _checks(connection, target),
                ),
            )  # fmt: skip

        return target, record

    return _turn(settings, change, patience)


def rollback(settings: Settings, *, patience: float = PATIENCE) -> Publication:
    """Let readers see again what they saw before the last publication.

    Raises KefuError if there is nothing to go back to: the first publication, already rolled back, or a build has
    begun to overwrite it.
    """

    def change(connection: psycopg.Connection[Any]) -> tuple[Slot, Callable[[], Publication]]:
        earlier, why_not = _rollback_target(connection)
        if earlier is None:
            raise KefuError("There is nothing to roll back to.", found=why_not, do="Correct the cause and run again.")
        back = replace(earlier, restores=earlier.restores or earlier.id)
        return back.slot, lambda: _insert(connection, back)

    return _turn(settings, change, patience)


def status(settings: Settings) -> Status:
    """What readers see, what comes next, what a roll-back would bring back."""
    with warehouse.connect(settings) as connection:
        prepare_control(connection)
        current = _current(connection)
        return Status(current, _target(current), *_rollback_target(connection))


# --- the change itself -----------------------------------------------------------------------------------------------


class _InTheWayError(Exception):
    """A reader holds what we need."""


def _turn(
    settings: Settings,
    change: Callable[[psycopg.Connection[Any]], tuple[Slot, Callable[[], Publication]]],
    patience: float,
) -> Publication:
    """Turn all views in one transaction; try again while readers are in the way."""
    began = time.monotonic()
    with warehouse.connect(settings, application_name="kefu publish", autocommit=True) as connection:
        with connection.transaction():
            prepare_control(connection)
        with _alone(connection):
            with connection.transaction():
                slot, _ = change(connection)
                staged = history.stage(connection, settings, slot)
            for moment in _moments(patience):
                try:
                    with connection.transaction():
                        before = _current(connection)
                        slot, record = change(connection)
                        views = _turn_all(connection, slot, moment)
                        publication = record()
                        if before is None or publication.id != before.id:
                            history.record(connection, settings, staged, publication)
                    return replace(publication, views=views, seconds=round(time.monotonic() - began, 3))
                except _InTheWayError:
                    continue
            raise KefuError(
                f"Readers were in the way for {patience:.0f} seconds; nothing was changed, they see what they saw.",
                found=_in_the_way(connection),
                do="Publish again: `kefu publish`. A query that never ends can be ended with"
                " `select pg_terminate_backend(pid)`.",
            )


@contextmanager
def _alone(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """One publication at a time; KefuError if another one is under way."""
    row = connection.execute("select pg_try_advisory_lock(%s)", [_PUBLISHING]).fetchone()
    if not row or not row[0]:
        raise KefuError(
            "Another publication is under way.",
            do="Wait for it to end; `select * from kpis.publication` says what readers see then.",
        )
    try:
        yield
    finally:
        # It would go with the session, but only once the server has noticed; whoever comes next may be quicker.
        with suppress(psycopg.Error):
            connection.execute("select pg_advisory_unlock(%s)", [_PUBLISHING])


def _moments(patience: float) -> Iterator[int]:
    """How long to wait for readers, in ms, time after time until ``patience`` seconds are over.

    First a great many times hardly at all: a moment when nobody reads comes soon, and nobody notices. Where one
    reader follows on another it never does; so now and then new ones are held up until those at work have ended.
    """
    began = held_up = time.monotonic()
    while time.monotonic() - began < patience:
        if time.monotonic() - held_up > BETWEEN_MOMENTS:
            yield MOMENT_MS
            held_up = time.monotonic()
        else:
            yield 1
        time.sleep(random.uniform(0.005, 0.02))  # noqa: S311


def _turn_all(connection: psycopg.Connection[Any], slot: Slot, moment: int) -> int:
    """Bring all views to the tables of a slot; how many there are then."""
    wanted, present = _slot_relations(connection, slot), _published_views(connection)
    if not wanted:
        raise KefuError(
            f"Slot {slot} is empty.", expected=f"tables in marts_{slot} and kpis_{slot}", do="`kefu build`."
        )
    changing = [name for name in sorted({*wanted, *present}) if wanted.get(name) != present.get(name)]
    _lock(connection, [name for name in changing if name in present], moment)
    for name in changing:
        _turn_one(connection, name, wanted.get(name), present.get(name))
    return len(wanted)


def _lock(connection: psycopg.Connection[Any], views: list[tuple[str, str]], moment: int) -> None:
    """Take the exclusive locks of views, and of ours built on them, within ``moment`` ms; else `_InTheWayError`."""
    if not views:
        return
    # Setting the owner to who it is changes nothing and takes just the lock wanted. LOCK TABLE would also lock the
    # tables behind a view, and then wait for any vacuum of them.
    names = [sql.Identifier(*view) for view in views]
    names += [one.name for one in _dependents(connection, views) if one.ours and one.kind == "v"]
    statements = sql.SQL(" ").join(sql.SQL("alter view {} owner to current_user;").format(name) for name in names)
    body = sql.SQL("begin {} end").format(statements).as_string(connection)
    limit = "lock_timeout" if moment == 1 else "statement_timeout"
    connection.execute(sql.SQL("set local {} = {}").format(sql.SQL(limit), sql.Literal(moment)))
    try:
        connection.execute(sql.SQL("do {}").format(sql.Literal(body)))
    except (
        psycopg.errors.QueryCanceled,
        psycopg.errors.LockNotAvailable,
        psycopg.errors.DeadlockDetected,
    ) as error:
        raise _InTheWayError from error
    connection.execute(sql.SQL("set local {} = 0").format(sql.SQL(limit)))


def _turn_one(
    connection: psycopg.Connection[Any],
    name: tuple[str, str],
    wanted: _Relation | None,
    present: _Relation | None,
) -> None:
    """Bring one view to what it should be: replace it, make it, or drop it."""
    view = sql.Identifier(*name)
    if wanted is None:
        _drop(connection, name)
        return
    if present is None or (wanted.columns, wanted.reads) != (present.columns, present.reads):
        # Postgres replaces a view in place only if all old columns stay as they are and new ones come last.
        dropped: list[_Dependent] = []
        grants: tuple[tuple[str, str], ...] = ()
        if present is not None and wanted.columns[: len(present.columns)] != present.columns:
            dropped, grants, present = _drop(connection, name), present.grants, None
        connection.execute(
            sql.SQL("create or replace view {} as select {} from {}").format(
                view,
                sql.SQL(", ").join(sql.Identifier(column) for column, _ in wanted.columns),
                sql.Identifier(*str(wanted.reads).split(".", 1)),
            )
        )
        _grant(connection, view, (*grants, *((reader, "SELECT") for reader in warehouse.READERS)))
        for dependent in dropped:
            _restore(connection, dependent, name)
    if wanted.comment != (present.comment if present else None):
        connection.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(wanted.comment)))
    said, known = dict(wanted.column_comments), dict(present.column_comments) if present else {}
    for column, _ in wanted.columns:
        if said.get(column) != known.get(column):
            what = sql.Identifier(*name, column)
            connection.execute(sql.SQL("comment on column {} is {}").format(what, sql.Literal(said.get(column))))


def _grant(connection: psycopg.Connection[Any], view: sql.Identifier, grants: tuple[tuple[str, str], ...]) -> None:
    for grantee, privilege in grants:
        who = sql.SQL("public") if grantee == "public" else sql.Identifier(grantee)
        connection.execute(sql.SQL("grant {} on {} to {}").format(sql.SQL(privilege), view, who))


def _drop(connection: psycopg.Connection[Any], name: tuple[str, str]) -> list[_Dependent]:
    """Drop a view and the views of ours built on it; returns those, nearest first. KefuError if one is not ours."""
    dependents = _dependents(connection, [name])
    foreign = [one for one in dependents if not one.ours or one.kind != "v"]
    if foreign:
        raise KefuError(
            f"{'.'.join(name)} changes its columns or goes, and others have built on it; nothing was published.",
            found=", ".join(one.label for one in foreign),
            do="Ask their owners to drop them, publish, and create them again.",
        )
    try:
        for one in reversed(dependents):
            connection.execute(sql.SQL("drop view {}").format(one.name))
        connection.execute(sql.SQL("drop view {}").format(sql.Identifier(*name)))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise KefuError(
            f"{'.'.join(name)} changes its columns or goes, and something depends on it; nothing was published.",
            found=(error.diag.message_detail or str(error)).splitlines()[0],
            do="Drop that, publish, and create it again.",
        ) from error
    return dependents


def _restore(connection: psycopg.Connection[Any], one: _Dependent, under: tuple[str, str]) -> None:
    try:
        connection.execute(sql.SQL("create view {} as {}").format(one.name, sql.SQL(one.definition)))
    except psycopg.errors.Error as error:
        raise KefuError(
            f"{'.'.join(under)} changes its columns and {one.label}, built on it, does not fit any more;"
            " nothing was published.",
            found=str(error).splitlines()[0],
            do=f"Drop or change {one.label}, then publish again.",
        ) from error
    if one.comment:
        connection.execute(sql.SQL("comment on view {} is {}").format(one.name, sql.Literal(one.comment)))
    _grant(connection, one.name, one.grants)


# --- what there is ---------------------------------------------------------------------------------------------------

_RELATIONS = """
select n.nspname, c.relname, obj_description(c.oid, 'pg_class'),
    array_agg(a.attname::text order by a.attnum), array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum),
    array_agg(col_description(c.oid, a.attnum) order by a.attnum),
    (
        select min(tn.nspname || '.' || t.relname)
        from pg_rewrite r
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.deptype = 'n'
            join pg_class t on d.refclassid = 'pg_class'::regclass and t.oid = d.refobjid and t.oid <> c.oid
            join pg_namespace tn on tn.oid = t.relnamespace
        where r.ev_class = c.oid and tn.nspname in ('marts_a', 'marts_b', 'kpis_a', 'kpis_b')
    ),
    (
        select coalesce(array_agg(array[coalesce(who.rolname, 'public'), g.privilege_type]), '{}')
        from aclexplode(c.relacl) g left join pg_roles who on who.oid = g.grantee where g.grantee <> c.relowner
    )
from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = any(%s) and c.relkind = any(%s)
group by n.nspname, c.relname, c.oid, c.relacl, c.relowner
"""


def _slot_relations(connection: psycopg.Connection[Any], slot: Slot) -> dict[tuple[str, str], _Relation]:
    """(layer, name) -> what the view over each table of a slot should be."""
    found = {}
    schemas = {f"{layer}_{slot}": layer for layer in LAYERS}
    for schema, name, comment, columns, types, comments, *_ in connection.execute(
        _RELATIONS, [list(schemas), ["r", "v", "m", "p"]]
    ):
        if name.endswith(("__dbt_tmp", "__dbt_backup")):
            continue
        if (schemas[schema], name) == ("kpis", PUBLICATION):
            raise KefuError(f"{schema}.{name} cannot be published: the name is taken.", do="Rename the model.")
        described = tuple((column, text) for column, text in zip(columns, comments, strict=True) if text)
        found[schemas[schema], name] = _Relation(
            tuple(zip(columns, types, strict=True)), comment, described, f"{schema}.{name}"
        )
    return found


def _published_views(connection: psycopg.Connection[Any]) -> dict[tuple[str, str], _Relation]:
    """(layer, name) -> the views readers see; not ``kpis.publication``."""
    found = {}
    for schema, name, comment, columns, types, comments, reads, grants in connection.execute(
        _RELATIONS, [list(LAYERS), ["v"]]
    ):
        if (schema, name) == ("kpis", PUBLICATION):
            continue
        described = tuple((column, text) for column, text in zip(columns, comments, strict=True) if text)
        found[schema, name] = _Relation(
            tuple(zip(columns, types, strict=True)),
            comment,
            described,
            reads,
            tuple((who, what) for who, what in grants),
        )
    return found


def _dependents(connection: psycopg.Connection[Any], views: list[tuple[str, str]]) -> list[_Dependent]:
    """The views built on views, and on those; nearest first."""
    query = """
        with recursive built_on (oid, depth) as (
            select c.oid, 0 from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname || '.' || c.relname = any (%s)
            union
            select r.ev_class, b.depth + 1
            from built_on b
                join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = b.oid
                    and d.classid = 'pg_rewrite'::regclass
                join pg_rewrite r on r.oid = d.objid and r.ev_class <> b.oid
            where b.depth < 32
        )
        select n.nspname, c.relname, c.relkind::text, pg_has_role(c.relowner, 'usage'),
            pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'),
            (
                select coalesce(array_agg(array[coalesce(who.rolname, 'public'), g.privilege_type]), '{}')
                from aclexplode(c.relacl) g left join pg_roles who on who.oid = g.grantee
                where g.grantee <> c.relowner
            )
        from (select oid, max(depth) as depth from built_on where depth > 0 group by oid) b
            join pg_class c on c.oid = b.oid join pg_namespace n on n.oid = c.relnamespace
        order by b.depth, n.nspname, c.relname
    """
    names = [".".join(view) for view in views]
    return [
        _Dependent(
            sql.Identifier(schema, view), f"{schema}.{view}", kind, ours, definition.rstrip().rstrip(";"), comment,
            tuple((who, what) for who, what in grants),
        )
        for schema, view, kind, ours, definition, comment, grants in connection.execute(query, [names])
    ]  # fmt: skip


_PUBLICATIONS = """
select publication_id, slot, build_id, as_of_at, published_at, definitions, sources, checks, restores
from control.publications
"""


def _current(connection: psycopg.Connection[Any], slot: Slot | None = None) -> Publication | None:
    """What readers see; with ``slot``, what they last saw of it."""
    where = " where slot = %s" if slot else ""
    query = _PUBLICATIONS + where + " order by publication_id desc limit 1"
    row = connection.execute(query, [slot] if slot else []).fetchone()
    return Publication(*row) if row else None


def _target(current: Publication | None) -> Slot:
    return "b" if current is not None and current.slot == "a" else "a"


def _build(connection: psycopg.Connection[Any]) -> _Build | None:
    if connection.execute("select to_regclass('control.build')").fetchone() == (None,):
        return None
    row = connection.execute("select build_id, slot, checked_at is not null from control.build").fetchone()
    return _Build(*row) if row else None


def _publishable(connection: psycopg.Connection[Any], slot: Slot) -> _Build:
    """The checked build that is in a slot; KefuError if there is none."""
    build, current = _build(connection), _current(connection)
    if build is None or build.slot != slot:
        if current is not None and current.slot == slot:
            return _Build(current.build_id, slot, True)
        raise KefuError(
            f"The last build is not in slot {slot}.",
            found=f"slot {build.slot}" if build else "no build at all",
            do="Build first: `kefu build`, then `kefu check`, then `kefu publish`.",
        )
    if not build.is_checked:
        raise KefuError(
            f"What is in slot {slot} has not passed its check, so readers may not see it.",
            do="`kefu check`; if it was broken off, `kefu build` before.",
        )
    return build


def _rollback_target(connection: psycopg.Connection[Any]) -> tuple[Publication | None, str]:
    """The publication a roll-back would bring back, or why there is none."""
    current = _current(connection)
    if current is None:
        return None, "nothing has been published yet"
    if current.restores is not None:
        return None, f"publication {current.id} is itself a roll-back; two slots hold one step back, not two"
    other = _current(connection, _target(current))
    if other is None:
        return None, f"publication {current.id} is the first"
    build = _build(connection)
    if build is not None and build.slot == other.slot and build.build_id != other.build_id:
        return None, f"build {build.build_id} has begun to overwrite slot {other.slot}, which held the numbers before"
    return other, ""


def _insert(connection: psycopg.Connection[Any], new: Publication) -> Publication:
    row = connection.execute(
        """
        insert into control.publications
            (slot, build_id, as_of_at, published_at, definitions, sources, checks, restores)
        values (%s, %s, %s, clock_timestamp(), %s, %s, %s, %s)
        returning publication_id, slot, build_id, as_of_at, published_at, definitions, sources, checks, restores
        """,
        [new.slot, new.build_id, new.as_of_at, new.definitions, new.sources, new.checks, new.restores],
    ).fetchone()
    assert row
    return Publication(*row)


def _sources(connection: psycopg.Connection[Any], slot: Slot) -> str:
    """The sources that the KPI tables of a slot speak of."""
    schema = f"kpis_{slot}"
    tables = [
        name
        for (name,) in connection.execute(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'source'"
            " where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'm', 'p')"
            " and starts_with(c.relname, 'kpi_')",
            [schema],
        )
    ]
    if not tables:
        return ""
    query = sql.SQL(" union ").join(
        sql.SQL("select source from {}").format(sql.Identifier(schema, name)) for name in sorted(tables)
    )
    return ", ".join(sorted(name for (name,) in connection.execute(query) if name))


def _checks(connection: psycopg.Connection[Any], slot: Slot) -> str:
    """``182/183``: rules that hold of those the slot was held to last; empty if it was held to none."""
    if connection.execute("select to_regclass('control.checks')").fetchone() == (None,):
        return ""
    query = """
        select count(*) filter (where ok) || '/' || count(*) from control.checks
        where edge = 'published' and subject = %(subject)s
        group by run_id, checked_at order by checked_at desc limit 1
    """
    row = connection.execute(query, {"subject": f"slot {slot}"}).fetchone()
    return str(row[0]) if row else ""


def _definitions(settings: Settings) -> str:
    """A short fingerprint of the KPI definitions: their files, in order."""
    digest = sha256()
    folder = settings.project / "dbt_project" / "models" / "kpis"
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.sql")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _in_the_way(connection: psycopg.Connection[Any]) -> str | None:
    """Who holds a lock on what readers see: pid, user, since when, doing what."""
    query = """
        select distinct a.pid, a.usename, date_trunc('second', clock_timestamp() - a.xact_start)::text, a.state
        from pg_locks l
            join pg_class c on c.oid = l.relation and c.relkind = 'v'
            join pg_stat_activity a on a.pid = l.pid
        where c.relnamespace = any(array['marts', 'kpis']::regnamespace[]) and l.granted
            and a.pid <> pg_backend_pid()
            and l.database = (select oid from pg_database where datname = current_database())
        order by 3 desc nulls last limit 3
    """
    found = [
        f"process {pid} of {user}, {state or 'at work'}" + (f" for {since}" if since else "")
        for pid, user, since, state in connection.execute(query)
    ]
    return "; ".join(found) or None

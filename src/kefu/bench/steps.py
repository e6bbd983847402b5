"""What is measured, each in a process of its own: ``python -m kefu.bench.steps STEP ARGUMENTS.json ANSWER.json``.

A step answers with its ``seconds`` and ``cpu_seconds``: from the first row offered, or the call, to the commit.
Starting Python, imports, and bringing rows into the form a contender takes are not in them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from kefu import warehouse
from kefu.bench.measure import Watch
from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.sources import Page

Answer = dict[str, Any]

SOURCE = "zendesk"
SCHEMA = "bench"
_BLOCK = 2**20


def main(name: str, asked: str, answer: str) -> None:
    """Do one step; a problem the user can act on becomes the answer."""
    arguments = json.loads(Path(asked).read_text())
    try:
        settings = load_settings(Path(arguments.pop("config")), Path(arguments.pop("home")))
        found = STEPS[name](settings, **arguments)
    except KefuError as error:
        found = {"error": str(error)}
    Path(answer).write_text(json.dumps(found))


# --- rows into Postgres ----------------------------------------------------------------------------------------------


def copy_files(settings: Settings, server: int, folder: str) -> Answer:
    """COPY of the ready CSV files into plain tables without keys: as fast as Postgres takes rows at all."""
    with _PlainTables(settings) as connection:
        watch = Watch(server)
        for path in sorted(Path(folder).glob("*.csv")):
            copied = f"copy {SCHEMA}.{path.stem} from stdin (format csv)".encode()
            with connection.cursor().copy(copied) as copy, path.open("rb") as file:
                while block := file.read(_BLOCK):
                    copy.write(block)
        connection.commit()
        return watch.read()


def copy_rows(settings: Settings, server: int, folder: str, form: str) -> Answer:
    """psycopg's COPY, row by row, into plain tables without keys: the simplest loader one could write.

    ``form``: ``binary`` or ``text`` from tuples of Python values, or ``json`` from a vendor's objects (as text).
    """
    from kefu import raw
    from kefu.bench.files import Feed, as_json, as_tuples
    from kefu.sources.zendesk import TABLES

    columns = {table.name: list(table.columns) for table in TABLES}
    types = {table.name: [raw.postgres_type(kind) for kind in table.columns.values()] for table in TABLES}
    feed: Feed[Any] = Feed(Path(folder), as_json if form == "json" else as_tuples)
    with _PlainTables(settings) as connection:
        watch = Watch(server)
        for table, pages in groupby(feed, key=itemgetter(0)):
            copied = f"copy {SCHEMA}.{table} from stdin{' (format binary)' if form == 'binary' else ''}".encode()
            with connection.cursor().copy(copied) as copy:
                if form == "binary":
                    copy.set_types(types[table])
                for _, rows in pages:
                    for row in rows:
                        copy.write_row([row.get(name) for name in columns[table]] if form == "json" else row)
        connection.commit()
        return _without(feed, watch)


def load_arrow(settings: Settings, server: int, folder: str, source: str = SOURCE) -> Answer:
    """Kefu's loader on Arrow pages: types checked, merged on the vendor's key, counted, one transaction."""
    from kefu.bench.files import Feed, as_arrow

    feed = Feed(Path(folder), as_arrow)
    return _load(settings, server, source, folder, feed, iter(feed))


def load_json(settings: Settings, server: int, folder: str) -> Answer:
    """The same from a vendor's JSON objects, which first become Arrow pages as in every source."""
    from kefu import raw
    from kefu.bench.files import Feed, as_json
    from kefu.sources import pages
    from kefu.sources.zendesk import TABLES

    tables = {table.name: table for table in TABLES}
    feed = Feed(Path(folder), as_json)

    def built() -> Iterator[Page]:
        for name, rows in feed:
            yield name, pages.build(tables[name], rows, _refuse, where="bench")

    found = _load(settings, server, "bench_json", folder, feed, built())
    _drop(settings, raw.raw("bench_json"))
    return found


def load_dlt(settings: Settings, server: int, folder: str, pipelines: str) -> Answer:
    """dlt as it comes: pages of the same JSON objects, every setting at its default, appended, no key."""
    from kefu.bench.files import Feed, as_json

    def run(name: str, pages: Iterable[tuple[str, Any]]) -> None:
        import dlt

        pipeline = dlt.pipeline(
            name,
            pipelines_dir=pipelines,
            destination=dlt.destinations.postgres(warehouse.dsn(settings, "loader")),
            dataset_name=name,
        )
        pipeline.run(dlt.resource((dlt.mark.with_table_name(rows, table) for table, rows in pages), name="pages"))

    feed = Feed(Path(folder), as_json)
    found = _timed(
        server,
        feed,
        first=lambda: run("bench_dlt_warm", islice(Feed(Path(folder), as_json), 1)),
        then=lambda: run("bench_dlt", feed),
    )
    _drop(settings, "bench_dlt", "bench_dlt_warm")
    return found


def _load(settings: Settings, server: int, source: str, folder: str, feed: Any, pages: Iterator[Page]) -> Answer:
    from kefu import load
    from kefu.bench.files import Feed, as_arrow
    from kefu.sources.zendesk import TABLES

    return _timed(
        server,
        feed,
        first=lambda: load.load_pages(settings, "bench_warm", TABLES, islice(Feed(Path(folder), as_arrow), 1)),
        then=lambda: load.load_pages(settings, source, TABLES, pages),
    )


def _timed(server: int, feed: Any, *, first: Callable[[], Any], then: Callable[[], Any]) -> Answer:
    """``then`` with the clock running, after ``first`` has had everything imported that is imported when needed."""
    started = time.monotonic()
    first()
    watch = Watch(server)
    then()
    return {**_without(feed, watch), "start": watch.began - started}


def _without(feed: Any, watch: Watch) -> Answer:
    """What the watch says less what making the rows took."""
    read = watch.read()
    return {
        "seconds": read["seconds"] - feed.seconds,
        "cpu_seconds": read["cpu_seconds"] - feed.cpu_seconds,
        "rows": feed.rows,
    }


def _drop(settings: Settings, *schemas: str) -> None:
    """Take rows away that no later step needs: the server would go on tidying them."""
    with warehouse.connect(settings, "loader") as connection:
        for schema in schemas:
            connection.execute(f"drop schema {schema} cascade".encode())


def _refuse(rejected: Any) -> None:
    raise AssertionError(f"the invented rows fit their columns: {rejected}")


class _PlainTables:
    """A connection, and empty tables with the columns of the raw ones, without keys; gone afterwards."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> Any:
        from kefu import raw
        from kefu.sources.zendesk import TABLES

        self._connection = warehouse.connect(self._settings, "loader")
        self._connection.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}".encode())
        for table in TABLES:
            columns = ", ".join(f"{name} {raw.postgres_type(kind)}" for name, kind in table.columns.items())
            self._connection.execute(f"create table {SCHEMA}.{table.name} ({columns})".encode())
        self._connection.commit()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.rollback()
        self._connection.execute(f"drop schema {SCHEMA} cascade".encode())
        self._connection.commit()
        self._connection.close()


# --- raw to published ------------------------------------------------------------------------------------------------


def new_database(settings: Settings, server: int) -> Answer:
    """Begin anew: an empty database with everything Kefu prepares in it."""
    from psycopg import sql

    from kefu import pipeline

    watch = Watch(server)
    warehouse.ensure(settings)
    name = sql.Identifier(settings.warehouse.database)
    with warehouse.connect(settings, "admin", database="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(name))
    pipeline.prepare(settings)
    return watch.read()


def parse(settings: Settings, server: int, slot: str) -> Answer:
    """Let dbt read the project; the next call finds what it made of it."""
    from kefu import transform

    watch = Watch(server)
    status, lines = transform.run_dbt(settings, slot, ["parse"])
    if status:
        raise KefuError("dbt cannot read the project.", found="\n".join(lines[-15:]))
    return watch.read()


def check_raw(settings: Settings, server: int, as_of: int) -> Answer:
    """Hold what landed to the raw expectations."""
    from kefu import expectations
    from kefu.expectations import engine

    assert engine
    watch = Watch(server)
    report = expectations.check_raw(settings, SOURCE, as_of=_instant(as_of))
    return {**watch.read(), "rules": len(report.findings)}


def build(settings: Settings, server: int, as_of: int) -> Answer:
    """Build and test every layer into the slot nobody reads: `kefu build`."""
    from kefu import control, pipeline, transform

    watch = Watch(server)
    pipeline.build(as_of=_instant(as_of), settings=settings)
    read = watch.read()
    current = control.current_build(settings)
    outcome = settings.home / "dbt" / f"slot_{current.slot}" / transform.OUTCOME
    running = float(json.loads(outcome.read_text())["seconds"])
    with warehouse.connect(settings) as connection:
        nodes = connection.execute(
            "select kind, model, layer, rows_built, seconds from control.model_runs where build_id = %s"
            " order by seconds desc",
            [current.build_id],
        ).fetchall()
    names = ("kind", "model", "layer", "rows", "seconds")
    return {
        **read,
        "start": read["seconds"] - running,
        "slot": current.slot,
        "nodes": [dict(zip(names, node, strict=True)) for node in nodes],
    }


def floor(settings: Settings, server: int, folder: str, as_of: int) -> Answer:
    """The core of the ticket metrics in DuckDB, from the CSV files; KefuError unless the marts say the same."""
    import duckdb

    from kefu import control
    from kefu.bench import floor

    assert duckdb
    watch = Watch(server)
    found = floor.measure(Path(folder), _instant(as_of).isoformat())
    read = watch.read()
    slot = control.current_build(settings).slot
    with warehouse.connect(settings) as connection:
        row = connection.execute(floor.OURS.replace("marts", f"marts_{slot}").encode()).fetchone()
    ours = dict(zip(found, row or (), strict=True))
    if ours != found:
        raise KefuError("The marts and DuckDB disagree on the same rows.", expected=str(found), found=str(ours))
    return {**read, **found}


def check_published(settings: Settings, server: int) -> Answer:
    """Hold what was built to the published expectations."""
    from kefu import pipeline
    from kefu.expectations import engine

    assert engine
    watch = Watch(server)
    pipeline.check_published(settings=settings)
    return watch.read()


def publish(settings: Settings, server: int) -> Answer:
    """Turn readers to what was built."""
    from kefu import pipeline

    watch = Watch(server)
    pipeline.publish(settings=settings)
    return watch.read()


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


STEPS: dict[str, Callable[..., Answer]] = {
    step.__name__: step
    for step in (
        copy_files, copy_rows, load_arrow, load_json, load_dlt,
        new_database, parse, check_raw, build, floor, check_published, publish,
    )
}  # fmt: skip

if __name__ == "__main__":
    main(*sys.argv[1:])

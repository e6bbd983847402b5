"""Source to raw schema: the only place that knows dlt and the destination.

dlt takes a source's Arrow pages to disk and from there, by ADBC, into the landing tables; `kefu.raw` then makes
them visible in one transaction together with the source's cursors. An extraction that dies leaves raw as it was
and is simply run again; a long one is saved in parts, so that it goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from kefu import raw, warehouse
from kefu.errors import KefuError
from kefu.raw import TableLoad
from kefu.settings import Settings, validate_options
from kefu.sources import Extraction, Kind, Page, Rejected, Table, kinds, secret_name

if TYPE_CHECKING:
    import pyarrow as pa

# A part is saved when it has so many rows or has taken so long: what a crash may cost at most.
PART_ROWS = 2_000_000
PART_SECONDS = 600.0

_REJECTED_AT_ONCE = 5_000
_FILES = "files"
_DLT = {
    # Without these dlt imports all of Airflow, and calls home.
    "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # Our errors are told once, by us.
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # Rows a file on the way: the driver that copies one holds on to memory until it is through.
    "DATA_WRITER__FILE_MAX_ITEMS": "500000",
}
Progress = Callable[[str], None]


@dataclass(frozen=True)
class LoadReport:
    """What an extraction brought, summed over its parts; ``load_ids`` name them in control.loads."""

    source: str
    load_ids: tuple[str, ...]
    tables: tuple[TableLoad, ...]
    seconds: float

    @property
    def rows(self) -> int:
        """Rows the source delivered."""
        return sum(table.rows for table in self.tables)

    @property
    def changed(self) -> int:
        """Rows that are new in raw or differ from what was there."""
        return sum(table.changed for table in self.tables)

    @property
    def quarantined(self) -> int:
        """Rows that could not be read."""
        return sum(table.quarantined for table in self.tables)

    def __str__(self) -> str:
        """The counts in one line; whoever prints it knows the source and the time."""
        detail = ", ".join(f"{table.table} {table.rows:,}" for table in self.tables if table.rows)
        return (
            f"{self.rows:,} rows ({detail or 'nothing new'}), {self.changed:,} new or changed,"
            f" {self.quarantined:,} quarantined"
        )


@dataclass
class Intake:
    """What a source hands over beside its pages: memory, rejected rows, rows to be replaced, refused inputs."""

    state: dict[str, Any] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    superseded: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refused: list[KefuError] = field(default_factory=list)

    def supersede(self, table: str, **values: str) -> None:
        """Rows of ``table`` with these values go, unless they come again."""
        self.superseded.append((table, values))


def extract(
    settings: Settings, source_name: str, *, full: bool = False, progress: Progress | None = None
) -> LoadReport:
    """Read what is new at one source and save it in its raw schema.

    ``full`` forgets the cursors and reads everything again; rows that did not change are left alone. Raises
    KefuError: unknown source, wrong options, a secret missing, the vendor or the warehouse does not answer,
    a type that changed. Nothing of the part being loaded is visible then. Inputs that were refused as a whole
    raise KefuError too, after all others were saved.
    """
    kind, extraction = _extraction(settings, source_name, progress)
    for secret in kind.secrets:
        extraction.secret(secret)  # before anything is touched
    intake = Intake()
    extraction.reject, extraction.supersede = intake.rejected.append, intake.supersede
    extraction.refuse = intake.refused.append
    with _loading(settings, source_name, kind.tables) as connection:
        intake.state = {} if full else raw.cursors(connection, source_name)
        extraction.state, extraction.full = intake.state, full
        report = _load(
            settings,
            connection,
            source_name,
            kind.tables,
            kind.extract(extraction),
            intake,
            full=full,
            progress=extraction.progress,
        )
    if intake.refused:
        raise _refusals(report, intake.refused)
    return report


def load_pages(
    settings: Settings,
    source_name: str,
    tables: tuple[Table, ...],
    pages: Iterable[Page],
    intake: Intake | None = None,
    *,
    progress: Progress | None = None,
) -> LoadReport:
    """Save any pages in ``raw_<source_name>`` the way `extract` does; ``intake`` as a source would fill it."""
    with _loading(settings, source_name, tables) as connection:
        intake = intake or Intake(state=raw.cursors(connection, source_name))
        return _load(settings, connection, source_name, tables, iter(pages), intake, progress=progress or _silent)


def prepare_raw(settings: Settings) -> None:
    """Create the raw schemas and every declared table, empty where nothing landed yet.

    One schema per vendor kind and per configured source, and the views ``raw_files.*`` over all file sources: so
    whatever is built on raw can be built before the first load. May run any time.
    """
    wanted: dict[str, tuple[Table, ...]] = {kind.name: kind.tables for kind in kinds().values() if kind.name != _FILES}
    file_sources = []
    for source in settings.sources.values():
        kind = _kind(settings, source.name)
        if kind.name == _FILES:
            _not_reserved(settings, source.name)
            file_sources.append(source.name)
        wanted[source.name] = kind.tables
    with warehouse.connect(settings, "loader", autocommit=True) as connection:
        raw.prepare_ledger(connection)
        for name, tables in wanted.items():
            raw.prepare_source(connection, name, tables)
        if _FILES in kinds():
            raw.prepare_files(connection, file_sources, kinds()[_FILES].tables)


def check(settings: Settings, source_name: str) -> str:
    """Ask a source whether it would answer, without loading anything; a sentence about what did.

    Raises the KefuError that extracting would raise.
    """
    kind, extraction = _extraction(settings, source_name, None)
    for secret in kind.secrets:
        extraction.secret(secret)
    return kind.check(extraction) if kind.check else "nothing to check"


def _refusals(report: LoadReport, refused: list[KefuError]) -> KefuError:
    """Everything else is saved; what was left out is told in one message."""
    if len(refused) == 1:
        told = refused[0]
        return KefuError(
            f"{report.source}: {told.summary}",
            expected=told.expected,
            found=told.found,
            where=told.where,
            do=f"{told.do or ''} The rest was loaded: {report}.".strip(),
        )
    listed = "\n".join("  - " + str(error).replace("\n", "\n  ") for error in refused)
    return KefuError(
        f"{report.source}: {len(refused)} inputs were refused as a whole.\n{listed}",
        do=f"Correct them and run again. The rest was loaded: {report}.",
    )


def _silent(message: str) -> None: ...


def _kind(settings: Settings, source_name: str) -> Kind:
    source = settings.source(source_name)
    if source.kind not in kinds():
        raise KefuError(
            f"There is no kind of source called {source.kind!r}.",
            expected=f"one of: {', '.join(kinds())}",
            where=f"[sources.{source_name}] in {settings.config}",
            do="Correct `kind`, or add a module to kefu.sources (docs/add-a-source.md).",
        )
    return kinds()[source.kind]


def _not_reserved(settings: Settings, source_name: str) -> None:
    if source_name == _FILES:
        raise KefuError(
            "A file source cannot be called 'files'.",
            expected="a name of its own, such as the system the files come from",
            where=f"[sources.files] in {settings.config}",
            do='Rename it, keeping kind = "files": raw_files is where all file sources come together.',
        )


def _extraction(settings: Settings, source_name: str, progress: Progress | None) -> tuple[Kind, Extraction]:
    source, kind = settings.source(source_name), _kind(settings, source_name)
    if kind.name == _FILES:
        _not_reserved(settings, source_name)
    extraction = Extraction(
        name=source_name,
        options=validate_options(source, kind.options, settings.config),
        secret=lambda name: settings.secret(secret_name(source_name, name), needed_by=source_name),
        base=settings.config.parent,
        progress=progress or _silent,
    )
    return kind, extraction


@contextlib.contextmanager
def _loading(settings: Settings, source_name: str, tables: Iterable[Table]) -> Iterator[psycopg.Connection[Any]]:
    """The connection that holds the source, its raw tables in place; leaves no landing tables behind."""
    with warehouse.connect(settings, "loader", autocommit=True) as connection:
        try:
            raw.prepare_ledger(connection)
            with raw.held(connection, source_name):
                try:
                    raw.prepare_source(connection, source_name, tables)
                    yield connection
                finally:
                    with contextlib.suppress(psycopg.Error):
                        raw.clear_landing(connection, source_name)
        except psycopg.Error as error:
            raise _warehouse_failed(settings, source_name, error) from error


def _load(
    settings: Settings,
    connection: psycopg.Connection[Any],
    source_name: str,
    tables: tuple[Table, ...],
    pages: Iterator[Page],
    intake: Intake,
    *,
    full: bool = False,
    progress: Progress = _silent,
) -> LoadReport:
    began = time.monotonic()
    load_ids: list[str] = []
    totals = {table.name: TableLoad(table.name, 0, 0, 0, 0) for table in tables}
    parts = _Parts(source_name, tables, pages, intake)
    raw.make_landing(connection, source_name, (*tables, raw.quarantine()))
    with _spool(settings, source_name) as land:
        while not parts.exhausted:
            started = datetime.now(UTC)
            land(parts)
            load_id, loads = raw.publish(
                connection,
                source_name,
                tables,
                parts.landed,
                superseded=parts.superseded,
                state=parts.state,
                started=started,
                forget_quarantine=full and not load_ids,
            )
            load_ids.append(load_id)
            for load in loads:
                totals[load.table] = _sum(totals.get(load.table), load)
            if not parts.exhausted:
                progress(f"{source_name}: saved {sum(load.rows for load in totals.values()):,} rows so far")
    return LoadReport(source_name, tuple(load_ids), tuple(totals.values()), time.monotonic() - began)


def _sum(one: TableLoad | None, other: TableLoad) -> TableLoad:
    if one is None:
        return other
    return TableLoad(
        one.table,
        one.rows + other.rows,
        one.changed + other.changed,
        one.deleted + other.deleted,
        one.quarantined + other.quarantined,
    )


class _Parts:
    """Cuts a source's pages into parts, each with the memory and the rejected rows that belong to it.

    Iterating yields the pages of one part, ready for landing. Afterwards ``landed``, ``superseded`` and ``state``
    describe that part, and ``exhausted`` says whether it was the last.
    """

    def __init__(self, source_name: str, tables: tuple[Table, ...], pages: Iterator[Page], intake: Intake) -> None:
        self._source = source_name
        self._tables = {table.name: table for table in (*tables, raw.quarantine())}
        self._pages = pages
        self._intake = intake
        self._waiting: Page | None = None
        self._replaced: set[str] = set()
        self.exhausted = False
        self.error: BaseException | None = None
        self.state: dict[str, Any] = {}
        self.landed: dict[str, int] = {}
        self.superseded: dict[tuple[str, tuple[str, ...]], list[tuple[str, ...]]] = {}

    def __iter__(self) -> Iterator[Page]:
        self.landed, self.superseded = {}, {}
        sequence, deadline = 0, time.monotonic() + PART_SECONDS
        page = self._waiting or self._next()
        self._waiting = None
        while page is not None:
            name, rows = page
            if name in self._replaced:
                raise ValueError(f"{self._source}: the pages of {name}, a replaced table, do not follow each other")
            yield name, self._ready(self._tables[name], rows, sequence)
            sequence += len(rows)
            # What the source says until its next page comes belongs to that page; its memory to those before.
            rejected, superseded = len(self._intake.rejected), len(self._intake.superseded)
            before = json.dumps(self._intake.state, sort_keys=True)
            following = self._next()
            if following is None or following[0] != name:
                if self._tables[name].disposition == "replace":
                    self._replaced.add(name)
                whole = True
            else:
                whole = self._tables[name].disposition != "replace"
            full = sequence >= PART_ROWS or time.monotonic() > deadline
            # Only where the source has just remembered something would another run go on from here.
            moved = before != json.dumps(self._intake.state, sort_keys=True)
            if following is not None and whole and full and moved:
                self._waiting = following
                yield from self._aside(rejected, superseded, sequence)
                return
            if len(self._intake.rejected) >= _REJECTED_AT_ONCE:
                yield from self._aside(len(self._intake.rejected), len(self._intake.superseded), sequence)
            page = following
        self.exhausted = True
        yield from self._aside(len(self._intake.rejected), len(self._intake.superseded), sequence)

    def _next(self) -> Page | None:
        page = next(self._pages, None)
        if page is not None and page[0] not in self._tables:
            raise ValueError(f"{self._source} yields {page[0]}, which its kind does not declare")
        self.state = dict(self._intake.state)
        return page

    def _aside(self, rejected: int, superseded: int, sequence: int) -> Iterator[Page]:
        """Hand over the first so many rejected and superseded rows."""
        for table, values in self._intake.superseded[:superseded]:
            fields = tuple(sorted(values))
            rows = self.superseded.setdefault((table, fields), [])
            rows.append(tuple(values[name] for name in fields))
        del self._intake.superseded[:superseded]
        if rejected:
            yield (
                "quarantine",
                self._ready(self._tables["quarantine"], _quarantined(self._intake.rejected[:rejected]), sequence),
            )
            del self._intake.rejected[:rejected]

    def _ready(self, table: Table, rows: pa.Table, sequence: int) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        self.landed[table.name] = self.landed.get(table.name, 0) + len(rows)
        rows = conform(self._source, table, rows)
        return rows.append_column(raw.SEQUENCE, pa.array(np.arange(sequence, sequence + len(rows))))


def conform(source_name: str, table: Table, rows: pa.Table) -> pa.Table:
    """A page with the declared columns, in their types and order; columns not declared follow as they are.

    Raises KefuError if a column cannot become its declared type without loss, or a key is missing.
    """
    import pyarrow as pa

    declared = table.schema()
    arrays, fields = [], []
    for wanted in declared:
        index = rows.schema.get_field_index(wanted.name)
        column = pa.nulls(len(rows), wanted.type) if index < 0 else rows.column(index)
        arrays.append(_storable(_cast(source_name, table, wanted, column)))
        fields.append(pa.field(wanted.name, wanted.type))
        if not wanted.nullable and arrays[-1].null_count:
            raise KefuError(
                f"{source_name}: {arrays[-1].null_count} rows of {table.name} have no {wanted.name}.",
                expected=f"every row has its key ({', '.join(table.key)})",
                where=f"{raw.raw(source_name)}.{table.name}",
                do="Nothing was loaded: the source should have sent these rows to quarantine.",
            )
    for extra in rows.schema:
        if extra.name not in table.columns:
            arrays.append(_storable(rows.column(extra.name)))
            fields.append(extra)
    return pa.table(arrays, schema=pa.schema(fields))


def _cast(source_name: str, table: Table, wanted: pa.Field, column: Any) -> Any:
    import pyarrow as pa

    if column.type == wanted.type:
        return column
    try:
        return column.cast(wanted.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        example = next((value for value in column.to_pylist() if value is not None), None)
        raise KefuError(
            f"{source_name}: column {wanted.name} of {table.name} has changed its type.",
            expected=raw.postgres_type(wanted.type),
            found=f"{column.type}, for example {example!r:.60}",
            where=f"{raw.raw(source_name)}.{table.name}.{wanted.name}",
            do="Nothing was loaded. Correct the source; its declared type is in its module or mapping.",
        ) from error


def _storable(column: Any) -> Any:
    """Postgres' text cannot hold the character NUL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if is_text and pc.any(pc.match_substring(column, "\x00")).as_py():
        return pc.replace_substring(column, "\x00", "\ufffd")
    return column


def _quarantined(rejected: list[Rejected]) -> pa.Table:
    import pyarrow as pa

    def clean(value: str | None) -> str | None:
        return None if value is None else value.encode("utf-8", "backslashreplace").decode()

    rows = {
        "entity": [item.entity for item in rejected],
        "file": [clean(item.file) for item in rejected],
        "line": [item.line for item in rejected],
        "column_name": [item.column for item in rejected],
        "value": [clean(item.value) for item in rejected],
        "reason": [clean(item.reason) for item in rejected],
        "row": [clean(item.row) for item in rejected],
    }
    return pa.table(rows, schema=raw.quarantine().schema())


@contextlib.contextmanager
def _spool(settings: Settings, source_name: str) -> Iterator[Callable[[_Parts], None]]:
    """dlt, set up for one source: the callable takes one part's pages into the landing tables.

    dlt's own folder holds nothing that matters after: state and rows are in the warehouse or not loaded.
    """
    for name, value in _DLT.items():
        os.environ.setdefault(name, value)
    import dlt
    from dlt.pipeline.exceptions import PipelineStepFailed

    folder = settings.home / "dlt" / source_name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise _no_room(settings, source_name, error) from error
    dlt.config["restore_from_destination"] = False
    pipeline = dlt.pipeline(
        f"kefu_{source_name}",
        pipelines_dir=str(folder),
        destination=dlt.destinations.postgres(warehouse.dsn(settings, "loader")),
        dataset_name=raw.landing(source_name),
    )

    def land(parts: _Parts) -> None:
        def rows_of_part() -> Iterator[Any]:
            try:
                for name, rows in parts:
                    if len(rows):
                        yield dlt.mark.with_table_name(rows, name)
            except (Exception, KeyboardInterrupt) as error:
                parts.error = error  # dlt will wrap it; we want it as it was
                raise

        try:
            # New columns are welcome; one that changes its type within a part stops the load.
            pages = dlt.resource(
                rows_of_part(),
                name="pages",
                write_disposition="append",
                schema_contract={"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
            )
            pipeline.extract(pages, loader_file_format="parquet")
            pipeline.normalize()
            pipeline.load(workers=2, raise_on_failed_jobs=True)
        except PipelineStepFailed as error:
            raise _cause(settings, source_name, error, parts) from error

    try:
        yield land
    finally:
        pipeline.deactivate()
        shutil.rmtree(folder, ignore_errors=True)


def _cause(settings: Settings, source_name: str, error: BaseException, parts: _Parts) -> BaseException:
    """What really went wrong, out of dlt's wrapping."""
    if parts.error is not None:
        return parts.error
    deepest: BaseException = error
    while True:
        if isinstance(deepest, KefuError | KeyboardInterrupt):
            return deepest
        following = deepest.__cause__ or deepest.__context__ or getattr(deepest, "exception", None)
        if following is None or following is deepest:
            if isinstance(deepest, OSError):
                return _no_room(settings, source_name, deepest)
            return _warehouse_failed(settings, source_name, deepest)
        deepest = following


def _no_room(settings: Settings, source_name: str, error: OSError) -> KefuError:
    return KefuError(
        f"{source_name}: what came cannot be kept on disk on its way to the warehouse.",
        found=str(error),
        where=str(settings.home / "dlt" / source_name),
        do="Nothing of this part was loaded. Make room there, or let KEFU_HOME be where there is some; then run again.",
    )


def _warehouse_failed(settings: Settings, source_name: str, error: BaseException) -> KefuError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    host, port = warehouse.address(settings)
    return KefuError(
        f"{source_name}: the warehouse did not take the load.",
        found=lines[0] if lines else type(error).__name__,
        where=f"{host}:{port}, database {settings.warehouse.database}, schema {raw.raw(source_name)}",
        do="Nothing of this part was loaded. See that the warehouse runs and has room (`kefu status`), then run again.",
    )

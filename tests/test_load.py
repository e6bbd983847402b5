"""Landing, merging, cursors and the ledger, on a real Postgres."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa
import pytest
from pydantic import BaseModel

from kefu import load, raw, warehouse
from kefu.errors import KefuError
from kefu.settings import Settings, SourceSettings
from kefu.sources import Extraction, Kind, Page, Rejected, Table

NewWarehouse = Callable[..., Settings]


class NoOptions(BaseModel):
    """A source without settings."""


TICKETS = Table(
    "tickets",
    {
        "id": pa.int64(),
        "status": pa.string(),
        "at": pa.timestamp("us", "UTC"),
        "open": pa.bool_(),
        "n": pa.int32(),
    },
    key=("id",),
)
GROUPS = Table("groups", {"id": pa.int64(), "name": pa.string()}, key=("id",), disposition="replace")
NOTES = Table("notes", {"text": pa.string(), "score": pa.decimal128(18, 6)}, key=(), disposition="append")
TABLES = (TICKETS, GROUPS, NOTES)


@pytest.fixture(scope="module")
def settings(new_warehouse: NewWarehouse) -> Settings:
    return new_warehouse()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A source name of the test's own."""
    return f"s{crc32(request.node.name.encode())}"


def tickets(*rows: tuple[int, str]) -> Page:
    return "tickets", pa.table({"id": [row[0] for row in rows], "status": [row[1] for row in rows]})


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(settings, "transformer") as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def columns_of(settings: Settings, schema: str) -> dict[str, dict[str, str]]:
    with warehouse.connect(settings, "loader") as connection:
        return raw.columns(connection, schema)


def serve(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    name: str,
    extract: Callable[[Extraction], Iterator[Page]],
    tables: tuple[Table, ...] = TABLES,
) -> Settings:
    """Settings with a source ``name`` whose kind runs ``extract``."""
    kind = Kind(name, "ticketing", name, NoOptions, tables, extract)
    monkeypatch.setattr(load, "kinds", lambda: {name: kind})
    return settings.model_copy(update={"sources": {name: SourceSettings(name=name, kind=name)}})


def test_rows_land_typed_and_with_the_load_that_brought_them(settings: Settings, name: str) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    page = pa.table(
        {
            "id": [1, 2],
            "status": ["new", None],
            "at": pa.array([at, None], pa.timestamp("us", "UTC")),
            "open": [True, None],
            "n": pa.array([7, None], pa.int32()),
        }
    )
    notes = pa.table({"text": ["谢谢"], "score": pa.array([Decimal("4.500000")], pa.decimal128(18, 6))})

    report = load.load_pages(settings, name, TABLES, [("tickets", page), ("notes", notes)])

    assert columns_of(settings, f"raw_{name}")["tickets"] == {
        "id": "bigint",
        "status": "text",
        "at": "timestamp with time zone",
        "open": "boolean",
        "n": "integer",
        "_load_id": "text",
        "_loaded_at": "timestamp with time zone",
    }
    found = query(settings, f"select id, status, at, open, n, _load_id from raw_{name}.tickets order by id")
    assert found == [
        (1, "new", at, True, 7, report.load_ids[0]),
        (2, None, None, None, None, report.load_ids[0]),
    ]
    assert query(settings, f"select text, score from raw_{name}.notes") == [("谢谢", Decimal("4.5"))]
    ledger = query(
        settings,
        "select table_name, rows, rows_changed, rows_quarantined, loaded_at from control.loads"
        f" where load_id = '{report.load_ids[0]}' order by table_name",
    )
    assert [row[:4] for row in ledger] == [("groups", 0, 0, 0), ("notes", 1, 1, 0), ("tickets", 2, 2, 0)]
    assert query(settings, f"select distinct _loaded_at from raw_{name}.tickets") == [(ledger[0][4],)]


def test_pages_travel_as_parquet_through_adbc(settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlt.destinations.impl.postgres.postgres import PostgresParquetCopyJob

    seen = []
    run = PostgresParquetCopyJob.run
    monkeypatch.setattr(PostgresParquetCopyJob, "run", lambda job: (seen.append(job.load_table_name), run(job)))

    load.load_pages(settings, name, TABLES, [tickets((1, "new"))])

    assert seen == ["tickets"]


def test_of_rows_with_one_key_the_last_that_came_stays(settings: Settings, name: str) -> None:
    pages = [tickets((1, "new"), (1, "open")), tickets((2, "new")), tickets((1, "solved"))]

    report = load.load_pages(settings, name, TABLES, pages)

    assert query(settings, f"select id, status from raw_{name}.tickets order by id") == [
        (1, "solved"),
        (2, "new"),
    ]
    assert report.rows == 4 and report.changed == 2


def test_a_row_that_comes_again_unchanged_keeps_its_load(settings: Settings, name: str) -> None:
    first = load.load_pages(settings, name, TABLES, [tickets((1, "new"), (2, "new"))])
    second = load.load_pages(settings, name, TABLES, [tickets((1, "new"), (2, "open"), (3, "new"))])

    found = query(settings, f"select id, status, _load_id from raw_{name}.tickets order by id")
    assert found == [
        (1, "new", first.load_ids[0]),
        (2, "open", second.load_ids[0]),
        (3, "new", second.load_ids[0]),
    ]
    assert (second.rows, second.changed) == (3, 2)


def test_the_planner_learns_of_a_table_of_which_a_tenth_is_new(settings: Settings, name: str) -> None:
    known = f"select reltuples::bigint from pg_class where oid = 'raw_{name}.tickets'::regclass"
    for numbers, rows in ((range(20), 20), (range(20, 21), 20), (range(21, 25), 25)):
        load.load_pages(settings, name, TABLES, [tickets(*((number, "new") for number in numbers))])
        assert query(settings, known) == [(rows,)]


def test_a_replaced_table_holds_what_came_last_and_only_when_it_came(settings: Settings, name: str) -> None:
    groups = [
        ("groups", pa.table({"id": [1, 2], "name": ["a", "b"]})),
        ("groups", pa.table({"id": [3], "name": ["c"]})),
    ]
    first = load.load_pages(settings, name, TABLES, groups)
    load.load_pages(settings, name, TABLES, [tickets((1, "new"))])
    assert query(settings, f"select count(*) from raw_{name}.groups") == [(3,)]

    load.load_pages(settings, name, TABLES, [("groups", pa.table({"id": [3, 4], "name": ["c", "d"]}))])
    found = query(settings, f"select id, _load_id = '{first.load_ids[0]}' from raw_{name}.groups order by id")
    assert found == [(3, True), (4, False)]

    nothing = pa.table({"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())})
    report = load.load_pages(settings, name, TABLES, [("groups", nothing)])
    assert query(settings, f"select count(*) from raw_{name}.groups") == [(0,)]
    assert {table.table: table.deleted for table in report.tables}["groups"] == 2


def test_no_pages_and_empty_pages_are_a_load_of_nothing(settings: Settings, name: str) -> None:
    empty = pa.table({"id": pa.array([], pa.int64())})

    nothing = load.load_pages(settings, name, TABLES, [])
    little = load.load_pages(settings, name, TABLES, [("tickets", empty), ("tickets", empty)])

    assert nothing.rows == little.rows == 0
    assert len(query(settings, f"select 1 from control.loads where load_id = '{nothing.load_ids[0]}'")) == 3


def test_columns_nobody_declared_are_added_and_their_type_stays(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [("tickets", pa.table({"id": [1], "brand": [7]}))])
    load.load_pages(settings, name, TABLES, [tickets((2, "new"))])

    assert columns_of(settings, f"raw_{name}")["tickets"]["brand"] == "bigint"
    assert query(settings, f"select id, brand from raw_{name}.tickets order by id") == [(1, 7), (2, None)]
    with pytest.raises(KefuError) as error:
        load.load_pages(settings, name, TABLES, [("tickets", pa.table({"id": [3], "brand": ["seven"]}))])
    assert f"raw_{name}.tickets" in str(error.value) and "brand" in str(error.value)
    assert error.value.expected == "bigint" and "text" in str(error.value.found)
    assert query(settings, f"select count(*) from raw_{name}.tickets") == [(2,)]


def test_a_number_sent_as_text_is_a_number_and_other_text_stops_the_load(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [("tickets", pa.table({"id": ["12"]}))])
    assert query(settings, f"select id from raw_{name}.tickets") == [(12,)]

    with pytest.raises(KefuError) as error:
        load.load_pages(settings, name, TABLES, [("tickets", pa.table({"id": ["twelve"]}))])
    message = str(error.value)
    assert "column id of tickets" in message and "bigint" in message and "'twelve'" in message


def test_a_row_without_its_key_stops_the_load(settings: Settings, name: str) -> None:
    with pytest.raises(KefuError, match="1 rows of tickets have no id"):
        load.load_pages(settings, name, TABLES, [("tickets", pa.table({"id": [1, None]}))])


def test_text_postgres_cannot_hold_is_mended_not_refused(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [tickets((1, "ne\x00w"))])

    assert query(settings, f"select status from raw_{name}.tickets") == [("ne\ufffdw",)]


def test_rejected_rows_are_in_quarantine_and_counted(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages(extraction: Extraction) -> Iterator[Page]:
        extraction.reject(Rejected("tickets", "no date", "x|y", file="a.csv", line=7, column="at", value="soon\udc80"))
        yield tickets((1, "new"))
        extraction.reject(Rejected("calls", "no such entity", "z"))

    report = load.extract(serve(monkeypatch, settings, name, pages), name)

    found = query(
        settings,
        f"select entity, file, line, column_name, value, reason, row, _load_id from raw_{name}.quarantine",
    )
    load_id = report.load_ids[0]
    assert found == [
        ("tickets", "a.csv", 7, "at", "soon\\udc80", "no date", "x|y", load_id),
        ("calls", None, None, None, None, "no such entity", "z", load_id),
    ]
    assert report.quarantined == 2
    assert {table.table: table.quarantined for table in report.tables if table.quarantined} == {
        "tickets": 1,
        "calls": 1,
    }


def test_superseded_rows_go_unless_they_come_again(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Table("calls", {"call_id": pa.string(), "line": pa.int64(), "_file": pa.string()}, key=("call_id",))
    delivery = {"a": ["1", "2", "3"], "b": ["4"]}

    def pages(extraction: Extraction) -> Iterator[Page]:
        for file, ids in delivery.items():
            extraction.supersede("calls", _file=file)
            extraction.supersede("quarantine", file=file)
            extraction.reject(Rejected("calls", "bad", "row", file=file))
            yield "calls", pa.table({"call_id": ids, "line": range(len(ids)), "_file": [file] * len(ids)})

    configured = serve(monkeypatch, settings, name, pages, (calls,))
    load.extract(configured, name)
    delivery = {"a": ["2", "5"]}
    report = load.extract(configured, name)

    assert query(settings, f"select call_id from raw_{name}.calls order by 1") == [("2",), ("4",), ("5",)]
    assert query(settings, f"select file from raw_{name}.quarantine order by 1") == [("a",), ("b",)]
    assert report.tables[0].deleted == 2


def test_memory_is_saved_with_the_rows_and_full_starts_over(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[tuple[int, bool]] = []

    def pages(extraction: Extraction) -> Iterator[Page]:
        starts.append((extraction.state.get("next", 1), extraction.full))
        for number in range(extraction.state.get("next", 1), extraction.state.get("next", 1) + 2):
            extraction.reject(Rejected("tickets", "bad", str(number)))
            yield tickets((number, "new"))
            extraction.state["next"] = number + 1

    configured = serve(monkeypatch, settings, name, pages)
    load.extract(configured, name)
    load.extract(configured, name)
    load.extract(configured, name, full=True)

    assert starts == [(1, False), (3, False), (1, True)]
    assert query(settings, f"select id from raw_{name}.tickets order by id") == [(1,), (2,), (3,), (4,)]
    # Reading everything again finds the same bad rows again: they are not counted twice.
    assert query(settings, f"select row from raw_{name}.quarantine order by 1") == [("1",), ("2",)]
    state = query(settings, f"select state, load_id from control.cursors where source = '{name}'")
    assert json.loads(state[0][0]) == {"next": 3}


def test_a_source_that_fails_leaves_rows_and_memory_as_they_were(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages(extraction: Extraction) -> Iterator[Page]:
        yield tickets((1, "new"))
        extraction.state["next"] = 2
        raise KefuError("The vendor hung up.", do="Wait.")

    with pytest.raises(KefuError, match=r"^The vendor hung up\."):
        load.extract(serve(monkeypatch, settings, name, pages), name)

    assert query(settings, f"select * from raw_{name}.tickets") == []
    assert query(settings, f"select * from control.cursors where source = '{name}'") == []
    assert query(settings, f"select to_regnamespace('landing_{name}')::text") == [(None,)]
    assert not (settings.home / "dlt" / name).exists()


def test_a_mistake_in_a_source_comes_out_as_it_is(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages(extraction: Extraction) -> Iterator[Page]:
        yield tickets((1, "new"))
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        load.extract(serve(monkeypatch, settings, name, pages), name)


def test_a_long_extraction_is_saved_in_parts_that_each_fit_their_memory(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PART_ROWS", 2)

    def pages(extraction: Extraction) -> Iterator[Page]:
        for group in (1, 2, 3):  # never cut within a replaced table
            yield "groups", pa.table({"id": [group], "name": ["g"]})
        for number in range(extraction.state.get("next", 1), 100):
            if number == 6:
                raise KefuError("The vendor hung up.")
            extraction.reject(Rejected("tickets", "bad", str(number)))
            yield tickets((number, "new"))
            extraction.state["next"] = number + 1

    configured = serve(monkeypatch, settings, name, pages)
    with pytest.raises(KefuError, match="hung up"):
        load.extract(configured, name)

    assert query(settings, f"select count(*) from raw_{name}.groups") == [(3,)]
    ids = [row[0] for row in query(settings, f"select id from raw_{name}.tickets order by id")]
    state = json.loads(query(settings, f"select state from control.cursors where source = '{name}'")[0][0])
    assert ids == [1, 2, 3] and state == {"next": 4}
    assert query(settings, f"select row from raw_{name}.quarantine order by 1") == [("1",), ("2",), ("3",)]


def test_a_part_is_also_saved_when_it_takes_long(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PART_SECONDS", 0.0)
    said: list[str] = []

    def pages(extraction: Extraction) -> Iterator[Page]:
        yield tickets((1, "new"))
        yield tickets((2, "new"))  # nothing remembered in between: no place to go on from
        extraction.state["seen"] = 2
        yield tickets((3, "new"))

    report = load.extract(serve(monkeypatch, settings, name, pages), name, progress=said.append)

    assert len(report.load_ids) == 2 and report.rows == 3
    assert said == [f"{name}: saved 2 rows so far"]


def test_the_same_source_is_not_read_twice_at_once_and_others_are(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow() -> Iterator[Page]:
        yield tickets((1, "new"))
        inside.set()
        leave.wait(30)
        yield tickets((2, "new"))

    thread = threading.Thread(target=load.load_pages, args=(settings, name, TABLES, slow()))
    thread.start()
    try:
        assert inside.wait(30)
        with pytest.raises(KefuError, match="is being extracted already") as error:
            load.load_pages(settings, name, TABLES, [tickets((9, "new"))])
        assert "kefu loader" in str(error.value.found)
        landing = f"select to_regclass('{raw.landing(name)}.tickets') is not null"
        with warehouse.connect(settings, "loader") as connection:
            assert connection.execute(landing.encode()).fetchone() == (True,), "what was refused touches nothing"
        other = load.load_pages(settings, f"{name}b", TABLES, [tickets((5, "new"))])
    finally:
        leave.set()
        thread.join(60)

    assert other.rows == 1
    assert query(settings, f"select id from raw_{name}.tickets order by id") == [(1,), (2,)]
    assert query(settings, f"select id from raw_{name}b.tickets") == [(5,)]


def test_a_source_is_free_again_with_the_end_of_its_extraction_not_of_its_connection(
    settings: Settings, name: str
) -> None:
    with warehouse.connect(settings, "loader") as one, warehouse.connect(settings, "loader") as other:
        with raw.held(one, name), pytest.raises(KefuError, match="is being extracted already"), raw.held(other, name):
            pass
        with raw.held(other, name):
            pass


def test_the_warehouse_going_away_is_one_clear_message(settings: Settings, name: str) -> None:
    def pages() -> Iterator[Page]:
        yield tickets((1, "new"))
        with warehouse.connect(settings, "admin", database="postgres", autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and usename = 'loader'",
                [settings.warehouse.database],
            )

    with pytest.raises(KefuError, match="the warehouse did not take the load") as error:
        load.load_pages(settings, name, TABLES, pages())
    assert settings.warehouse.database in str(error.value.where)
    assert load.load_pages(settings, name, TABLES, [tickets((1, "new"))]).changed == 1


def test_a_folder_that_cannot_be_written_is_one_clear_message(settings: Settings, name: str) -> None:
    (settings.home / "dlt").mkdir(exist_ok=True)
    (settings.home / "dlt" / name).touch()

    with pytest.raises(KefuError, match="cannot be kept on disk") as error:
        load.load_pages(settings, name, TABLES, [tickets((1, "new"))])
    assert str(settings.home / "dlt" / name) in str(error.value.where)


def test_a_full_disk_is_told_as_such(settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlt.common.data_writers.writers import ArrowToParquetWriter

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrowToParquetWriter, "write_data", full)
    with pytest.raises(KefuError, match="cannot be kept on disk") as error:
        load.load_pages(settings, name, TABLES, [tickets((1, "new"))])
    assert "No space left on device" in str(error.value.found)


def test_rows_lost_between_landing_and_raw_are_noticed(settings: Settings, name: str) -> None:
    """As after a crash of the server, which empties landing tables."""

    def pages() -> Iterator[Page]:
        yield tickets((1, "new"), (2, "new"))

    publish = raw.publish

    def crashed(connection: Any, source: str, *rest: Any, **more: Any) -> Any:
        connection.execute(f"delete from landing_{source}.tickets where id = 2")
        return publish(connection, source, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw, "publish", crashed)
        with pytest.raises(KefuError, match="not all rows of tickets") as error:
            load.load_pages(settings, name, TABLES, pages())
    assert (error.value.expected, error.value.found) == ("2 rows", "1 rows")
    assert query(settings, f"select * from raw_{name}.tickets") == []


KILLED = """
import sys, time
import pyarrow as pa
from kefu import load, raw
from kefu.settings import load_settings, SourceSettings
from kefu.sources import Kind
from test_load import TABLES, NoOptions, tickets

config, home, database, name, where = sys.argv[1:]
settings = load_settings(__import__("pathlib").Path(config), __import__("pathlib").Path(home))
settings = settings.model_copy(update={
    "warehouse": settings.warehouse.model_copy(update={"database": database}),
    "sources": {name: SourceSettings(name=name, kind=name)},
})

def here(point):
    if point == where:
        print("here", flush=True)
        time.sleep(60)

def pages(extraction):
    for number in range(extraction.state.get("next", 1), 6):
        yield tickets((number, "new"), (number + 100, "open"))
        yield "notes", pa.table({"text": [f"note {number}"]})
        extraction.state["next"] = number + 1
        if number == 3:
            here("extracting")

publish, record = raw.publish, raw._record
def publishing(*args, **more):
    here("landed")
    return publish(*args, **more)
def recording(*args, **more):
    here("merged")
    return record(*args, **more)
raw.publish, raw._record = publishing, recording
clear = raw.clear_landing
def clearing(connection, source):
    if connection.execute("select 1 from control.loads where source = %s", [source]).fetchone():
        here("published")
    clear(connection, source)
raw.clear_landing = clearing

kind = Kind(name, "ticketing", name, NoOptions, TABLES, pages)
load.kinds = lambda: {name: kind}
print(load.extract(settings, name), flush=True)
"""


@pytest.mark.parametrize("where", ["extracting", "landed", "merged", "published"])
def test_after_kill_minus_nine_and_another_run_raw_is_as_if_nothing_had_happened(
    settings: Settings, name: str, where: str, tmp_path: Path
) -> None:
    script = tmp_path / "extract.py"
    script.write_text(KILLED, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}

    def run(point: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), str(settings.config), str(settings.home)]
        return subprocess.Popen(
            [*command, settings.warehouse.database, name, point],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    process = run(where)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "here"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = query(settings, f"select count(*) from raw_{name}.tickets")
    assert before == [(10 if where == "published" else 0,)]
    deadline = time.monotonic() + 60  # the server notices the death of a client with its next word
    while True:
        again = run("nowhere")
        out, _ = again.communicate(timeout=120)
        if again.returncode == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.5)

    assert again.returncode == 0
    assert ("15 new or changed" in out) != (where == "published"), out
    expected = sorted([*range(1, 6), *range(101, 106)])
    assert query(settings, f"select id from raw_{name}.tickets order by id") == [(number,) for number in expected]
    notes = query(settings, f"select text from raw_{name}.notes order by 1")
    assert notes == [(f"note {number}",) for number in range(1, 6)]
    state = query(settings, f"select state from control.cursors where source = '{name}'")
    assert json.loads(state[0][0]) == {"next": 6}


def with_files(monkeypatch: pytest.MonkeyPatch, settings: Settings, *names: str) -> Settings:
    """Settings with the vendor kind ``vendor`` and file sources of these names, of a kind with table calls."""
    calls = Table("calls", {"call_id": pa.string(), "wait_seconds": pa.int64()}, key=("call_id",))
    kinds = {
        "files": Kind("files", "files", "Files", NoOptions, (calls,), lambda extraction: iter(())),
        "vendor": Kind("vendor", "ticketing", "Vendor", NoOptions, TABLES, lambda extraction: iter(())),
    }
    monkeypatch.setattr(load, "kinds", lambda: kinds)
    return settings.model_copy(update={"sources": {name: SourceSettings(name=name, kind="files") for name in names}})


def call(call_id: str) -> Page:
    return "calls", pa.table({"call_id": [call_id], "wait_seconds": [3]})


def test_every_declared_table_is_there_before_anything_landed(
    new_warehouse: NewWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_files(monkeypatch, new_warehouse())

    load.prepare_raw(settings)
    load.prepare_raw(settings)

    assert set(columns_of(settings, "raw_vendor")) == {"tickets", "groups", "notes", "quarantine", "removed"}
    assert columns_of(settings, "raw_vendor")["notes"]["score"] == "numeric(18,6)"
    assert query(settings, "select source, call_id, wait_seconds, _load_id, _loaded_at from raw_files.calls") == []
    assert query(settings, "select source, entity, file, line, reason from raw_files.quarantine") == []
    assert query(settings, "select load_id, source, table_name, rows, loaded_at from control.loads") == []
    # What was prepared is what is loaded into.
    assert load.load_pages(settings, "vendor", TABLES, [tickets((1, "new"))]).changed == 1
    load.prepare_raw(settings)
    assert query(settings, "select id from raw_vendor.tickets") == [(1,)]


def test_the_views_of_all_file_sources_follow_the_configuration(
    new_warehouse: NewWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = new_warehouse()
    settings = with_files(monkeypatch, plain, "bank", "airline")
    load.prepare_raw(settings)
    tables = load.kinds()["files"].tables
    for name in ("bank", "airline"):
        load.load_pages(settings, name, tables, [call(f"{name}-1")])
    union = "select source, call_id from raw_files.calls order by 1"
    assert query(settings, union) == [("airline", "airline-1"), ("bank", "bank-1")]

    only = with_files(monkeypatch, plain, "bank")
    load.prepare_raw(only)
    assert query(only, union) == [("bank", "bank-1")]

    wider = Table("calls", {"queue": pa.string(), **tables[0].columns}, key=("call_id",))
    kinds = {"files": Kind("files", "files", "Files", NoOptions, (wider,), lambda extraction: iter(()))}
    monkeypatch.setattr(load, "kinds", lambda: kinds)
    with warehouse.connect(only, "transformer", autocommit=True) as connection:
        connection.execute("create view staging.calls as select call_id from raw_files.calls")
    load.prepare_raw(only)
    assert query(only, "select source, queue, call_id from raw_files.calls") == [("bank", None, "bank-1")]


def test_a_file_source_called_files_is_refused(new_warehouse: NewWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_files(monkeypatch, new_warehouse(), "files")

    with pytest.raises(KefuError, match="cannot be called 'files'"):
        load.prepare_raw(settings)


def test_unknown_sources_and_kinds_name_those_there_are(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KefuError, match="no source called 'zendsk'"):
        load.extract(settings, "zendsk")
    typo = settings.model_copy(update={"sources": {"desk": SourceSettings(name="desk", kind="zendsk")}})
    with pytest.raises(KefuError, match="no kind of source called 'zendsk'") as error:
        load.extract(typo, "desk")
    assert "asterisk" in str(error.value.expected) and "zendesk" in str(error.value.expected)


def test_a_table_that_is_there_with_another_type_or_key_is_refused(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [])
    other = Table("tickets", {**TICKETS.columns, "open": pa.int64()}, key=("id",))
    with pytest.raises(KefuError, match="Column open of") as error:
        load.load_pages(settings, name, (other,), [])
    assert (error.value.expected, error.value.found) == ("bigint", "boolean (warehouse)")

    other = Table("tickets", TICKETS.columns, key=("id", "n"))
    with pytest.raises(KefuError, match="The key of") as error:
        load.load_pages(settings, name, (other,), [])
    assert (error.value.expected, error.value.found) == ("id, n", "id")


def test_a_new_version_adds_its_columns(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [tickets((1, "new"))])
    wider = Table("tickets", {**TICKETS.columns, "brand": pa.string()}, key=("id",))

    load.load_pages(settings, name, (wider, GROUPS, NOTES), [("tickets", pa.table({"id": [2], "brand": ["b"]}))])

    assert query(settings, f"select id, brand from raw_{name}.tickets order by id") == [(1, None), (2, "b")]


@pytest.mark.parametrize("bad", ["Bad", "two__words", "tail_", "1st"])
def test_names_that_would_not_arrive_as_they_are_are_refused(settings: Settings, name: str, bad: str) -> None:
    with pytest.raises(KefuError, match="cannot be the name"):
        load.load_pages(settings, name, (Table("t", {bad: pa.int64()}, key=(bad,)),), [])


def test_a_load_that_came_later_is_later_even_if_the_clock_was_set_back(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [tickets((1, "new"))])
    with warehouse.connect(settings, "loader") as connection:
        connection.execute(
            "update control.loads set loaded_at = loaded_at + interval '1 day' where source = %s", [name]
        )
    load.load_pages(settings, name, TABLES, [tickets((1, "open"))])

    ordered = query(
        settings,
        f"select count(distinct load_id), max(loaded_at) = (select max(_loaded_at) from raw_{name}.tickets)"
        f" from control.loads where source = '{name}'",
    )
    assert ordered == [(2, True)]


def test_nobody_but_the_pipeline_reads_raw(settings: Settings, name: str) -> None:
    load.load_pages(settings, name, TABLES, [tickets((1, "new"))])

    with warehouse.connect(settings, "analyst") as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute(f"select * from raw_{name}.tickets")


def test_a_report_is_one_line(settings: Settings, name: str) -> None:
    report = load.load_pages(settings, name, TABLES, [tickets((1, "new"), (2, "new"))])

    assert str(report) == "2 rows (tickets 2), 2 new or changed, 0 quarantined"
    assert str(load.load_pages(settings, name, TABLES, [])) == "0 rows (nothing new), 0 new or changed, 0 quarantined"


def test_an_input_refused_as_a_whole_fails_the_extraction_after_the_others_are_saved(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages(extraction: Extraction) -> Iterator[Page]:
        extraction.refuse(KefuError("b.csv has no column id.", found="name, age", do="Export it again."))
        yield tickets((1, "new"))
        extraction.state["done"] = True

    with pytest.raises(KefuError, match=r"b\.csv has no column id") as error:
        load.extract(serve(monkeypatch, settings, name, pages), name)
    assert error.value.found == "name, age" and "1 rows (tickets 1)" in str(error.value.do)
    assert query(settings, f"select id from raw_{name}.tickets") == [(1,)]
    assert query(settings, f"select state from control.cursors where source = '{name}'") == [('{"done": true}',)]


def test_pages_are_not_kept_in_memory(settings: Settings, name: str) -> None:
    alive: list[weakref.ref[pa.Table]] = []
    most = 0

    def pages() -> Iterator[Page]:
        nonlocal most
        for number in range(100):
            page = tickets(*((number * 1000 + row, "new") for row in range(1000)))
            alive.append(weakref.ref(page[1]))
            most = max(most, sum(reference() is not None for reference in alive))
            yield page

    assert load.load_pages(settings, name, TABLES, pages()).changed == 100_000
    assert most <= 10

"""Files of every format as rows: names, lines, broken rows; and files that are refused with one message."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kefu.errors import KefuError

from .conftest import CALLS, Convert

TEXT = "id,at\n1,2026-01-01\n2,2026-01-02\n"


def workbook(rows: list[list[Any]], *, sheets: dict[str, list[list[Any]]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Calls"
    for row in rows:
        book.active.append(row)
    for name, more in (sheets or {}).items():
        sheet = book.create_sheet(name)
        for row in more:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def zipped(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return stream.getvalue()


# By name: packed content holds the time of its packing, and a test's name must be the same in every process.
SAME_ROWS = {
    "plain": TEXT.encode(),
    "Windows lines": TEXT.replace("\n", "\r\n").encode(),
    "old Mac lines": TEXT.replace("\n", "\r").encode(),
    "no last line end": TEXT.rstrip().encode(),
    "UTF-8 with mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "UTF-16 with mark": TEXT.encode("utf-16"),
    "UTF-16 LE": TEXT.encode("utf-16-le"),
    "UTF-16 BE": TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "tabs": TEXT.replace(",", "\t").encode(),
    "semicolons": TEXT.replace(",", ";").encode(),
    "bars": TEXT.replace(",", "|").encode(),
    "said separator": b"sep=;\r\n" + TEXT.replace(",", ";").encode(),
    "quoted": b'"id", "at"\n"1","2026-01-01"\n2, 2026-01-02\n',
    "empty lines": b"\n\nid,at\n\n1,2026-01-01\n\n2,2026-01-02\n\n",
    "upper case and more columns": b" ID ,at,extra\n1,2026-01-01,x\n2,2026-01-02,\n",
    "gzip": gzip.compress(TEXT.encode()),
    "gzip twice": gzip.compress(gzip.compress(TEXT.encode())),
    "gzip in parts": gzip.compress(TEXT[:20].encode()) + gzip.compress(TEXT[20:].encode()),
    "bzip2": bz2.compress(TEXT.encode()),
    "xz": lzma.compress(TEXT.encode()),
    "zip": zipped(calls=TEXT),
    "gzip of UTF-8 with mark": gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()),
    "JSON lines": b'{"id": 1, "at": "2026-01-01"}\n{"id": 2, "at": "2026-01-02"}\n',
    "JSON lines with empty ones": b'\n{"id": "1", "at": "2026-01-01"}\r\n\r\n{"id": "2", "at": "2026-01-02"}',
    "JSON array": b'[{"id": 1, "at": "2026-01-01"},\n {"id": 2, "at": "2026-01-02"}]',
    "gzip of a JSON array": gzip.compress(b'  [\n {"id": 1, "at": "2026-01-01"}, {"id": 2, "at": "2026-01-02"}]\n'),
    "workbook": workbook([["id", "at"], [1, datetime(2026, 1, 1)], ["2", "2026-01-02"]]),
    "gzip of a workbook": gzip.compress(
        workbook([[], ["id", "at", None], [None], [1, date(2026, 1, 1)], [2.0, "2026-01-02"]])
    ),
}


@pytest.mark.parametrize("content", SAME_ROWS.values(), ids=SAME_ROWS)
def test_the_same_rows_come_out_of_every_kind_of_file(convert: Convert, content: bytes) -> None:
    outcome = convert(CALLS, content, name="export.dat")  # told by content, never by name
    assert outcome.rejects == []
    assert outcome.column("call_id") == ["1", "2"]
    assert outcome.column("started_at") == [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]


def parquet(table: pa.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def test_parquet_keeps_its_types(convert: Convert) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "at": pa.array([datetime(2026, 1, 1), None], pa.timestamp("ns")),
            "amount": pa.array([Decimal("1.50"), Decimal("2.25")]),
            "who": pa.array([{"name": "Ann"}, {"name": None}]),
            "tags": pa.array([["a", "b"], []]),
        }
    )
    outcome = convert(
        CALLS + "      agent: who.name\n      queue: tags\n      team: amount\n",
        parquet(table, row_group_size=1),
        chunk_rows=1,
    )
    assert outcome.column("call_id") == ["1"]
    assert outcome.column("agent") == ["Ann"]
    assert outcome.column("queue") == ['["a", "b"]']
    assert outcome.column("team") == ["1.50"]
    (rejected,) = outcome.rejects
    assert (rejected.line, rejected.column, rejected.reason) == (2, "at", "started_at: is required but unknown")
    assert json.loads(rejected.row)["id"] == 2 and json.loads(rejected.row)["tags"] == []


def test_a_workbook_keeps_its_types(convert: Convert) -> None:
    rows = [
        ["id", "day", "clock", "talk", "share", "ok"],
        [1001, datetime(2026, 1, 1), time(23, 59), timedelta(minutes=5), 0.25, True],
        [1002.0, "1/2/2026", 0.5, time(0, 1, 30), 3, False],
    ]
    outcome = convert(
        """
        time: {zone: UTC, format: D/M/YYYY}
        entities:
          calls:
            filters: [{name: nothing, drop: ok == 'maybe'}]
            fields:
              call_id: id
              started_at: {date: day, time: clock}
              talk_seconds: talk
              queue: share
              team: ok
              outcome: {constant: answered}
        """,
        workbook(rows),
    )
    assert outcome.rejects == []
    assert outcome.column("call_id") == ["1001", "1002"]
    assert outcome.column("started_at") == [
        datetime(2026, 1, 1, 23, 59, tzinfo=UTC),
        datetime(2026, 2, 1, 12, tzinfo=UTC),
    ]
    assert outcome.column("talk_seconds") == [300, 90]
    assert outcome.column("queue") == ["0.25", "3"]
    assert outcome.column("team") == ["true", "false"]


@pytest.mark.parametrize(("sheet", "ids"), [("sheet: calls", ["1"]), ("sheet: 2", ["2"]), ("sheet: ' More '", ["2"])])
def test_the_sheet_is_the_one_said(convert: Convert, sheet: str, ids: list[str]) -> None:
    content = workbook([["id", "at"], [1, "2026-01-01"]], sheets={"More": [["id", "at"], [2, "2026-01-02"]]})
    assert convert(f"file: {{{sheet}}}\n{CALLS}", content).column("call_id") == ids


def test_titles_footers_and_comments_are_no_rows(convert: Convert) -> None:
    text = "Calls of January\n# made by hand\nid;at\nunits;date\n1;2026-01-01\n# a remark\n2;2026-01-02\nTotal: 2\n\n"
    outcome = convert("file: {skip_lines: 1, comment: '#', skip_rows: 1, footer_rows: 1}\n" + CALLS, text, chunk_rows=1)
    assert outcome.column("call_id") == ["1", "2"]
    assert outcome.column("_line") == [5, 7]
    assert (outcome.account.read, outcome.rejects) == (2, [])
    book = workbook([["Calls"], ["id", "at"], [1, "2026-01-01"], [2, "2026-01-02"], ["Total", 2]])
    outcome = convert("file: {skip_lines: 1, footer_rows: 1}\n" + CALLS, book)
    assert (outcome.column("call_id"), outcome.column("_line")) == (["1", "2"], [3, 4])


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 100])
@pytest.mark.parametrize("footer", [0, 1, 2, 5])
def test_a_footer_is_cut_off_however_the_file_is_cut_into_chunks(
    convert: Convert, chunk_rows: int, footer: int
) -> None:
    text = "id,at\n" + "".join(f"{number},2026-01-01\n" for number in range(6))
    outcome = convert(f"file: {{footer_rows: {footer}}}\n{CALLS}", text, chunk_rows=chunk_rows)
    rows = outcome.column("call_id") if outcome.rows else []
    assert rows == [str(number) for number in range(6 - footer)]
    assert outcome.account.read == 6 - footer


def test_columns_can_be_named_numbered_and_told_apart(convert: Convert) -> None:
    twice = "id,at,name,name\n1,2026-01-01,Ann,Ben\n"
    outcome = convert(CALLS + "      agent: name#2\n      customer: name#1\n      queue: '#3'\n", twice)
    (row,) = outcome.rows["calls"]
    assert (row["agent"], row["customer"], row["queue"]) == ("Ben", "Ann", "Ann")
    bare = "1|2026-01-01|x\n2|2026-01-02|y\n"
    named = convert("file: {header: false, columns: [id, at, other], delimiter: pipe}\n" + CALLS, bare)
    assert named.column("call_id") == ["1", "2"]
    assert named.column("_line") == [1, 2]
    numbered = convert(
        "file: {header: false}\n" + CALLS.replace("call_id: id", "call_id: '#1'").replace(": at", ": '#2'"), bare
    )
    assert numbered.column("call_id") == ["1", "2"]
    renamed = convert("file: {columns: [id, at, x]}\n" + CALLS, "Nr,Datum,Rest\n1,2026-01-01,\n")
    assert renamed.column("call_id") == ["1"]


def test_a_row_keeps_its_physical_line_after_quoted_line_breaks(convert: Convert) -> None:
    text = 'id,at,note\r\n1,2026-01-01,"two\r\nlines, ""quoted"""\r\n\r\n2,soon,"a\nb"\r\n3,2026-01-03,\r\n'
    outcome = convert(CALLS + "      queue: note\n", text)
    assert outcome.column("_line") == [2, 7]
    assert outcome.column("queue") == ['two\r\nlines, "quoted"', None]
    (rejected,) = outcome.rejects
    assert (rejected.line, rejected.column, rejected.value) == (5, "at", "soon")
    assert rejected.row == '2,soon,"a\nb"'
    assert rejected.entity == "calls" and rejected.file == "calls.csv"
    assert rejected.reason.startswith("started_at: is not written as iso")


def test_rows_that_are_none_go_to_quarantine_and_the_others_stay(convert: Convert) -> None:
    text = 'id,at\n1,2026-01-01\n2\n3,2026-01-03,x\n4,"2026"-01-04\n5,2026-01-05\n'
    outcome = convert(CALLS, text)
    assert outcome.column("call_id") == ["1", "5"]
    assert [(rejected.line, rejected.reason, rejected.row, rejected.value) for rejected in outcome.rejects] == [
        (3, "the row has fewer fields than the header", "2", "1 of 2"),
        (4, "the row has more fields than the header", "3,2026-01-03,x", "3 of 2"),
        (5, "a quoted value goes on after its closing quote", '4,"2026"-01-04', None),
    ]
    assert (outcome.account.read, outcome.account.quarantined) == (5, 3)
    lenient = convert("file: {short_rows: fill, long_rows: cut}\n" + CALLS, "id,at,z\n1,2026-01-01\n2,2026-01-02,a,b\n")
    assert lenient.column("call_id") == ["1", "2"]
    unquoted = convert("file: {quote: none, delimiter: tab}\n" + CALLS, 'id\tat\n"1\t2026-01-01\n2"\t2026-01-02\n')
    assert unquoted.column("call_id") == ['"1', '2"']


def test_lines_that_are_no_records_go_to_quarantine(convert: Convert) -> None:
    text = '{"id": 1, "at": "2026-01-01"}\n{"id": 2,\n[3]\n"four"\n{"id": 5, "at": "2026-01-05"}\n'
    outcome = convert(CALLS, text)
    assert outcome.column("call_id") == ["1", "5"]
    assert [(rejected.line, rejected.row) for rejected in outcome.rejects] == [
        (2, '{"id": 2,'),
        (3, "[3]"),
        (4, '"four"'),
    ]
    document = convert(CALLS, '[{"id": 1, "at": "2026-01-01"}, 7, null,\n {"id": 2, "at": "2026-01-01"}]')
    assert document.column("_line") == [1, 2]
    assert document.reasons == ["is not a JSON object"] * 2


NESTED = {
    "data": {
        "next": None,
        "items": [
            {"id": "T1", "by": {"id": 7}, "events": [{"n": 1, "at": "2026-01-01"}, {"n": 2, "at": "2026-01-02"}]},
            {"id": "T2", "by": {"id": 8}, "events": []},
            {"id": "T3", "by": None, "events": [{"n": 1, "at": "bad"}]},
            {"id": "T4", "by": {}, "events": "none"},
        ],
    }
}
EVENTS = """
file: {records: data.items}
time: {zone: UTC}
entities:
  tickets:
    fields: {ticket_id: id, customer: by.id, created_at: {constant: "2026-01-01T00:00:00Z"}, type: "events[0].n"}
  ticket_events:
    each: events
    fields: {ticket_id: id, sequence: events.n, occurred_at: events.at, customer: by.id}
"""


def test_lists_inside_records_become_rows_of_their_own(convert: Convert) -> None:
    outcome = convert(EVENTS, json.dumps(NESTED, indent=1))
    assert [(row["ticket_id"], row["customer"], row["type"]) for row in outcome.rows["tickets"]] == [
        ("T1", "7", "1"), ("T2", "8", None), ("T3", None, "1"), ("T4", None, None),
    ]  # fmt: skip
    assert [(row["ticket_id"], row["sequence"], row["customer"]) for row in outcome.rows["ticket_events"]] == [
        ("T1", 1, "7"), ("T1", 2, "7"),
    ]  # fmt: skip
    assert [(rejected.column, rejected.value) for rejected in outcome.rejects] == [
        ("events", "none"),
        ("events.at", "bad"),
    ]
    tickets, events = outcome.accounts
    assert (tickets.read, events.read, events.quarantined) == (4, 4, 2)
    lines = "\n".join(json.dumps(item) for item in NESTED["data"]["items"])
    assert len(convert(EVENTS.replace("file: {records: data.items}\n", ""), lines).rows["ticket_events"]) == 2
    table = pa.Table.from_pylist(NESTED["data"]["items"][:2])
    assert len(convert(EVENTS.replace("file: {records: data.items}\n", ""), parquet(table)).rows["ticket_events"]) == 2


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20).filter(
    lambda text: text.strip() == text and text != ""
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8), delimiter=st.sampled_from([",", "\t", ";", "|"]))
def test_any_text_survives_a_delimited_file(convert: Convert, rows: list[tuple[str, str]], delimiter: str) -> None:
    import csv

    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "at", "note", "more"])
    for number, (one, other) in enumerate(rows):
        writer.writerow([number, "2026-01-01", one, other])
    outcome = convert(CALLS + "      queue: note\n      agent: more\n", stream.getvalue(), chunk_rows=3)
    assert outcome.rejects == []
    assert list(zip(outcome.column("queue"), outcome.column("agent"), strict=True)) == rows
    lines = stream.getvalue().encode().splitlines(keepends=True)  # the first line of every row begins with its number
    assert [int(lines[line - 1].split(b'"')[1]) for line in outcome.column("_line")] == list(range(len(rows))) or any(
        character in text for pair in rows for text in pair for character in "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8), indent=st.sampled_from([None, 1]))
def test_any_text_survives_json(convert: Convert, rows: list[tuple[str, str]], indent: int | None) -> None:
    records = [{"id": n, "at": "2026-01-01", "a": one, "b": other} for n, (one, other) in enumerate(rows)]
    mapping = CALLS + "      queue: a\n      agent: b\n"
    for text in (json.dumps(records, indent=indent), "\n".join(json.dumps(record) for record in records)):
        outcome = convert(mapping, text)
        assert outcome.rejects == []
        assert list(zip(outcome.column("queue"), outcome.column("agent"), strict=True)) == rows


def test_a_document_is_read_block_by_block_at_any_cut(convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    from kefu.files import jsonfiles

    records = [{"id": n, "at": "2026-01-01", "text": "x" * (n % 7), "n": n * 12345} for n in range(50)]
    document = json.dumps({"a": [1, {"b": "]"}], "rows": records, "end": True})
    for size in (1, 2, 3, 5, 8, 13, 100):
        monkeypatch.setattr(jsonfiles, "BLOCK", size)
        outcome = convert("file: {records: rows}\n" + CALLS + "      queue: n\n", document)
        assert outcome.column("queue") == [str(n * 12345) for n in range(50)]


# --- refused as a whole ---------------------------------------------------------------------------------------

PACKED = gzip.compress(TEXT.encode() * 500)
BOOK = workbook([["id", "at"], [1, "2026-01-01"]] + [[n, "2026-01-02"] for n in range(2, 400)])
TABLE = parquet(pa.table({"id": ["1"], "at": ["2026-01-01"]}))

REFUSED: dict[str, tuple[bytes, str, list[str]]] = {
    "an empty file": (b"", "", ["it is empty (0 bytes)"]),
    "a file of blank lines": (b"\n \n\n", "", ["it is empty: there is no line with text"]),
    "packed nothing": (gzip.compress(b""), "", ["it is empty"]),
    "a missing column": (b"id,when,who\n1,2026,x\n", "", ["there is no column 'at'", "3 columns: id | when | who"]),
    "a column that is nearly there": (b"id,att\n1,x\n", "", ["there is no column 'at'; did you mean 'att'?"]),
    "a column twice": (b"id,at,at\n1,x,y\n", "", ["'at' stands over columns 2 and 3; write 'at#1'"]),
    "another encoding": (
        "id,at\n1,2026-01-01\n2,Zürich\n".encode("latin-1"),
        "",
        ["it is not UTF-8 (the default)", "byte 0xfc at position 22, line 3", "cp1252"],
    ),
    "chinese in another encoding": ("id,at\n1,电话\n".encode("gb18030"), "", ["it is not UTF-8", "gb18030"]),
    "another encoding than declared": (
        "id,at\n1,电话客服\n".encode("gb18030"),
        "file: {encoding: utf-8}",
        ["it is not UTF-8 (the mapping says file.encoding)"],
    ),
    "packed data cut off": (PACKED[:-30], "", ["it is cut off: the compressed data ends too early"]),
    "packed data cut off early": (PACKED[:15], "", ["it is cut off"]),
    "packed data damaged": (PACKED[:-8] + b"\x00\x00\x00\x00" + PACKED[-4:], "", ["its compressed data is damaged"]),
    "a workbook cut off": (BOOK[: len(BOOK) // 2], "", ["cut off or damaged"]),
    "a workbook with a bad part": (
        BOOK.replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet9.xml"), "", ["damaged"],
    ),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + bytes(600), "", ["it is an old Excel workbook"]),
    "a workbook with several sheets": (workbook([["id"]], sheets={"B": [["x"]]}), "", ["several sheets", "Calls, B"]),
    "a sheet that is not there": (BOOK, "file: {sheet: Tickets}", ["there is no sheet 'Tickets'", "Calls"]),
    "an empty sheet": (workbook([]), "", ["the sheet is empty"]),
    "a Parquet file cut off": (TABLE[:-10], "", ["cut off or damaged"]),
    "a Parquet file with a damaged page": (TABLE[:4] + bytes(60) + TABLE[64:], "", ["cut off or damaged"]),
    "a Parquet file without the column": (parquet(pa.table({"id": ["1"]})), "", ["there is no column 'at'"]),
    "an open quote": (b'id,at\n1,2026\n2,"2026\n3,2026\n', "", ["opened in line 3 is never closed", "quote: none"]),
    "JSON cut off": (b'[{"id": 1, "at": "2026-01-01"}, {"id": 2', "", ["it is cut off or no valid JSON"]),
    "JSON cut off after a comma": (b'[{"id": 1, "at": "2026-01-01"},', "", ["it is cut off or no valid JSON"]),
    "JSON with a mistake": (b'[{"id": 1, "at": "2026"}, {"id": oops}]' + b" " * 99, "", ["no valid JSON", "line 1"]),
    "JSON without a list": (b'{\n"items": [], "page": 1}', "", ["no list of records", "lists are items"]),
    "JSON with another path": (b'{"a": {"b": []}}', "file: {records: a.c}", ["there is no 'a.c' in it", "the keys b"]),
    "no line a record": (b'{"id": \n{"id": \n', "file: {format: json_lines}", ["not one of its rows is a JSON object"]),
    "a key no record has": (b'{"id": 1}\n{"id": 2}\n', "", ["no record has 'at'", "1 column: id"]),
    "a web page": (b"<!DOCTYPE html><html>", "", ["it is a web page"]),
    "a PDF": (b"%PDF-1.7", "", ["it is a PDF"]),
    "an archive of several": (zipped(a="x", b="y"), "", ["exactly one file", "a.csv, b.csv"]),
    "another format than said": (BOOK, "file: {format: delimited}", ["says it is delimited, but its content is xlsx"]),
    "fewer names than columns": (b"a,b\n1,2\n", "file: {columns: [id, at, x]}", ["not have as many names", "2: a, b"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_is_refused_as_a_whole_with_one_message(convert: Convert, case: str) -> None:
    content, options, told = REFUSED[case]
    with pytest.raises(KefuError) as error:
        convert(f"{options}\n{CALLS}", content)
    text = str(error.value)
    assert text.startswith("calls.csv is refused: ")
    for part in told:
        assert part in text, text
    assert "Traceback" not in text


def test_a_header_without_rows_is_a_file_without_rows(convert: Convert) -> None:
    for content in (b"id,at\n", b"[]", b"[ ]\n", workbook([["id", "at"]])):
        outcome = convert(CALLS, content)
        assert outcome.rows == {} and outcome.account.read == 0


def test_a_column_that_may_be_missing_is_unknown_then(convert: Convert) -> None:
    mapping = "file: {optional: [who]}\n" + CALLS + "      agent: who\n"
    for content in (TEXT, '[{"id": 1, "at": "2026-01-01"}]', parquet(pa.table({"id": ["1"], "at": ["2026-01-01"]}))):
        assert set(convert(mapping, content).column("agent")) == {None}


def test_a_key_that_some_records_lack_is_unknown_there_and_nobody_is_blamed_for_empty_lists(convert: Convert) -> None:
    text = '{"id": 1, "at": "2026-01-01", "kind": "a"}\n{"id": 2, "at": "2026-01-02", "kind": "b", "who": "Ann"}\n'
    outcome = convert(CALLS + "      agent: {column: who, when: kind == 'c'}\n      queue: who\n", text)
    assert outcome.column("queue") == [None, "Ann"]
    filtered = convert(
        CALLS + "      agent: {column: who, when: kind == 'c'}\n    filters: [{drop: known(id)}]\n", text
    )
    assert filtered.account.filtered == 2
    unanswered = '{"id": 1, "at": "2026-01-01", "agent": null}\n{"id": 2, "at": "2026-01-02", "agent": null}\n'
    assert convert(CALLS + "      agent: agent.name\n", unanswered).column("agent") == [None, None]
    empty = {"data": {"items": [{"id": "T1", "by": {"id": 7}, "events": []}]}}
    outcome = convert(EVENTS.replace('type: "events[0].n"', "type: id"), json.dumps(empty))
    assert [account.read for account in outcome.accounts] == [1, 0]


def test_a_declared_encoding_is_used(convert: Convert) -> None:
    mapping = "file: {encoding: gb18030}\n" + CALLS + "      queue: 队列\n"
    assert convert(mapping, "id,at,队列\n1,2026-01-01,退换\n".encode("gb18030")).column("queue") == ["退换"]


def test_what_no_database_takes_goes_to_quarantine(convert: Convert) -> None:
    mapping = CALLS + "      queue: q\n"
    outcome = convert(mapping, b"id,at,q\n1,2026-01-01,a\x00b\n2,2026-01-02,ok\n")
    assert outcome.column("call_id") == ["2"]
    assert outcome.reasons == ["queue: holds a NUL character"]
    assert outcome.rejects[0].value == "a\\x00b" and "\x00" not in outcome.rejects[0].row
    surrogate = convert(
        mapping, '{"id": 1, "at": "2026-01-01", "q": "\\ud83d"}\n{"id": 2, "at": "2026-01-01", "q": "\\ud83d\\ude00"}\n'
    )
    assert surrogate.column("queue") == ["😀"]
    assert surrogate.reasons == ["queue: holds half a character (a lone surrogate)"]


def test_the_manifest_beside_a_file_is_held_to(convert: Convert, tmp_path: Any) -> None:
    import hashlib

    manifest = tmp_path / "calls.csv.manifest.json"
    manifest.write_text(json.dumps({"rows": 2, "sha256": hashlib.sha256(TEXT.encode()).hexdigest().upper()}))
    assert convert(CALLS, TEXT).column("call_id") == ["1", "2"]
    manifest.write_text(json.dumps({"rows": 3}))
    with pytest.raises(KefuError, match="not as many rows as its manifest says"):
        convert(CALLS, TEXT)
    manifest.write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(KefuError, match="not the file its manifest speaks of"):
        convert(CALLS, TEXT)
    manifest.write_text("{")
    with pytest.raises(KefuError, match="its manifest cannot be read"):
        convert(CALLS, TEXT)

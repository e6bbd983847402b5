"""queue_log: read once whatever logrotate does, nothing lost, bad lines told."""

from __future__ import annotations

import gzip
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from vendors import Drained, configured, drain, extraction

from kefu import load, warehouse
from kefu.emulators.asterisk import advance
from kefu.errors import KefuError
from kefu.simulator import Summary
from kefu.sources import asterisk
from kefu.sources.asterisk import KIND

FIRST = "1774742389|NONE|NONE|NONE|QUEUESTART|\n"
CALL = "".join(
    [
        "1774742393|1774742393.4|support|NONE|ENTERQUEUE||13800000000|1\n",
        "1774742400|1774742393.4|support|Bob|RINGNOANSWER|3000\n",
        "1774742402|1774742393.4|support|Alice|CONNECT|5|1774742401.12|1\n",
        "1774742406|1774742393.4|support|Alice|COMPLETECALLER|5|4|1\n",
    ]
)


def read(folder: Path, state: dict[str, Any] | None = None, *, full: bool = False) -> Drained:
    return drain(KIND, folder, state=state, full=full, path="queue_log*")


def events(drained: Drained) -> list[str]:
    return [row["event"] for row in drained.rows("queue_log")]


def test_lines_become_typed_rows(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(FIRST + CALL)

    rows = read(tmp_path).rows("queue_log")

    assert rows[3] == {
        "file_id": rows[0]["file_id"],
        "byte_offset": len(FIRST + "".join(CALL.splitlines(keepends=True)[:2])),
        "occurred_at": datetime.fromtimestamp(1774742402, UTC),
        "callid": "1774742393.4",
        "queue": "support",
        "agent": "Alice",
        "event": "CONNECT",
        "data1": "5",
        "data2": "1774742401.12",
        "data3": "1",
        "data4": None,
        "data5": None,
    }
    assert [rows[1][f"data{number}"] for number in range(1, 6)] == [None, "13800000000", "1", None, None]
    assert rows[0]["data1"] is None


def test_what_a_true_asterisk_wrote_is_read_to_the_last_line(shared: Path, tmp_path: Path) -> None:
    for path in (shared / "specs" / "asterisk").glob("queue_log*.txt"):
        shutil.copy(path, tmp_path / f"queue_log.{path.name}")

    drained = read(tmp_path)

    assert len(drained.rows("queue_log")) == 26 and drained.rejected == []
    assert set(events(drained)) > {"QUEUESTART", "ENTERQUEUE", "CONNECT", "ABANDON", "EXITWITHTIMEOUT"}


def test_a_line_half_written_waits_for_its_end(tmp_path: Path) -> None:
    log, state = tmp_path / "queue_log", {}
    log.write_text(FIRST[:10])
    assert read(tmp_path, state).pages == []
    log.write_text(FIRST + CALL[:-9])
    assert events(read(tmp_path, state)) == ["QUEUESTART", "ENTERQUEUE", "RINGNOANSWER", "CONNECT"]
    log.write_text(FIRST + CALL)
    assert events(read(tmp_path, state)) == ["COMPLETECALLER"]
    assert events(read(tmp_path, state)) == []


def rename(folder: Path) -> None:
    (folder / "queue_log").rename(folder / "queue_log.1")


def copy_and_truncate(folder: Path) -> None:
    shutil.copy(folder / "queue_log", folder / "queue_log.1")
    os.truncate(folder / "queue_log", 0)


def copy_only(folder: Path) -> None:
    shutil.copy(folder / "queue_log", folder / "queue_log.copy")
    (folder / "queue_log.half").write_text((folder / "queue_log").read_text()[:-60])


def compress(folder: Path) -> None:
    with gzip.open(folder / "queue_log.2.gz", "wb") as packed:
        packed.write((folder / "queue_log").read_bytes())
    (folder / "queue_log").unlink()


def compress_halfway(folder: Path) -> None:
    compress(folder)
    packed = (folder / "queue_log.2.gz").read_bytes()
    (folder / "queue_log.2").write_bytes(gzip.decompress(packed))
    (folder / "queue_log.2.gz").write_bytes(packed[: len(packed) // 2])


def compress_beginning(folder: Path) -> None:
    rename(folder)
    (folder / "queue_log.1.gz").write_bytes(b"\x1f\x8b\x08")


ROTATIONS = [rename, copy_and_truncate, copy_only, compress, compress_halfway, compress_beginning]


@pytest.mark.parametrize("rotate", ROTATIONS, ids=lambda rotate: rotate.__name__)
def test_rotation_neither_loses_nor_repeats_a_line(tmp_path: Path, rotate: Any) -> None:
    log, state = tmp_path / "queue_log", {}
    lines = CALL.splitlines(keepends=True)
    log.write_text(FIRST + lines[0])
    assert len(events(read(tmp_path, state))) == 2

    with log.open("a") as file:
        file.writelines(lines[1:3])
    rotate(tmp_path)
    if rotate is not copy_only:
        with log.open("a") as file:
            file.write(lines[3])

    drained = read(tmp_path, state)
    assert sorted(events(drained)) == sorted(
        ["RINGNOANSWER", "CONNECT"] + (["COMPLETECALLER"] if rotate is not copy_only else [])
    )
    assert drained.rejected == []
    assert events(read(tmp_path, state)) == []


@pytest.mark.parametrize("rotate", ROTATIONS, ids=lambda rotate: rotate.__name__)
def test_reading_everything_again_gives_the_same_keys(tmp_path: Path, rotate: Any) -> None:
    (tmp_path / "queue_log").write_text(FIRST + CALL)
    before = read(tmp_path).merged("queue_log", "file_id", "byte_offset")

    rotate(tmp_path)

    assert read(tmp_path).merged("queue_log", "file_id", "byte_offset") == before


def test_the_end_of_a_file_is_read_after_it_was_compressed(tmp_path: Path) -> None:
    log, state = tmp_path / "queue_log", {}
    log.write_text(FIRST)
    read(tmp_path, state)
    log.write_text(FIRST + CALL)
    compress(tmp_path)

    assert len(events(read(tmp_path, state))) == 4


def test_following_a_growing_log_equals_reading_it_at_the_end(world: Summary, tmp_path: Path) -> None:
    together: dict[Any, dict[str, Any]] = {}
    state: dict[str, Any] = {}
    for hours in range(17 * 24 + 17, -1, -17):
        advance(world.directory, tmp_path, world.now - timedelta(hours=hours))
        if list(tmp_path.glob("queue_log*")):
            drained = read(tmp_path, state)
            new = drained.merged("queue_log", "file_id", "byte_offset")
            assert not together.keys() & new.keys()
            together |= new

    assert together == read(tmp_path).merged("queue_log", "file_id", "byte_offset")
    assert len(together) == world.counts["queue_log"]


def test_lines_that_are_none_are_told_with_their_place(tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    bad = [b"nonsense\n", b"soon|x|q|a|CONNECT\n", b"1774742390|x|q|a|\n", b"1774742391|x|\xff\xfe|a|ABANDON|1|1|5\n"]
    fine = [
        b"1774742392|c|q|a|ABANDON|1|1|5|\r\n",
        b"\n",
        b"1774742393.5|c|q|a|AGENTDUMP\n",
        b"1774742394|c|q|a|CONNECT|1|2|3|4|5|6|7\n",
    ]
    log.write_bytes(FIRST.encode() + b"".join(bad) + b"".join(fine) + b"\x00" * 20 + b"1774742395|c|q|a|ABANDON\n")

    drained = read(tmp_path)

    assert events(drained) == ["QUEUESTART", "ABANDON", "AGENTDUMP", "CONNECT"]
    assert [(item.line, item.file) for item in drained.rejected] == [(n, str(log)) for n in (2, 3, 4, 5, 10)]
    assert [item.reason.split(":")[0] for item in drained.rejected[:4]] == [
        "1 fields where at least 5 belong",
        "a line begins with the second since 1970, not with 'soon'",
        "there is no event",
        "not UTF-8",
    ]
    assert drained.rejected[0].row == "nonsense" and "\\xff" in drained.rejected[3].row
    rows = drained.rows("queue_log")
    assert rows[2]["occurred_at"] == datetime(2026, 3, 28, 23, 59, 53, 500_000, tzinfo=UTC)
    assert [rows[3][f"data{number}"] for number in range(1, 6)] == ["1", "2", "3", "4", "5"]


def test_blocks_do_not_cut_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "queue_log").write_text(FIRST + CALL * 50 + "broken\n")
    whole = read(tmp_path)
    monkeypatch.setattr(asterisk, "_BLOCK", 97)

    pieces = read(tmp_path)

    assert len(pieces.pages) > 50
    assert pieces.rows("queue_log") == whole.rows("queue_log")
    assert pieces.rejected == whole.rejected and pieces.rejected[0].line == 202
    assert pieces.state == whole.state


def test_a_run_that_dies_between_a_page_and_its_memory_repeats_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue_log").write_text(FIRST + CALL * 20)
    expected = read(tmp_path).merged("queue_log", "file_id", "byte_offset")
    monkeypatch.setattr(asterisk, "_BLOCK", 97)

    died = Drained()
    pages = KIND.extract(extraction(KIND, died, tmp_path, path="queue_log*"))
    rows = [row for _ in range(5) for row in next(pages)[1].to_pylist()]
    pages.close()
    again = drain(KIND, tmp_path, state=died.state, path="queue_log*").rows("queue_log")

    merged = {(row["file_id"], row["byte_offset"]): row for row in rows + again}
    assert merged == expected
    assert len(rows) + len(again) > len(expected)


def test_a_damaged_archive_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(FIRST + CALL)
    older = "".join(f"{1774000000 + n}|c{n * 7919}|q|agent {n * 31 % 97}|ABANDON|1|1|{n}\n" for n in range(5000))
    packed = gzip.compress(older.encode())
    (tmp_path / "queue_log.2.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "queue_log.3.gz").write_bytes(b"this is no archive")

    drained = read(tmp_path)

    assert {row["event"] for row in drained.rows("queue_log")} > {"COMPLETECALLER"}
    assert sorted(Path(item.file or "").name for item in drained.rejected) == ["queue_log.2.gz", "queue_log.3.gz"]
    assert all("damaged or cut short" in item.reason for item in drained.rejected)
    # Told again at every run, but kept once.
    assert {values["file"] for table, values in drained.superseded if table == "quarantine"} == {
        str(tmp_path / "queue_log.2.gz"),
        str(tmp_path / "queue_log.3.gz"),
    }
    # Delivered whole, it is read from where it broke off.
    (tmp_path / "queue_log.2.gz").write_bytes(packed)
    again = read(tmp_path, drained.state)
    assert len(again.rows("queue_log")) + len(drained.rows("queue_log")) == 5005


def test_an_archive_that_ends_within_a_line_says_so(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "queue_log.2.gz", "wb") as packed:
        packed.write((FIRST + CALL[:-9]).encode())

    (item,) = read(tmp_path).rejected

    assert (item.line, item.reason) == (5, "the file ends within this line")
    assert item.row.startswith("1774742406|1774742393.4|support|Alice|COMPL")


def test_a_rewritten_log_is_refused_until_it_is_read_in_full(tmp_path: Path) -> None:
    log, state = tmp_path / "queue_log", {}
    log.write_text(FIRST + CALL)
    file_id = read(tmp_path, state).rows("queue_log")[0]["file_id"]
    log.write_text(FIRST + CALL.replace("Alice", "Alicia") + CALL)

    with pytest.raises(KefuError, match="a log was rewritten") as error:
        read(tmp_path, state)
    assert str(log) in str(error.value) and "--full" in str(error.value.do)
    full = read(tmp_path, full=True)
    assert len(full.rows("queue_log")) == 9
    assert full.superseded == [("queue_log", {"file_id": file_id})]


def test_two_logs_that_begin_alike_are_refused(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(FIRST + CALL)
    (tmp_path / "queue_log.other").write_text(FIRST + CALL.replace("support", "orders"))

    with pytest.raises(KefuError, match="begin with the same line") as error:
        read(tmp_path)
    assert "queue_log.other" in str(error.value.found)


def test_no_file_and_no_log_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(KefuError, match="there is no queue_log") as error:
        read(tmp_path)
    assert str(tmp_path / "queue_log*") in str(error.value.expected)

    (tmp_path / "queue_log").write_bytes(FIRST.encode() + b"x" * (2 << 20))
    with pytest.raises(KefuError, match="is no queue_log") as error:
        read(tmp_path)
    assert "from byte" in str(error.value.where)


def test_what_the_site_calls_a_pause_lands_until_it_is_taken_out_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(FIRST)
    state: dict[str, Any] = {}
    landed = []
    for said in ({}, {"team talk": "meeting", "toilet": "break"}, {}, {}):
        drained = drain(KIND, tmp_path, state=state, path=["queue_log*"], pause_reasons=said)
        landed.append([rows for table, rows in drained.pages if table == "pause_reasons"])
    meant = [{"reason": "team talk", "state": "meeting"}, {"reason": "toilet", "state": "break"}]
    assert landed == [[], [meant], [[]], []]


def test_an_empty_log_is_no_news(tmp_path: Path) -> None:
    (tmp_path / "queue_log").touch()
    (tmp_path / "queue_log.1.gz").touch()

    drained = read(tmp_path)
    assert drained.pages == [] and drained.rejected == []
    assert KIND.check
    assert KIND.check(extraction(KIND, Drained(), tmp_path, path=["queue_log*"])) == "the log is still empty"


def test_a_check_counts_the_files(world: Summary) -> None:
    assert KIND.check
    said = KIND.check(extraction(KIND, Drained(), world.directory, path="asterisk/queue_log*"))
    assert said.startswith("4 files") and "UTC" in said


def test_in_the_warehouse_every_line_is_there_once(
    world: Summary, tmp_path: Path, new_warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PART_ROWS", 500)
    monkeypatch.setattr(asterisk, "_BLOCK", 10_000)
    settings = configured(new_warehouse(), "asterisk", path=str(tmp_path / "queue_log*"))
    advance(world.directory, tmp_path, world.now - timedelta(days=5))
    load.extract(settings, "asterisk")
    advance(world.directory, tmp_path, world.now)
    report = load.extract(settings, "asterisk")
    again = load.extract(settings, "asterisk", full=True)

    with warehouse.connect(settings, "transformer") as connection:
        rows = connection.execute("select count(*), count(distinct _load_id) from raw_asterisk.queue_log").fetchone()
    assert rows and rows[0] == world.counts["queue_log"]
    assert rows[1] > len(report.load_ids) >= 1
    assert again.rows == world.counts["queue_log"] and again.changed == 0

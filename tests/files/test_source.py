"""Files as a source: what is read again and what not, deliveries replaced, refused and restored; on a real Postgres."""

from __future__ import annotations

import copy
import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kefu import load
from kefu import warehouse as warehouses
from kefu.errors import KefuError
from kefu.files.plan import natural
from kefu.settings import Settings, SourceSettings, validate_options
from kefu.sources import Extraction, Rejected, kinds

MAPPING = """
path: in/*.csv*
time: {zone: UTC}
filters: [{name: tests, drop: q == 'test'}]
entities:
  calls:
    duplicates: last
    fields: {call_id: id, started_at: at, queue: q, outcome: {constant: answered}}
"""


def text(**rows: str) -> str:
    """``text(a='x')``: a call a of queue x; '!' is a row that cannot be read."""
    lines = [f"{key},{'bad' if queue == '!' else '2026-01-01'},{queue}\n" for key, queue in rows.items()]
    return "id,at,q\n" + "".join(lines)


@dataclass
class Shelf:
    """Tables kept the way `kefu.load` keeps them: superseded rows go unless they come again, the last one stays."""

    base: Path
    state: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    quarantine: list[Rejected] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    refused: list[KefuError] = field(default_factory=list)
    fail_after: int | None = None

    def take(self, *, full: bool = False, options: dict[str, Any] | None = None) -> list[str]:
        """Extract; returns the files that were read."""
        kind = kinds()["files"]
        superseded: list[tuple[str, dict[str, str]]] = []
        rejected: list[Rejected] = []
        self.said, self.refused = [], []
        source = SourceSettings(name="desk", kind="files", options=options or {"mapping": "mapping.yml"})
        extraction = Extraction(
            name="desk",
            options=validate_options(source, kind.options, self.base / "kefu.toml"),
            secret=lambda name: name,
            base=self.base,
            state={} if full else copy.deepcopy(self.state),
            full=full,
            reject=rejected.append,
            supersede=lambda table, **values: superseded.append((table, values)),
            refuse=self.refused.append,
            progress=self.said.append,
        )
        keys = {table.name: table.key for table in kind.tables}
        landed: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        for count, (name, page) in enumerate(kind.extract(extraction)):
            if self.fail_after is not None and count >= self.fail_after:
                raise KeyboardInterrupt
            for row in page.to_pylist():
                landed.setdefault(name, {})[tuple(row[column] for column in keys[name])] = row
        for table, values in superseded:
            if table == "quarantine":
                self.quarantine = [row for row in self.quarantine if row.file != values["file"]]
                continue
            for key, row in list(self.tables.get(table, {}).items()):
                if all(row[column] == value for column, value in values.items()):
                    del self.tables[table][key]
        for name, rows in landed.items():
            self.tables.setdefault(name, {}).update(rows)
        self.quarantine += rejected
        self.state = extraction.state
        return [line.split(": ")[1] for line in self.said if " is refused" not in line]

    def calls(self) -> dict[str, str]:
        """Call and queue."""
        return {row["call_id"]: row["queue"] for row in self.tables.get("calls", {}).values()}

    def origin(self) -> dict[str, str]:
        """Call and file."""
        return {row["call_id"]: row["_file"] for row in self.tables.get("calls", {}).values()}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "in").mkdir()
    (tmp_path / "mapping.yml").write_text(MAPPING, encoding="utf-8")
    return Shelf(tmp_path)


def deliver(shelf: Shelf, name: str, content: str | bytes) -> Path:
    """Put a file there, later than anything before."""
    path = shelf.base / "in" / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    deliver.clock = getattr(deliver, "clock", 1_700_000_000) + 10  # type: ignore[attr-defined]
    os.utime(path, (deliver.clock, deliver.clock))  # type: ignore[attr-defined]
    return path


def test_a_file_is_read_once(shelf: Shelf) -> None:
    path = deliver(shelf, "a.csv", text(one="x", two="y"))
    assert shelf.take() == ["in/a.csv"]
    assert shelf.take() == []
    path.touch()  # another time, the same bytes
    assert shelf.take() == []
    assert shelf.calls() == {"one": "x", "two": "y"}


def test_a_changed_file_replaces_its_rows_also_those_that_vanished(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="x", two="y", bad="!"))
    shelf.take()
    assert len(shelf.quarantine) == 1
    deliver(shelf, "a.csv", text(two="z", three="w"))
    assert shelf.take() == ["in/a.csv"]
    assert shelf.calls() == {"two": "z", "three": "w"}
    assert shelf.quarantine == []
    (account,) = shelf.tables["files"].values()
    assert (account["file"], account["rows_read"], account["rows_loaded"]) == ("in/a.csv", 2, 2)


def test_the_same_rows_in_another_file_come_from_the_latest_delivery(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="x", two="y"))
    deliver(shelf, "b.csv", text(two="z", three="w"))
    shelf.take()
    assert shelf.calls() == {"one": "x", "two": "z", "three": "w"}
    deliver(shelf, "0.csv", text(two="new"))  # an earlier name, but delivered later
    assert shelf.take() == ["in/0.csv"]
    assert shelf.calls()["two"] == "new"


def test_what_a_replaced_file_covered_comes_back(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="x", two="y"))
    deliver(shelf, "b.csv", text(two="z"))
    deliver(shelf, "c.csv", text(zzz="far"))
    shelf.take()
    deliver(shelf, "b.csv", text(three="w"))
    assert shelf.take() == ["in/a.csv", "in/b.csv"]  # c has no keys near those of b
    assert shelf.calls() == {"one": "x", "two": "y", "three": "w", "zzz": "far"}
    assert shelf.origin()["two"] == "in/a.csv"


def test_a_restored_row_does_not_come_back_over_a_later_one(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="a", two="a"))
    deliver(shelf, "b.csv", text(one="b", two="b"))
    deliver(shelf, "c.csv", text(one="c"))
    shelf.take()
    deliver(shelf, "b.csv", text(nine="b"))
    shelf.take()
    assert shelf.calls() == {"one": "c", "two": "a", "nine": "b"}


def test_a_file_that_is_taken_away_keeps_its_rows(shelf: Shelf) -> None:
    path = deliver(shelf, "a.csv", text(one="x"))
    deliver(shelf, "b.csv", text(two="y"))
    shelf.take()
    path.unlink()
    assert shelf.take() == []
    assert shelf.calls() == {"one": "x", "two": "y"}


def test_a_changed_mapping_reads_everything_again(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="x", two="x"))
    deliver(shelf, "b.csv", text(two="y"))
    shelf.take()
    (shelf.base / "mapping.yml").write_text(MAPPING.replace("queue: q", "queue: '= upper(q)'"), encoding="utf-8")
    assert shelf.take() == ["in/a.csv", "in/b.csv"]
    assert shelf.calls() == {"one": "X", "two": "Y"}
    (shelf.base / "mapping.yml").write_text("# remark\n" + MAPPING.replace("queue: q", "queue: '= upper(q)'"))
    assert shelf.take() == []


def test_a_refused_file_leaves_the_others_and_what_it_brought_before(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="x"))
    shelf.take()
    deliver(shelf, "a.csv", gzip.compress(text(one="y", bad="!").encode())[:-9])
    deliver(shelf, "b.csv", text(two="y"))
    deliver(shelf, "c.csv", "nothing,useful\n")
    assert shelf.take() == ["in/b.csv"]
    assert sorted(error.summary.split(" ")[0] for error in shelf.refused) == ["in/a.csv", "in/c.csv"]
    assert shelf.calls() == {"one": "x", "two": "y"}
    assert shelf.quarantine == []
    refused = {key[0]: row["refused"] for key, row in shelf.tables["files"].items() if row["refused"]}
    assert set(refused) == {"in/a.csv", "in/c.csv"} and "cut off" in refused["in/a.csv"]
    assert ("in/a.csv", "calls", "") in shelf.tables["files"]
    assert shelf.take() == [] and len(shelf.refused) == 2  # tried again every time
    deliver(shelf, "a.csv", text(one="z"))
    (shelf.base / "in" / "c.csv").unlink()
    assert shelf.take() == ["in/a.csv"] and shelf.refused == []
    assert shelf.calls() == {"one": "z", "two": "y"}
    assert not any(row["refused"] for row in shelf.tables["files"].values())


def test_a_refused_replacement_uncovers_nothing(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="a"))
    deliver(shelf, "b.csv", text(one="b"))
    shelf.take()
    deliver(shelf, "b.csv", "broken")
    assert shelf.take() == []
    assert shelf.calls() == {"one": "b"}


def test_a_run_that_dies_is_simply_run_again(shelf: Shelf) -> None:
    deliver(shelf, "a.csv", text(one="x"))
    deliver(shelf, "b.csv", text(two="y"))
    shelf.fail_after = 2
    with pytest.raises(KeyboardInterrupt):
        shelf.take()
    assert shelf.state == {} and shelf.tables == {}
    shelf.fail_after = None
    assert shelf.take() == ["in/a.csv", "in/b.csv"]


def test_names_do_not_depend_on_the_machine(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("drop") / "exports"
    (elsewhere / "2026").mkdir(parents=True)
    (elsewhere / "2026" / "x.csv").write_text(text(one="x"))
    assert shelf.take(options={"mapping": "mapping.yml", "path": f"{elsewhere}/**/*.csv"}) == ["exports/2026/x.csv"]
    assert natural("b10.csv") > natural("b9.csv")


def test_manifests_and_unfinished_files_are_no_deliveries(shelf: Shelf) -> None:
    (shelf.base / "mapping.yml").write_text(MAPPING.replace("in/*.csv*", "in"))
    for name in ("a.csv.manifest.json", "b.csv.part", "~$c.xlsx", ".hidden.csv", "d.tmp"):
        deliver(shelf, name, "{}")
    deliver(shelf, "e.csv", text(one="x"))
    assert shelf.take() == ["in/e.csv"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("path: nowhere/x.csv", "There is no file x.csv."),
        ("path: nowhere/*.csv", "desk: there are no files."),
        ("", "Where are the files of mapping.yml?"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(shelf: Shelf, change: str, told: str) -> None:
    (shelf.base / "mapping.yml").write_text(MAPPING.replace("path: in/*.csv*", change))
    with pytest.raises(KefuError) as error:
        shelf.take()
    assert told in str(error.value)
    if change:
        later = MAPPING.replace("path: in/*.csv*", change + "\nfile: {when_missing: ignore}")
        (shelf.base / "mapping.yml").write_text(later)
        assert shelf.take() == []


def test_a_file_goes_through_one_mapping_only(shelf: Shelf) -> None:
    (shelf.base / "other.yml").write_text(MAPPING.replace("queue: q", "agent: q"))
    deliver(shelf, "a.csv", text(one="x"))
    with pytest.raises(KefuError, match="goes through two mappings"):
        shelf.take(options={"mapping": ["mapping.yml", "other.yml"]})
    with pytest.raises(KefuError, match="cannot be the place of several mappings"):
        shelf.take(options={"mapping": ["mapping.yml", "other.yml"], "path": "x"})


def test_rejects_are_handed_over_in_lots(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    from kefu.sources import files

    monkeypatch.setattr(files, "REJECTS_AT_ONCE", 2)
    deliver(shelf, "a.csv", text(a="!", b="!", c="!", d="!", e="!", f="x"))
    shelf.take()
    assert [rejected.line for rejected in shelf.quarantine] == [2, 3, 4, 5, 6]
    assert shelf.calls() == {"f": "x"}


def test_what_a_replacement_uncovers_is_read_also_when_its_file_was_only_touched(shelf: Shelf) -> None:
    deliver(shelf, "2.csv", text(b="x"))
    shelf.take()
    deliver(shelf, "1.csv", text(b="y"))
    shelf.take()
    deliver(shelf, "2.csv", text(b="x"))
    deliver(shelf, "1.csv", text(c="z"))
    shelf.take()
    assert shelf.refused == []
    assert shelf.calls() == {"b": "x", "c": "z"}


def test_what_a_replacement_uncovers_of_a_broken_file_comes_back_with_the_file(shelf: Shelf) -> None:
    deliver(shelf, "2.csv", text(b="x"))
    shelf.take()
    deliver(shelf, "1.csv", text(b="y"))
    deliver(shelf, "3.csv", text(b="v"))
    shelf.take()
    deliver(shelf, "2.csv", "broken")
    deliver(shelf, "3.csv", text(c="z"))
    shelf.take()
    deliver(shelf, "1.csv", text(d="z"))
    shelf.take()
    assert len(shelf.refused) == 1
    assert shelf.calls() == {"c": "z", "d": "z"}
    deliver(shelf, "2.csv", text(b="x"))
    shelf.take()
    assert shelf.refused == []
    assert shelf.calls() == {"b": "x", "c": "z", "d": "z"}


contents = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz"), max_size=4)
deliveries = st.lists(
    st.tuples(st.sampled_from(["1.csv", "2.csv", "3.csv"]), st.one_of(contents, st.none())), min_size=1, max_size=8
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(deliveries=deliveries, batches=st.lists(st.booleans(), min_size=8, max_size=8))
def test_any_order_of_deliveries_gives_what_the_latest_of_each_say(
    tmp_path_factory: pytest.TempPathFactory, deliveries: list[tuple[str, dict[str, str] | None]], batches: list[bool]
) -> None:
    base = tmp_path_factory.mktemp("desk")
    (base / "in").mkdir()
    (base / "mapping.yml").write_text(MAPPING)
    shelf = Shelf(base)
    good: dict[str, tuple[int, dict[str, str]]] = {}
    waiting: dict[str, dict[str, str] | None] = {}
    order = 0
    for (name, rows), now in zip(deliveries, batches, strict=False):
        deliver(shelf, name, "broken" if rows is None else text(**rows))
        waiting[name] = rows
        if now or (name, rows) == deliveries[-1]:
            shelf.take()
            for file in sorted(waiting):
                content = waiting[file]
                if content is not None and (file not in good or good[file][1] != content):
                    order += 1
                    good[file] = (order, content)
            waiting = {}
    shelf.take()
    for file in sorted(waiting):
        if waiting[file] is not None and (file not in good or good[file][1] != waiting[file]):
            order += 1
            good[file] = (order, waiting[file] or {})
    # A file that cannot be read keeps what it brought, but what others covered of it comes back with the file only.
    for file, (_, content) in good.items():
        if waiting.get(file) is None:
            deliver(shelf, file, text(**content))
    shelf.take()
    expected: dict[str, str] = {}
    for _, content in sorted(good.values(), key=lambda pair: pair[0]):
        expected |= content
    assert shelf.calls() == expected


# --- the same, loaded for real --------------------------------------------------------------------------------

NewWarehouse = Callable[..., Settings]


@pytest.fixture(scope="module")
def real(new_warehouse: NewWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path]]:
    base = tmp_path_factory.mktemp("real")
    (base / "in").mkdir()
    mapping = MAPPING.replace(
        "  calls:",
        "  survey_responses:\n"
        "    fields: {response_id: id, question: {constant: q}, metric: {constant: other}, comment: q}\n"
        "  calls:",
    )
    (base / "mapping.yml").write_text(mapping)
    source = SourceSettings(name="desk", kind="files", options={"mapping": "mapping.yml"})
    yield new_warehouse(config=base / "kefu.toml", sources={"desk": source}), base


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouses.connect(settings, "loader") as connection:
        return connection.execute(sql).fetchall()  # type: ignore[arg-type]


def test_files_land_in_the_warehouse_and_are_replaced_there(real: tuple[Settings, Path]) -> None:
    settings, base = real
    shelf = Shelf(base)
    load.prepare_raw(settings)
    assert query(settings, "select count(*) from raw_files.calls") == [(0,)]
    deliver(shelf, "a.csv", text(one="x", two="y", bad="!", none="test"))
    deliver(shelf, "b.csv.gz", gzip.compress(text(two="z").encode()))
    deliver(shelf, "c.csv", "wrong\n1\n")
    with pytest.raises(KefuError) as error:
        load.extract(settings, "desk")
    told = str(error.value)
    assert "desk: in/c.csv is refused: there is no column 'at'" in told and "The rest was loaded" in told
    calls = "select source, call_id, queue, _file, _line from raw_files.calls order by call_id"
    assert query(settings, calls) == [("desk", "one", "x", "in/a.csv", 2), ("desk", "two", "z", "in/b.csv.gz", 2)]
    bad = "select entity, file, line, column_name, value, row from raw_desk.quarantine order by entity"
    assert query(settings, bad) == [("calls", "in/a.csv", 4, "at", "bad", "bad,bad,!")]
    accounts = """
        select file, entity, rows_read, rows_loaded, rows_filtered, rows_quarantined, rows_merged, refused is not null
        from raw_desk.files order by file, entity
    """
    assert query(settings, accounts) == [
        ("in/a.csv", "calls", 4, 2, 1, 1, 0, False),
        ("in/a.csv", "survey_responses", 4, 3, 1, 0, 0, False),
        ("in/b.csv.gz", "calls", 1, 1, 0, 0, 0, False),
        ("in/b.csv.gz", "survey_responses", 1, 1, 0, 0, 0, False),
        ("in/c.csv", "", 0, 0, 0, 0, 0, True),
    ]
    assert query(
        settings, "select outcome, reason, rows from raw_desk.file_reasons where entity = 'calls' order by 1"
    ) == [
        ("filtered", "tests", 1),
        ("quarantined", query(settings, "select reason from raw_desk.quarantine")[0][0], 1),
    ]

    (base / "in" / "c.csv").unlink()
    deliver(shelf, "b.csv.gz", gzip.compress(text(three="w").encode()))
    report = load.extract(settings, "desk")
    assert query(settings, calls) == [
        ("desk", "one", "x", "in/a.csv", 2),
        ("desk", "three", "w", "in/b.csv.gz", 2),
        ("desk", "two", "y", "in/a.csv", 3),
    ]
    assert query(settings, bad) == [("calls", "in/a.csv", 4, "at", "bad", "bad,bad,!")]
    assert query(settings, "select count(*) from raw_desk.files where refused is not null") == [(0,)]
    assert report.quarantined == 1

    again = load.extract(settings, "desk")
    assert (again.rows, again.changed) == (0, 0)
    before = query(settings, calls)
    load.extract(settings, "desk", full=True)
    assert [row[:3] for row in query(settings, calls)] == [row[:3] for row in before]
    assert load.check(settings, "desk") == "the mapping is valid; 2 files, the last is in/b.csv.gz"


def test_options_are_checked_with_the_configuration(real: tuple[Settings, Path]) -> None:
    settings, _ = real
    wrong = SourceSettings(name="desk", kind="files", options={"maping": "x"})
    with pytest.raises(KefuError, match=r"sources\.desk\.mapping"):
        load.extract(settings.model_copy(update={"sources": {"desk": wrong}}), "desk")
    missing = SourceSettings(name="desk", kind="files", options={"mapping": "nowhere.yml"})
    with pytest.raises(KefuError, match=r"There is no mapping file nowhere\.yml"):
        load.extract(settings.model_copy(update={"sources": {"desk": missing}}), "desk")

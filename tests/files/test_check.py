"""The rehearsal of a mapping: what would become of a file, with nothing loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from kefu.errors import KefuError
from kefu.files import check_mapping
from kefu.files.check import rehearse

MAPPING = """
path: in/*.csv
time: {zone: UTC}
filters: [{name: tests, drop: queue == 'test'}]
entities:
  calls:
    duplicates: last
    fields:
      call_id: id
      started_at: at
      queue: queue
      team: = upper(queue)
      outcome: {constant: answered}
"""
TEXT = """id,at,queue,extra
1,2026-01-01,Orders,
2,soon,Orders,
3,2026-01-01,test,
4,later,Orders,
1,2026-01-01,Orders,
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(TEXT)
    (tmp_path / "mapping.yml").write_text(MAPPING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_report_says_what_becomes_of_every_row(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mapping(desk / "mapping.yml", desk / "in" / "a.csv", sample=1)
    report = capsys.readouterr().out
    assert "mapping.yml is valid. a.csv: delimited, 4 columns." in report
    assert "not used: extra" in report
    assert "note: calls.team: 'queue' is the mapped field there" in report
    assert "calls: 5 rows read = 1 loaded + 1 filtered + 2 quarantined + 1 merged" in report
    assert "tests (first in line 4)" in report
    assert "2  started_at: is not written as iso" in report and "e.g. line 3: at = 'soon'" in report
    assert "the same row again (first in line 2)" in report
    assert "calls, line 6" in report and "  team               ORDERS" in report
    assert "  agent              ·" in report


def test_without_a_file_the_last_of_its_path_is_tried(desk: Path) -> None:
    (desk / "in" / "b10.csv").write_text("id,at,queue\n9,2026-01-01,Orders\n")
    (desk / "in" / "b9.csv").write_text("id,at,queue\n")
    rehearsal = rehearse(desk / "mapping.yml")
    assert rehearsal.file.name == "b10.csv"
    assert [row["call_id"] for row in rehearsal.samples["calls"]] == ["9"]
    assert rehearsal.accounts[0].loaded == 1


def test_nothing_to_try_and_a_refused_file_are_told(desk: Path) -> None:
    with pytest.raises(KefuError, match="there is no column 'at'"):
        (desk / "wrong.csv").write_text("id,queue\n1,x\n")
        rehearse(desk / "mapping.yml", desk / "wrong.csv")
    with pytest.raises(KefuError, match="it is gone"):
        rehearse(desk / "mapping.yml", desk / "nowhere.csv")
    (desk / "in" / "a.csv").unlink()
    with pytest.raises(KefuError, match="there is no file to try it on"):
        rehearse(desk / "mapping.yml")

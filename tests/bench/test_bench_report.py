"""From seconds to ratios."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kefu.bench import report
from kefu.bench.files import Written
from kefu.bench.measure import Taken
from kefu.bench.run import Run, Size

MACHINE = {"processor": "a processor", "cores": 2, "memory_gb": 8.0, "postgres": "17.1"}


def taken(*seconds: float, client: float = 100.0, **detail: Any) -> list[Taken]:
    return [Taken(each, each / 4 + 1, client, 10.0, detail) for each in seconds]


def size(tickets: int, times: float = 1.0, *, with_dlt: bool = False) -> Size:
    """A size at which COPY takes 2 s (times ``times``) and everything else a multiple of it."""
    nodes = [
        {"kind": "model", "model": "fct_tickets", "layer": "marts", "rows": 7, "seconds": 2.0},
        {"kind": "test", "model": "unique_ticket", "layer": "marts", "rows": None, "seconds": 3.0},
    ]
    found = {
        "copy_files": taken(2 * times, 9 * times, 2 * times),
        "copy_rows_binary": taken(8 * times),
        "copy_rows_text": taken(10 * times),
        "copy_json": taken(15 * times),
        "load_json": taken(5 * times),
        "load_arrow": taken(4 * times, client=200 + tickets / 1000),
        "check_raw": taken(1 * times),
        "build": taken(10 * times + 4, start=4.0, nodes=nodes),
        "floor": taken(1 * times),
        "check_published": taken(1.5 * times),
        "publish": taken(0.5 * times),
        "day_load": taken(1.0),
        "day_check_raw": taken(1.0),
        "day_build": taken(5 * times + 4, start=4.0, nodes=nodes),
        "day_check_published": taken(1.5 * times),
        "day_publish": taken(0.5 * times),
    }
    if with_dlt:
        found["load_dlt"] = taken(40 * times)
    rows = Written({"tickets": tickets, "ticket_events": 17 * tickets}, 2**20, 1.0)
    return Size(tickets, rows, rows, found)


def run(*sizes: Size) -> Run:
    return Run(1, 3, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), MACHINE, list(sizes), [0.1, 2.0])


def values(ratios: list[report.Ratio]) -> dict[str, float]:
    return {ratio.name: ratio.value for ratio in ratios}


def test_each_ratio_divides_the_medians_of_one_run() -> None:
    found = values(report.ratios(size(10_000, with_dlt=True)))
    assert found == pytest.approx(
        {
            "load_vs_psycopg": 8 / 4,  # the faster of psycopg's two
            "load_json_vs_psycopg": 15 / 5,
            "load_vs_copy": 2 / 4,  # one slow COPY of three moves nothing
            "load_vs_dlt": 40 / 4,
            "load_json_vs_dlt": 40 / 5,
            "published_vs_copy": (14 + 2) / 2,
            "build_vs_copy": 14 / 2,
            "start_vs_copy": 4 / 2,
            "build_vs_duckdb": 14 / 1,
            "checks_vs_copy": 2 / 2,
            "check_raw_vs_copy": 1 / 2,
            "day_vs_build": 9 / 14,
            "day_vs_build_warm": 5 / 10,
            "day_published_vs_published": 11 / 16,
            "day_load_vs_load": 1 / 4,
        }
    )


def test_without_other_loaders_there_is_nothing_to_compare_the_load_with_but_copy() -> None:
    alone = size(10_000)
    for name in ("copy_rows_binary", "copy_rows_text", "copy_json", "load_json"):
        del alone.taken[name]
    found, whole = values(report.ratios(alone)), values(report.ratios(size(10_000)))
    assert set(whole) - set(found) == {"load_vs_psycopg", "load_json_vs_psycopg"}
    assert found == {name: whole[name] for name in found}
    report.show(run(alone), Console(quiet=True))
    assert json.loads(json.dumps(report.as_json(run(alone))))["sizes"][0]["steps"].keys() == alone.taken.keys()


def test_processor_time_is_compared_beside_the_clock() -> None:
    found = {ratio.name: ratio.cpu for ratio in report.ratios(size(10_000))}
    assert found["load_vs_psycopg"] == pytest.approx((8 / 4 + 1) / (4 / 4 + 1))
    assert found["published_vs_copy"] == pytest.approx((14 / 4 + 1 + 1.5 / 4 + 1 + 0.5 / 4 + 1) / (2 / 4 + 1))
    assert found["start_vs_copy"] is None  # dbt does not say


def test_budgets_are_held_against_the_size_they_are_stated_for() -> None:
    small = {ratio.name: ratio.is_met for ratio in report.ratios(size(10_000, with_dlt=True))}
    assert small["published_vs_copy"] is None
    assert small["load_vs_psycopg"] and small["load_vs_dlt"]
    large = {ratio.name: ratio for ratio in report.ratios(size(100_000, 10.0))}
    assert large["published_vs_copy"].is_met is False  # 124 / 20
    assert large["day_vs_build"].is_met is False
    assert "load_vs_dlt" not in large


def test_growth_compares_two_sizes() -> None:
    found = values(report.growth(size(10_000), size(100_000, 10.0)))
    assert found["rows"] == pytest.approx(10)
    assert found["load"] == pytest.approx(10)
    assert found["build"] == pytest.approx(104 / 14)
    assert found["build_warm"] == pytest.approx(10)
    assert found["memory_load_arrow"] == pytest.approx(300 / 210)
    assert found["memory_build"] == pytest.approx(1)


def test_everything_shown_is_in_the_file_too(tmp_path: Path) -> None:
    done = run(size(10_000, with_dlt=True), size(100_000, 10.0))
    path = report.write(done, tmp_path / "bench")
    assert path.name == "20260102T030405Z.json"
    kept = json.loads(path.read_text())
    assert kept["machine"] == MACHINE and kept["seed"] == 1 and kept["repetitions"] == 3
    for shown, saved in zip(done.sizes, kept["sizes"], strict=True):
        assert {name: ratio["value"] for name, ratio in saved["ratios"].items()} == values(report.ratios(shown))
        assert set(saved["steps"]) == set(shown.taken)
    assert kept["sizes"][0]["steps"]["load_arrow"]["rows_per_second"] == 180_000 / 4
    assert kept["sizes"][0]["nodes"][0]["model"] == "unique_ticket"  # the slowest first
    assert kept["growth"][0]["ratios"]["load"]["value"] == pytest.approx(10)


def test_a_person_sees_the_ratios_the_budgets_and_what_takes_the_time() -> None:
    console = Console(record=True, width=140, force_terminal=False)
    report.show(run(size(10_000, with_dlt=True), size(100_000, 10.0)), console)
    text = console.export_text()
    assert "10,000 tickets: ratios within this run" in text
    assert "≥ 0.5" in text and "≤ 5" in text and "no" in text
    assert "fct_tickets" in text and "2 cores (a processor)" in text
    assert "busy" not in text

"""The bench itself, end to end on a small account, and what it leaves behind: nothing but its figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kefu.bench import measure, report
from kefu.stack import processes

RATIOS = {
    "load_vs_psycopg", "load_json_vs_psycopg", "load_vs_copy", "load_vs_dlt", "load_json_vs_dlt", "published_vs_copy",
    "build_vs_copy", "start_vs_copy", "build_vs_duckdb", "checks_vs_copy", "check_raw_vs_copy", "day_vs_build",
    "day_vs_build_warm", "day_published_vs_published", "day_load_vs_load",
}  # fmt: skip


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    (folder / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "kefu.bench", *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "KEFU_HOME": str(folder / "home"), "COLUMNS": "140"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_behind(folder: Path) -> list[list[str]]:
    """Processes that still work in the folder."""
    mark = str(folder / "tmp")
    return [
        command
        for command in map(processes.command, processes.all_pids())
        if any(mark in part for part in command)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_bench_measures_every_ratio_and_leaves_only_its_figures(tmp_path: Path) -> None:
    process = start(tmp_path, "--tickets", "200", "--repetitions", "1")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    (path,) = (tmp_path / "home" / "bench").glob("*.json")
    found = json.loads(path.read_text())
    (size,) = found["sizes"]
    assert size["tickets"] == 200 and size["rows"]["tickets"] == 200
    assert set(size["ratios"]) == RATIOS
    assert all(ratio["value"] > 0 for ratio in size["ratios"].values()), size["ratios"]
    assert set(size["steps"]) == set(report.STEPS)
    assert all(step["client_mb"] > 10 for step in size["steps"].values())
    assert len(size["steps"]["build"]["seconds"]) == len(size["steps"]["second_slot_build"]["seconds"]) == 1
    models = {node["model"]: node["rows"] for node in size["nodes"]}
    assert models["canonical_tickets"] == models["fct_tickets"] == 200
    assert "200 tickets: ratios within this run" in said and str(path) in said.replace("\n", "")
    assert not list((tmp_path / "tmp").iterdir())
    assert not left_behind(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_bench_stops_its_server_and_takes_its_folder_away(tmp_path: Path, sign: int) -> None:
    process = start(tmp_path, "--quick")
    assert process.stdout is not None
    for line in process.stdout:
        if "dbt reads the project" in line:
            break
    time.sleep(1)
    assert any(command[0].endswith("postgres") for command in left_behind(tmp_path))
    process.send_signal(sign)
    time.sleep(0.2)
    process.send_signal(sign)  # the impatient press it twice
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert not list((tmp_path / "tmp").iterdir())
    assert not left_behind(tmp_path)
    assert not (tmp_path / "home").exists()


def test_memory_is_that_of_a_process_and_all_it_started() -> None:
    hold = "x = bytearray(60 * 2**20); import time; time.sleep(30)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    process = subprocess.Popen([sys.executable, "-c", outer])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            family = measure.family(process.pid)
            if max(map(measure.resident, family)) > 60 * 2**20:
                break
            time.sleep(0.05)
        assert len(family) == 2 and family[0] == process.pid
        assert measure.resident(family[0]) < 30 * 2**20 < 60 * 2**20 < measure.resident(family[1])
    finally:
        for pid in reversed(measure.family(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
    assert measure.family(process.pid) == []


def test_processor_time_counts_the_children_and_the_server() -> None:
    burn = "import time\nwhile time.process_time() < 0.5: pass\n"
    served = f"{burn}print(flush=True)\ntime.sleep(60)"
    server = subprocess.Popen([sys.executable, "-c", served], stdout=subprocess.PIPE)
    try:
        watch = measure.Watch(server.pid)
        subprocess.run([sys.executable, "-c", burn], check=True)
        assert server.stdout is not None
        server.stdout.readline()
        assert 0.9 < watch.read()["cpu_seconds"] < 1.2
    finally:
        server.kill()
        server.wait()


def test_a_step_that_fails_says_what_happened(tmp_path: Path) -> None:
    from kefu.errors import KefuError

    with pytest.raises(KefuError, match=r"step 'parse' failed") as error:
        measure.step(
            "parse",
            {"config": str(tmp_path / "none.toml"), "home": str(tmp_path), "slot": "a"},
            tmp_path,
            server=os.getpid(),
        )
    assert "none.toml" in str(error.value)
    assert "Traceback" not in str(error.value)

"""What was measured, as ratios: on the screen and as JSON. docs/bench.md says what each ratio means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from kefu.bench.files import Written
from kefu.bench.run import Run, Size

SHOWN = 10  # models and tests listed
# The size the budgets of a build are stated for; smaller ones are all start-up.
FULL_SIZE = 100_000

STEPS = {
    "copy_files": "COPY of the CSV files, no keys",
    "copy_rows_binary": "psycopg COPY binary, row by row, no keys",
    "copy_rows_text": "psycopg COPY text, row by row, no keys",
    "load_arrow": "kefu.load, Arrow pages",
    "copy_json": "psycopg COPY text, JSON objects, no keys",
    "load_json": "kefu.load, JSON objects",
    "load_dlt": "dlt, JSON objects, all defaults",
    "check_raw": "raw expectations",
    "build": "full build",
    "floor": "DuckDB, the core of the ticket metrics",
    "second_slot_build": "the other slot's first build",
    "check_published": "published expectations",
    "publish": "publication",
    "day_load": "one more day: kefu.load",
    "day_check_raw": "one more day: raw expectations",
    "day_build": "one more day: build",
    "day_check_published": "one more day: published expectations",
    "day_publish": "one more day: publication",
}


@dataclass(frozen=True)
class Ratio:
    """One ratio: of wall-clock times, and of processor times where those are known.

    ``budget``: the bound it should keep, at most or (``at_least``) at least; None where there is none.
    """

    name: str
    title: str
    value: float
    cpu: float | None = None
    budget: float | None = None
    at_least: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        if self.budget is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget


def ratios(size: Size) -> list[Ratio]:
    """Every ratio of one size; medians of what its repetitions took."""
    is_full = size.tickets >= FULL_SIZE

    def ratio(
        name: str,
        title: str,
        above: Sequence[str],
        below: Sequence[str],
        budget: float | None = None,
        *,
        least: bool = False,
    ) -> Ratio:
        (over, under), (cpu_over, cpu_under) = (
            (sum(spent(size, step) for step in above), sum(spent(size, step) for step in below))
            for spent in (seconds, cpu_seconds)
        )
        return Ratio(name, title, over / under, _quotient(cpu_over, cpu_under), budget, least)

    copy, load, build, day = ("copy_files",), ("load_arrow",), ("build",), ("day_build",)
    edge, day_edge = ("check_published", "publish"), ("day_check_published", "day_publish")
    start, day_start = starting(size, "build"), starting(size, "day_build")
    found = []
    if "copy_rows_binary" in size.taken:
        by_row = min("copy_rows_binary", "copy_rows_text", key=lambda name: seconds(size, name))
        found += [
            ratio("load_vs_psycopg", "load, rows/s, to psycopg COPY", (by_row,), load, 0.5, least=True),
            ratio("load_json_vs_psycopg", "  both from JSON objects", ("copy_json",), ("load_json",), 0.5, least=True),
        ]
    found.append(ratio("load_vs_copy", "load, rows/s, to COPY of ready files", copy, load))
    if "load_dlt" in size.taken:
        found += [
            ratio("load_vs_dlt", "load, rows/s, to dlt's defaults", ("load_dlt",), load, 5, least=True),
            ratio("load_json_vs_dlt", "  both from JSON objects", ("load_dlt",), ("load_json",), 5, least=True),
        ]
    return [
        *found,
        ratio("published_vs_copy", "raw to published, to COPY", build + edge, copy, 5 if is_full else None),
        ratio("build_vs_copy", "  of it the build", build, copy),
        Ratio("start_vs_copy", "    of it dbt's start", start / seconds(size, "copy_files")),
        ratio("build_vs_duckdb", "  the build, to the core of its metrics in DuckDB", build, ("floor",)),
        ratio("checks_vs_copy", "  of it checks and publication", edge, copy),
        ratio("check_raw_vs_copy", "raw expectations, to COPY", ("check_raw",), copy),
        ratio("day_vs_build", "one more day, to the full build", day, build, 0.05 if is_full else None),
        Ratio(
            "day_vs_build_warm",
            "  both without dbt's start",
            (seconds(size, "day_build") - day_start) / (seconds(size, "build") - start),
        ),
        ratio("day_published_vs_published", "  both with checks, published", day + day_edge, build + edge),
        ratio("day_load_vs_load", "load of one more day, to the full load", ("day_load",), load),
    ]


def growth(small: Size, large: Size) -> list[Ratio]:
    """How time and memory grow from one size to a larger one."""

    def grown(name: str, title: str, step: str) -> Ratio:
        cpu = _quotient(cpu_seconds(large, step), cpu_seconds(small, step))
        return Ratio(name, title, seconds(large, step) / seconds(small, step), cpu)

    times = large.tickets / small.tickets
    return [
        Ratio("rows", "rows", large.written.total / small.written.total),
        grown("load", "time to load", "load_arrow"),
        grown("build", "time to build", "build"),
        Ratio(
            "build_warm",
            "time to build without dbt's start",
            (seconds(large, "build") - starting(large, "build")) / (seconds(small, "build") - starting(small, "build")),
            budget=1.1 * times,
        ),
        *(
            Ratio(f"memory_{name}", f"memory: {STEPS[name]}", peak(large, name)[0] / peak(small, name)[0])
            for name in ("load_arrow", "build", "check_raw", "check_published")
        ),
    ]


def _quotient(above: float, below: float) -> float | None:
    """Of processor times: they come in hundredths of a second, and a few rows are copied in less than one."""
    return above / below if below else None


def seconds(size: Size, name: str) -> float:
    """The median of a step's repetitions."""
    return median(taken.seconds for taken in size.taken[name])


def cpu_seconds(size: Size, name: str) -> float:
    """The median of the processor time of a step's repetitions."""
    return median(taken.cpu_seconds for taken in size.taken[name])


def starting(size: Size, name: str) -> float:
    """How long dbt took in a build until its first model: median."""
    return median(float(taken.detail["start"]) for taken in size.taken[name])


def peak(size: Size, name: str) -> tuple[float, float]:
    """The most memory a step took in any repetition, in megabytes: its own, and the server's."""
    taken = size.taken[name]
    return max(one.client_mb for one in taken), max(one.server_mb for one in taken)


def nodes(size: Size) -> list[dict[str, Any]]:
    """What dbt did in a full build, median seconds over the repetitions, slowest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for taken in size.taken["build"]:
        for node in taken.detail["nodes"]:
            found.setdefault(node["model"], []).append(node)
    medians = [{**same[0], "seconds": median(float(node["seconds"]) for node in same)} for same in found.values()]
    return sorted(medians, key=lambda node: -node["seconds"])


def as_json(run: Run) -> dict[str, Any]:
    """The whole run, figures unrounded."""
    return {
        "began_at": run.began_at.isoformat(timespec="seconds"),
        "seed": run.seed,
        "repetitions": run.repetitions,
        "machine": run.machine,
        "load_average": run.load_average,
        "sizes": [
            {
                "tickets": size.tickets,
                "rows": size.written.rows,
                "day_rows": size.day.rows,
                "csv_bytes": size.written.csv_bytes,
                "generator_rows_per_second": size.written.total / size.written.seconds,
                "ratios": _ratios_as_json(ratios(size)),
                "steps": {
                    name: {
                        "seconds": [taken.seconds for taken in taken_all],
                        "median_seconds": seconds(size, name),
                        "median_cpu_seconds": cpu_seconds(size, name),
                        "rows_per_second": _speed(size, name),
                        "client_mb": peak(size, name)[0],
                        "server_mb": peak(size, name)[1],
                    }
                    for name, taken_all in size.taken.items()
                },
                "dbt_start_seconds": starting(size, "build"),
                "nodes": nodes(size),
            }
            for size in run.sizes
        ],
        "growth": [
            {"from": small.tickets, "to": large.tickets, "ratios": _ratios_as_json(growth(small, large))}
            for small, large in zip(run.sizes, run.sizes[1:], strict=False)
        ],
    }


def write(run: Run, folder: Path) -> Path:
    """Keep the run as a file named after its beginning; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.began_at:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(as_json(run), indent=2) + "\n", encoding="utf-8")
    return path


def show(run: Run, console: Console) -> None:
    """The tables a person reads."""
    for size in run.sizes:
        console.print(_of_ratios(f"{size.tickets:,} tickets: ratios within this run", ratios(size)))
        console.print(_of_steps(size, run.repetitions))
        console.print(_of_nodes(size))
    for small, large in zip(run.sizes, run.sizes[1:], strict=False):
        console.print(_of_ratios(f"from {small.tickets:,} to {large.tickets:,} tickets, times", growth(small, large)))
    machine = run.machine
    console.print(
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"Postgres {machine['postgres']}, "
        f"load average {run.load_average[0]:.1f} at the start and {run.load_average[-1]:.1f} at the end",
        highlight=False,
    )
    if run.load_average[0] > machine["cores"] / 2:
        console.print("The machine was busy with other things: run it again when it is calm.", highlight=False)


def _of_ratios(title: str, found: Iterable[Ratio]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("ratio", "measured", "in CPU time", "budget", "kept"):
        table.add_column(name, justify="left" if name == "ratio" else "right", no_wrap=True)
    for ratio in found:
        budget = "" if ratio.budget is None else f"{'≥' if ratio.at_least else '≤'} {ratio.budget:g}"
        kept = {None: "", True: "yes", False: "no"}[ratio.is_met]
        cpu = "" if ratio.cpu is None else _figure(ratio.cpu)
        table.add_row(ratio.title, _figure(ratio.value), cpu, budget, kept)
    return table


def _of_steps(size: Size, repetitions: int) -> Table:
    title = f"{size.tickets:,} tickets, {size.written.total:,} rows, {size.written.csv_bytes / 2**20:,.0f} MB of CSV"
    table = Table(title=f"{title}: median of {repetitions} repetitions", title_justify="left")
    for name in ("step", "seconds", "from", "to", "CPU s", "rows/s", "client MB", "server MB"):
        table.add_column(name, justify="left" if name == "step" else "right", no_wrap=True)
    for name, title in STEPS.items():
        if name in size.taken:
            times = [taken.seconds for taken in size.taken[name]]
            speed, (client, server) = _speed(size, name), peak(size, name)
            table.add_row(
                title,
                *(f"{value:.2f}" for value in (median(times), min(times), max(times), cpu_seconds(size, name))),
                "" if speed is None else f"{speed:,.0f}",
                f"{client:,.0f}",
                f"{server:,.0f}",
            )
            if name in ("build", "day_build"):
                table.add_row("  of it dbt's start", f"{starting(size, name):.2f}")
    return table


def _of_nodes(size: Size) -> Table:
    found = nodes(size)
    total = sum(node["seconds"] for node in found)
    title = f"{size.tickets:,} tickets: what the full build spends {total:.1f} s on, in 2 threads ({len(found)} nodes)"
    table = Table(title=title, title_justify="left")
    for name in ("node", "kind", "rows", "seconds", "share"):
        table.add_column(
            name,
            justify="left" if name in ("node", "kind") else "right",
            no_wrap=True,
            max_width=60 if name == "node" else None,
        )
    for name, kind, rows, took in _listed(found):
        table.add_row(name, kind, "" if rows is None else f"{rows:,}", f"{took:.2f}", f"{took / total:.0%}")
    return table


def _listed(found: list[dict[str, Any]]) -> Iterator[tuple[str, str, int | None, float]]:
    for node in found[:SHOWN]:
        yield node["model"], node["kind"], None if node["kind"] == "test" else node["rows"], node["seconds"]
    rest = found[SHOWN:]
    for kind in sorted({node["kind"] for node in rest}):
        same = [node for node in rest if node["kind"] == kind]
        yield f"the other {len(same)}", kind, None, sum(node["seconds"] for node in same)


def _speed(size: Size, name: str) -> float | None:
    written: Written | None = {"copy": size.written, "load": size.written, "day_load": size.day}.get(
        name if name == "day_load" else name.partition("_")[0]
    )
    return None if written is None else written.total / seconds(size, name)


def _ratios_as_json(found: Iterable[Ratio]) -> dict[str, dict[str, Any]]:
    return {
        ratio.name: {"value": ratio.value, "cpu": ratio.cpu, "budget": ratio.budget, "kept": ratio.is_met}
        for ratio in found
    }


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"

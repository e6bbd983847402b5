"""Runs dbt, a layer or all of it in one call, into the slot of the build under way, and says what each model did.

dbt runs as a process of its own: a killed task takes it along, and nothing of it lingers here.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from kefu import control, warehouse
from kefu.control import Build
from kefu.errors import KefuError
from kefu.settings import Settings

# A layer is what one dbt call builds; staging are views and goes with what reads it.
LAYERS: dict[str, tuple[str, ...]] = {
    "canonical": ("path:models/staging", "path:models/canonical"),
    "marts": ("path:seeds", "path:models/marts"),
    "kpis": ("path:models/kpis",),
}
RESOURCES = [word for kind in ("model", "seed", "snapshot", "test") for word in ("--resource-type", kind)]
# What the models alone decide: it stands since everything was made anew for them.
SETTLED_BY_MODELS = [
    "path:seeds",
    "path:models/marts,config.materialized:view",
    "path:models/kpis,config.materialized:view",
]
EXAMPLES = 5  # rows shown of a failed test, values of a failed check
# In a slot's folder: what became of the last call, which project dbt remembers, what its artifacts are of.
OUTCOME, PROJECT, ARTIFACTS_OF = "outcome.json", "project.sha256", "artifacts.txt"


@dataclass(frozen=True)
class Node:
    """What dbt did with one model, seed or test. ``rows_built`` is None where the adapter does not say."""

    model: str
    kind: str
    layer: str
    status: str
    rows_built: int | None
    seconds: float
    message: str | None


@dataclass(frozen=True)
class BuildReport:
    """The nodes of one dbt call."""

    build: Build
    nodes: tuple[Node, ...]
    seconds: float

    def count(self, kind: str) -> int:
        """How many nodes of a kind (model, seed, test) were run."""
        return sum(node.kind == kind for node in self.nodes)


def known_layers(layers: Iterable[str]) -> list[str]:
    """The layers as a list; KefuError if one of them is none."""
    names = list(layers)
    if unknown := sorted(set(names) - set(LAYERS)):
        raise KefuError(f"There is no layer {', '.join(unknown)}.", expected=f"of {', '.join(LAYERS)}")
    return names


def build(
    settings: Settings,
    current: Build,
    layers: Iterable[str] = tuple(LAYERS),
    progress: Callable[[str], None] = lambda line: None,
) -> BuildReport:
    """Build and test the layers in the slot of ``current``.

    Raises KefuError naming every failed model and test, with example rows of the tests.
    """
    names = known_layers(layers)
    nodes: list[Node] = []
    seconds = 0.0
    for some, full in _calls(names, current):
        made, took = _call(settings, current, some, full, progress)
        nodes += made
        seconds += took
        if "canonical" in some:
            control.mark_ledger(settings, current)
    return BuildReport(current, tuple(nodes), seconds)


def _calls(layers: list[str], current: Build) -> list[tuple[list[str], bool]]:
    """The layers that one call of dbt can make, and whether it makes them in full."""
    ledger = [layer for layer in layers if layer == "canonical"]
    rest = [layer for layer in layers if layer != "canonical"]
    if current.scope.full_ledger == current.scope.full_marts:
        return [(layers, current.scope.full_marts)]
    calls = [(ledger, current.scope.full_ledger), (rest, current.scope.full_marts)]
    return [(some, full) for some, full in calls if some]


def _call(
    settings: Settings, current: Build, layers: list[str], full: bool, progress: Callable[[str], None]
) -> tuple[tuple[Node, ...], float]:
    target = _target(settings, current.slot)
    select = [path for name in layers for path in LAYERS[name]]
    makes_staging = "canonical" in layers and not control.views_stand(settings, current)
    exclude = [] if makes_staging else ["path:models/staging,resource_type:model"]
    if not full:
        exclude += SETTLED_BY_MODELS
    remade = [name for name in layers if (makes_staging if name == "canonical" else full)]
    _drop_views(settings, current.slot, remade)
    status, output = run_dbt(
        settings,
        current.slot,
        # Unit tests prove the models' logic to their authors; here it is the data that is on trial. An exposure is
        # nothing to build.
        [
            "build",
            "--select",
            *select,
            "--indirect-selection",
            "buildable",
            *RESOURCES,
            *(["--exclude", *exclude] if exclude else []),
            *(["--full-refresh"] if full else []),
        ],
        progress,
        artifacts_anyway=False,
    )
    outcome = target / OUTCOME
    if not outcome.exists():
        raise KefuError(
            "dbt did not get as far as running a model.",
            found="\n".join(output[-15:]),
            where=str(settings.home / "logs" / "dbt.log"),
        )
    found = json.loads(outcome.read_text(encoding="utf-8"))
    nodes = tuple(Node(**node) for node in found["nodes"])
    control.record_models(settings, current, [asdict(node) for node in nodes])
    if status != 0 or found["failures"]:
        raise _failed(settings, current, found["failures"])
    if makes_staging:
        control.mark_views(settings, current)
    return nodes, found["seconds"]


def _drop_views(settings: Settings, slot: str, layers: list[str]) -> None:
    """Drop the views this call of dbt makes anew, all in one statement.

    dbt drops the old version of a view or table with whatever stands on it. Two of its threads that come upon the
    same view from two sides lock each other out; without old views there is nothing to come upon.
    """
    schemas = [name for layer in layers for name in _schemas(layer, slot)]
    with warehouse.connect(settings, "transformer") as connection:
        views = connection.execute(
            "select schemaname, viewname from pg_views where schemaname = any(%s)", [schemas]
        ).fetchall()
        if views:
            names = sql.SQL(", ").join(sql.Identifier(*view) for view in views)
            connection.execute(sql.SQL("drop view {} cascade").format(names))


def _schemas(layer: str, slot: str) -> tuple[str, ...]:
    return ("staging",) if layer == "canonical" else (f"{layer}_{slot}",)


def run_dbt(
    settings: Settings,
    slot: str,
    arguments: list[str],
    progress: Callable[[str], None] = lambda line: None,
    *,
    artifacts_anyway: bool = True,
) -> tuple[int, list[str]]:
    """Run a dbt command against a slot; its exit status and the lines it printed.

    dbt's artifacts are spared where those there are say the same, of this project in this database; those of this very
    call, with its results, come ``artifacts_anyway``.
    """
    project = settings.project / "dbt_project"
    target = _target(settings, slot)
    (settings.home / "logs").mkdir(parents=True, exist_ok=True)
    _forget_other_project(project, target)
    (target / OUTCOME).unlink(missing_ok=True)
    described, mark = _described(settings, target), target / ARTIFACTS_OF
    stand = mark.exists() and mark.read_text(encoding="ascii") == described
    command = [
        *(sys.executable, "-P", "-m", "kefu.dbt_call", str(target / OUTCOME)),
        "--no-use-colors",
        "--log-path",
        str(settings.home / "logs"),
        *arguments,
        *(["--no-write-json"] if stand and not artifacts_anyway else []),
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target",
        f"slot_{slot}",
        "--target-path",
        str(target),
    ]
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=environment(settings),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                progress(lines[-1])
        except BaseException:
            process.terminate()
            raise
    if process.returncode == 0:
        mark.write_text(described, encoding="ascii")
    return process.returncode, lines


def _target(settings: Settings, slot: str) -> Path:
    return settings.home / "dbt" / f"slot_{slot}"


def _forget_other_project(project: Path, target: Path) -> None:
    """Make dbt read a changed project anew: what it remembers of the old one brings metrics twice, and it refuses."""
    digest = hashlib.sha256()
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes())
    mark = target / PROJECT
    if not mark.exists() or mark.read_text(encoding="ascii") != digest.hexdigest():
        target.mkdir(parents=True, exist_ok=True)
        (target / "partial_parse.msgpack").unlink(missing_ok=True)
        mark.write_text(digest.hexdigest(), encoding="ascii")


def _described(settings: Settings, target: Path) -> str:
    """What dbt's artifacts describe, in one line: the project and the database."""
    return (
        f"{(target / PROJECT).read_text(encoding='ascii')} {warehouse.address(settings)} {settings.warehouse.database}"
    )


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which dbt and MetricFlow find the warehouse."""
    host, port = warehouse.address(settings)
    foreign = {"PYTHONDONTWRITEBYTECODE"}  # where it is set every start compiles anew
    return {
        **{name: value for name, value in os.environ.items() if name not in foreign},
        "KEFU_DBT_HOST": host,
        "KEFU_DBT_PORT": str(port),
        "KEFU_DBT_DATABASE": settings.warehouse.database,
        "KEFU_DBT_USER": warehouse.user(settings, "transformer"),
        "KEFU_DBT_PASSWORD": warehouse.password(settings, "transformer"),
        # Every statement of every build would be a tenth of what dbt does; whoever wants them says so.
        "DBT_LOG_LEVEL_FILE": os.environ.get("DBT_LOG_LEVEL_FILE", "info"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def _failed(settings: Settings, current: Build, failures: list[dict[str, Any]]) -> KefuError:
    lines = []
    for failure in failures:
        lines.append(f"  - {failure['kind']} {failure['name']}: {' '.join((failure['message'] or '').split())}")
        if failure["kind"] == "test" and failure["sql"]:
            lines += [f"      {row}" for row in _examples(settings, failure["sql"])]
        elif failure["checks"] and failure["sql"]:
            lines += [f"      {row}" for row in _unknown(settings, current, failure)]
    return KefuError(
        f"The build failed: {len(failures)} of its models and tests.\n" + "\n".join(lines),
        where=str(settings.home / "logs" / "dbt.log"),
        do="Readers keep the last good build. Correct the cause and run `kefu build` again.",
    )


def _examples(settings: Settings, query: str) -> list[str]:
    """A few of the rows a failed test found, as text."""
    try:
        with warehouse.connect(settings, "transformer") as connection:
            cursor = connection.execute(f"select * from ({query}) as failed limit {EXAMPLES}".encode())
            names = [column.name for column in cursor.description or ()]
            return [", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True)) for row in cursor]
    except psycopg.Error:
        return []  # what the test reads may itself have failed; its message says so


def _unknown(settings: Settings, current: Build, failure: dict[str, Any]) -> list[str]:
    """What a model would have written against the checks of its columns: the values, and in how many rows."""
    lines = []
    try:
        with warehouse.connect(settings, "transformer") as connection:
            # The model's select as it ran: the worklist is kept until a build has succeeded.
            roots = sql.SQL(
                "create temporary table kf_roots on commit drop as"
                " select id, root, source from control.worklist where slot = {} and entity = {}"
            )
            connection.execute(roots.format(sql.Literal(current.slot), sql.Literal(failure["root"])))
            connection.execute(f"create temporary table kf_rows on commit drop as {failure['sql']}".encode())
            for column, check in failure["checks"].items():
                found = connection.execute(
                    f"select {column}, count(*) from kf_rows where not ({check})"
                    f" group by {column} order by 2 desc, 1 limit {EXAMPLES}".encode()
                ).fetchall()
                if found:
                    told = ", ".join(f"{value!r} ({count:,} times)" for value, count in found)
                    lines.append(f"{column}: expected {check}, found {told}")
    except psycopg.Error:
        return lines  # the model failed for another reason; its message says so
    return lines

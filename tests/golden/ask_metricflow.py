"""MetricFlow asked many questions in one process: starting it costs seconds, a question hardly anything.

``answers`` runs it as a script in a folder with a dbt project and its artifacts; questions come on standard input as
JSON, answers go into a file: a list of {metrics, group_by} and a list of lists of rows.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kefu.settings import Settings

Rows = list[dict[str, Any]]


def answers(settings: Settings, folder: Path, questions: list[dict[str, list[str]]]) -> list[Rows]:
    """The rows of each question, asked of a warehouse whose project and artifacts (target) are in the folder."""
    from kefu import transform

    written = folder / "answers.json"
    done = subprocess.run(
        [sys.executable, __file__, str(written)],
        input=json.dumps(questions),
        cwd=folder,
        env={**transform.environment(settings), "DBT_PROFILES_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: list[Rows] = json.loads(written.read_text(encoding="utf-8"))
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it; a Decimal that is whole as an int."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if value is None or isinstance(value, int | float | str) else str(value)


def main() -> None:
    """Answer what stands on standard input."""
    from dbt_metricflow.cli.cli_configuration import CLIConfiguration
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    logging.disable(logging.WARNING)
    questions = json.load(sys.stdin)
    configuration = CLIConfiguration()
    configuration.setup(Path.cwd(), Path.cwd(), configure_file_logging=False)
    engine = configuration.mf
    told: list[Rows] = []
    for question in questions:
        request = MetricFlowQueryRequest.create(
            metric_names=question["metrics"], group_by_names=question["group_by"] or None
        )
        table = engine.query(request).result_df
        names = table.column_names
        told.append([{name: plain(value) for name, value in zip(names, row, strict=True)} for row in table.rows])
    Path(sys.argv[1]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()

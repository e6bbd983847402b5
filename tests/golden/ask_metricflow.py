"""MetricFlow asked many questions in one process: starting it costs seconds, a question hardly anything.

Run as a script in a folder with a dbt project and its artifacts; questions come on standard input as JSON, answers go
out the same way: a list of {metrics, group_by} and a list of lists of rows.
"""

from __future__ import annotations

import json
import logging
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any


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
    answers = []
    for question in questions:
        request = MetricFlowQueryRequest.create(
            metric_names=question["metrics"], group_by_names=question["group_by"] or None
        )
        table = engine.query(request).result_df
        names = table.column_names
        answers.append([{name: plain(value) for name, value in zip(names, row, strict=True)} for row in table.rows])
    Path(sys.argv[1]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()

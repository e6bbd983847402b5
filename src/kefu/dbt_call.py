"""One call of dbt: ``python -m kefu.dbt_call OUTCOME.json ARGUMENTS…``, a process of its own (kefu.transform).

dbt prints what it always prints, and the exit status is its own. What became of every node is written to OUTCOME.json,
from the results as dbt holds them: its own artifacts say the same in six megabytes, the same ones in every call.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

FAILED = ("error", "fail", "runtime error")


def main(outcome: Path, arguments: list[str]) -> int:
    """Run dbt with the arguments and write down the outcome; 0, 1 if nodes failed, 2 if dbt did."""
    from dbt.cli.exceptions import DbtUsageException
    from dbt.cli.main import dbtRunner

    # What dbt reads at its start stays until its end; collecting among it again and again is a tenth of a short call.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    done = dbtRunner().invoke(arguments)
    results = getattr(done.result, "results", None)
    if results is not None:
        found = {
            "seconds": getattr(done.result, "elapsed_time", 0.0),
            "nodes": [_node(result) for result in results if hasattr(result, "node")],
            "failures": [_failure(result) for result in results if hasattr(result, "node") and _has_failed(result)],
        }
        outcome.write_text(json.dumps(found), encoding="utf-8")
    if isinstance(done.exception, DbtUsageException):
        print(done.exception, flush=True)  # every other one it has told itself
    if done.exception is not None:
        return 2
    return 0 if done.success else 1


def _has_failed(result: Any) -> bool:
    return str(result.status) in FAILED


def _node(result: Any) -> dict[str, Any]:
    path = Path(result.node.original_file_path).parts
    rows = result.adapter_response.get("rows_affected")
    return {
        "model": result.node.name,
        "kind": str(result.node.resource_type),
        "layer": path[1] if path[0] == "models" else path[0],
        "status": str(result.status),
        "rows_built": rows if isinstance(rows, int) and rows >= 0 else None,
        "seconds": result.execution_time,
        "message": result.message,
    }


def _failure(result: Any) -> dict[str, Any]:
    """What a person needs to find the cause; ``checks`` are the conditions columns are held to, by column."""
    node = result.node
    checks = {
        column.name: constraint.expression
        for column in getattr(node, "columns", {}).values()
        for constraint in column.constraints
        if constraint.type == "check"
    }
    return {
        "name": node.name,
        "kind": str(node.resource_type),
        "message": result.message,
        "sql": getattr(node, "compiled_code", None),
        "checks": checks,
        "root": node.config.meta.get("root", {}).get("entity"),
    }


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))

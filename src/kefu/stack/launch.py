"""Become a program of the stack: ``python launch.py <description.json>``.

supervisord starts every program through this, so that its configuration, and the process list, hold no secret.
Uses the standard library only, and Superset's environment need not know the package ``kefu``.
"""

import json
import os
import sys
from pathlib import Path


def main(path: str) -> None:
    """Replace this process by the program described in the file: ``command``, ``environment``, ``folder``."""
    program = json.loads(Path(path).read_text(encoding="utf-8"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    os.chdir(program["folder"])
    # No shell is wanted in between: supervisord stops the process it started.
    os.execve(program["command"][0], program["command"], {**environment, **program["environment"]})  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])

"""``python -m kefu.bench``: how fast Kefu is on this machine, as ratios within one run."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from kefu.errors import KefuError

QUICK = 2_000


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; 0, or 1 with a message, or 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m kefu.bench", description=__doc__)
    parser.add_argument(
        "--tickets",
        type=_size,
        nargs="+",
        default=[10_000, 100_000],
        metavar="N",
        help="sizes, in tickets a year (default: 10000 100000)",
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} tickets, once: whether it runs at all")
    parser.add_argument("--repetitions", type=_size, default=3, metavar="N", help="of each size (default: 3)")
    parser.add_argument("--builds", action="store_true", help="without the loaders Kefu's is compared with")
    parser.add_argument("--seed", type=int, default=1, help="of the invented rows (default: 1)")
    parser.add_argument("--output", type=Path, help="folder of the JSON file (default: KEFU_HOME/bench)")
    chosen = parser.parse_args(arguments)

    from rich.console import Console

    from kefu.bench import report, run
    from kefu.stack.console import Steps

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _interrupt)
    console = Console()
    tickets, repetitions = ([QUICK], 1) if chosen.quick else (sorted(set(chosen.tickets)), chosen.repetitions)
    try:
        done = run.bench(
            tickets,
            repetitions=repetitions,
            seed=chosen.seed,
            other_loaders=not chosen.builds,
            steps=Steps(),
        )
        report.show(done, console)
        path = report.write(done, chosen.output or Path(os.environ.get("KEFU_HOME") or ".kefu") / "bench")
    except KefuError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; its server is stopped and its folder gone.", file=sys.stderr)
        return 130
    console.print(f"All figures: {path}", highlight=False, soft_wrap=True)
    return 0


def _size(text: str) -> int:
    number = int(text.replace("_", "").replace(",", ""))
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, found {text}")
    return number


def _interrupt(*_: Any) -> None:
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.SIG_IGN)  # a second one shall not leave the server or the folder behind
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())

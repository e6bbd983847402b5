"""Progress is visible on a terminal and in a file, and side-by-side work ends the way its parts do."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from kefu.errors import KefuError
from kefu.stack.console import Steps, together


def test_in_a_file_every_step_says_when_it_begins_how_it_goes_and_how_it_ended() -> None:
    output = io.StringIO()
    with Steps(Console(file=output, width=200)) as steps:
        with steps.step("Postgres") as say:
            say("on port 5")
            say("on port 5")
        with pytest.raises(KefuError), steps.step("Superset [bold]"):
            raise KefuError("no")
    lines = output.getvalue().splitlines()
    assert lines[0] == "  … Postgres"
    assert lines[1] == "    Postgres: on port 5"
    assert lines[2].startswith("  ✓ Postgres (")
    assert lines[3] == "  … Superset [bold]"
    assert lines[4].startswith("  ✗ Superset [bold] (")


def test_on_a_terminal_finished_steps_stay_on_the_screen() -> None:
    output = io.StringIO()
    with Steps(Console(file=output, width=100, force_terminal=True)) as steps, steps.step("Airflow") as say:
        say("starting")
    assert "✓ Airflow" in output.getvalue()


def test_several_things_happen_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet() -> None:
        meeting.wait()

    together(meet, meet, meet)


def test_the_first_failure_is_raised_after_the_others_have_ended() -> None:
    ended: list[str] = []
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise KefuError("the first")

    def work() -> None:
        failed.wait(10)
        ended.append("work")

    with pytest.raises(KefuError, match="the first"):
        together(fail, work)
    assert ended == ["work"]

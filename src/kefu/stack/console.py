"""Progress a person can follow: spinners on a terminal, a line at the start and the end of each step elsewhere."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

Say = Callable[[str], None]


class Steps:
    """The steps of one command. Used as a context manager; steps may run side by side in threads."""

    def __init__(self, console: Console | None = None) -> None:
        """Print to the console given, else to the standard output."""
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=self.console, transient=True
        )
        self._live = self.console.is_terminal

    def __enter__(self) -> Steps:
        """Begin to draw."""
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing; finished steps stay on the screen."""
        if self._live:
            self._progress.stop()

    def say(self, line: str) -> None:
        """One line that stays."""
        self.console.print(line, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """A step under way; call what it yields to say what it is doing at the moment."""
        started = time.monotonic()
        task: TaskID | None = None
        if self._live:
            task = self._progress.add_task(title, total=None)
        else:
            self.say(f"  … {title}")
        said: list[str] = []

        def say(detail: str) -> None:
            if said[-1:] == [detail]:
                return
            said.append(detail)
            if task is not None:
                self._progress.update(task, description=f"{title}: {detail}")
            else:
                self.say(f"    {title}: {detail}")

        try:
            yield say
        except BaseException:
            self.say(f"  ✗ {title} ({time.monotonic() - started:.1f} s)")
            raise
        else:
            self.say(f"  ✓ {title} ({time.monotonic() - started:.1f} s)")
        finally:
            if task is not None:
                self._progress.remove_task(task)


def together(*actions: Callable[[], None]) -> None:
    """Do several things at the same time; when all have ended, the first failure is raised.

    Interrupting does not wait for them: their threads end with the process.
    """
    ended: queue.Queue[BaseException | None] = queue.Queue()

    def act(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    for action in actions:
        threading.Thread(target=act, args=(action,), daemon=True).start()
    failures: list[BaseException] = []
    left = len(actions)
    while left:
        try:
            outcome = ended.get(timeout=0.2)  # without a time limit an interrupt would have to wait
        except queue.Empty:
            continue
        left -= 1
        if outcome is not None:
            failures.append(outcome)
    if failures:
        raise failures[0]

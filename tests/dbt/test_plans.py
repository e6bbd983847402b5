"""No statement of a build holds every row against every other: what Postgres' planner makes of the models.

The year of a centre big enough that a join of the square shows, in full, and one more day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import plans
import pytest
import story

from kefu import control, load, pipeline, warehouse
from kefu.bench import files
from kefu.bench.account import Account, end_of_day
from kefu.bench.clock import YEAR
from kefu.settings import Settings
from kefu.sources.zendesk import TABLES

pytestmark = pytest.mark.slow

TICKETS = 3_000


def test_no_statement_of_a_build_grows_with_the_square_of_the_rows(
    new_warehouse: Callable[..., Settings], tmp_path: Path
) -> None:
    account, settings = Account(TICKETS, 1), new_warehouse()
    pipeline.prepare(settings)
    deliver(settings, files.write(account.year(), tmp_path / "year"), tmp_path / "year")
    with warehouse.connect(settings, "loader") as connection:
        story.insert(connection, story.promises(since=datetime(2025, 1, 1, tzinfo=UTC)))
    everything = [build(settings, YEAR) for _ in "ab"]
    deliver(settings, files.write(account.day(1), tmp_path / "day"), tmp_path / "day")
    one_more_day = build(settings, YEAR + 1)
    assert not control.current_build(settings).scope.full_marts
    for seen in (*everything, one_more_day):
        assert len({statement for statement, _ in seen}) > 100
        assert not plans.one_by_one(seen), plans.one_by_one(seen)


def deliver(settings: Settings, written: files.Written, folder: Path) -> None:
    """Load what was written, as from the vendor."""
    load.load_pages(settings, "zendesk", TABLES, iter(files.Feed(folder, files.as_arrow)))
    assert written.total > 0


def build(settings: Settings, day: int) -> list[tuple[str, plans.Plan]]:
    """From raw to published; the statements of models, tests and expectations."""
    with plans.watched(settings) as seen:
        pipeline.build(as_of=datetime.fromtimestamp(end_of_day(day), UTC), settings=settings)
        pipeline.check_published(settings=settings)
    pipeline.publish(settings=settings)
    return seen

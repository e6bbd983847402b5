"""The golden stories told: one warehouse for all that share their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import pytest

from kefu import control, expectations, golden, pipeline, publish, transform, warehouse
from kefu import history as kept
from kefu.settings import Settings, SourceSettings, project_root
from tests.dbt import history
from tests.golden import telling

KINDS = {"asterisk": "asterisk", "zendesk": "zendesk", "qualtrics": "qualtrics", telling.EXPORTS: "files"}


@dataclass(frozen=True)
class Told:
    """A published warehouse, what each story's names are in it, and when numbers were first published."""

    settings: Settings
    centres: dict[str, telling.Centre]
    first_published_at: datetime


@pytest.fixture(scope="session")
def told(lasting_warehouse: Callable[..., Settings]) -> Callable[[golden.Golden], Told]:
    """The warehouse of a story, built when the first of its group is asked for."""

    @cache
    def tell(group: str) -> Told:
        cases = [one for one in golden.load(project_root()) if telling.group_of(one.case) == group]
        return build(lasting_warehouse, cases)

    return lambda one: tell(telling.group_of(one.case))


def build(new_warehouse: Callable[..., Settings], cases: list[golden.Golden]) -> Told:
    """The stories from raw rows to what readers see; all have the same parameters."""
    case = cases[0].case
    settings, centres = land(new_warehouse, cases)
    turn(settings, case)
    if late := telling.late_rows(centres.values()):
        deliver(settings, late)
        turn(settings, case)
    with warehouse.connect(settings, "analyst") as reader:
        first, *_ = kept.publications(reader)
    return Told(settings, centres, first.published_at)


def land(
    new_warehouse: Callable[..., Settings], cases: list[golden.Golden]
) -> tuple[Settings, dict[str, telling.Centre]]:
    """A warehouse with the stories' raw rows, but for what comes late; and what the stories' names are in it."""
    case = cases[0].case
    centres = {one.id: telling.Centre(one) for one in cases}
    exports = SourceSettings(name=telling.EXPORTS, kind="files", options={"mapping": "exports.yml"})
    settings = new_warehouse(
        sources={telling.EXPORTS: exports},
        teams=tuple(team for centre in centres.values() for team in centre.teams()),
        reporting_zone=str(case.parameters.get("reporting_zone", golden.ZONE)),
        parameters=telling.parameters(centres.values()),
    )
    pipeline.prepare(settings)
    deliver(settings, telling.rows(centres.values()))
    return settings, centres


def deliver(settings: Settings, told: dict[str, telling.Rows]) -> None:
    """Land the rows of each source as one load."""
    for source, tables in told.items():
        declared = history.tables(KINDS[source])
        batch = history.Batch(
            {
                name: [{column: row.get(column) for column in declared[name].columns} for row in rows]
                for name, rows in tables.items()
            }
        )
        history.deliver(settings, source, KINDS[source], batch)


def turn(settings: Settings, case: golden.Case) -> None:
    """From raw to what readers see, as of the time until which the story is told."""
    current = control.begin_build(settings, publish.target_slot(settings), telling.as_of(case))
    transform.build(settings, current)
    control.mark(settings, current, "built")
    expectations.check_published(settings, current.slot)
    control.mark(settings, current, "checked")
    publish.publish(settings, current.slot, as_of=current.as_of_at)

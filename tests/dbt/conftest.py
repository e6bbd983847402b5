"""What the tests of the models share: dbt's manifest without a warehouse, and one with a small story built into it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import story

from kefu import control, pipeline, publish, transform, warehouse
from kefu.schedules import Schedule
from kefu.settings import Settings, SourceSettings
from tests.parsed_project import ParsedProject


@pytest.fixture(scope="session")
def manifest(parsed_project: ParsedProject) -> dict[str, Any]:
    """What dbt makes of the project: models, tests, sources, as the dictionary of its manifest.json."""
    return parsed_project.manifest()


@pytest.fixture(scope="session")
def told(
    lasting_warehouse: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory, project: Path
) -> story.Told:
    """The story, told: from raw rows to what readers see."""
    bank = SourceSettings(name="bank", kind="files", options={"mapping": "bank.yml"})
    office = Schedule.model_validate(story.OFFICE)
    settings = lasting_warehouse(
        sources={"bank": bank}, schedules=(office,), business_schedule=office.id, parameters=story.PARAMETERS
    )
    pipeline.prepare(settings)
    with warehouse.connect(settings, "loader") as connection:
        story.insert(connection, story.rows())
    build = control.begin_build(settings, "a", story.AS_OF)
    transform.build(settings, build)
    for moment in ("built", "checked"):
        control.mark(settings, build, moment)
    publish.publish(settings, build.slot, as_of=build.as_of_at)

    # MetricFlow looks for dbt's artifacts inside the project; ours stay out of it, and belong to one warehouse.
    folder = tmp_path_factory.mktemp("semantic_layer")
    for path in (project / "dbt_project").iterdir():
        if path.name != "target":
            (folder / path.name).symlink_to(path)
    shutil.copytree(settings.home / "dbt" / "slot_a", folder / "target")
    return story.Told(settings, folder)

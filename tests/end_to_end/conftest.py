"""The invented centre, once a session: simulated, served over HTTP, loaded, built, checked and published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefu.settings import Settings, load_settings


@dataclass(frozen=True)
class Centre:
    """The published warehouse of an invented centre, and what really happened in it."""

    settings: Settings
    truth: dict[str, list[dict[str, Any]]]
    zone: str
    as_of: datetime


def configuration(world: Any, url: str, logs: Path) -> str:
    """kefu.toml for a simulated world whose emulators answer at ``url``."""
    from kefu.simulator.world import TEAMS
    from kefu.simulator.zendesk import PUBLIC_POLICY

    teams = "".join(
        f"""
[[teams]]
id = "{team.id}"
name = {{ en = "{team.en}", zh = "{team.zh}" }}
[teams.members]
asterisk = ["{team.queue}"]
zendesk = ["{team.group}"]
qualtrics = ["{team.group}"]
workforce = ["{team.group}"]
quality = ["{team.group}"]
"""
        for team in TEAMS
    )
    return f"""
reporting_zone = "{world.zone}"
[parameters]
public_promises = ["zendesk-{PUBLIC_POLICY}"]
first_level_teams = ["returns", "orders", "key_accounts"]
teams_outside_service = ["payments"]
{teams}
[sources.zendesk]
base_url = "{url}/zendesk"
email = "agent@example.com"
start_date = "{world.start - timedelta(days=1)}"
[sources.asterisk]
path = "{logs}/queue_log*"
[sources.workforce]
kind = "files"
mapping = ["world/workforce/plan.yml", "world/workforce/activity.yml"]
[sources.quality]
kind = "files"
mapping = ["world/quality/evaluations.yml", "world/quality/items.yml"]
[sources.qualtrics]
base_url = "{url}/qualtrics"
surveys = ["{world.survey_id}"]
[sources.qualtrics.questions]
QID1 = {{ metric = "csat", scale = "five_point" }}
QID2 = {{ metric = "nps", scale = "eleven_point" }}
QID4 = {{ metric = "fcr", scale = "yes_no" }}
"""


@pytest.fixture(scope="session")
def centre(postgres: Settings, databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """Five weeks of the invented centre, through `kefu run` on real Postgres, dbt and Great Expectations."""
    from kefu import pipeline, simulator
    from kefu.emulators import serve

    folder = tmp_path_factory.mktemp("centre")
    world = simulator.write(folder / "world", seed=7, start=date(2026, 3, 2), end=date(2026, 4, 6), scale=0.3)
    secrets = [f"SOURCES__{source}__API_TOKEN={serve.TEST_TOKEN}\n" for source in ("ZENDESK", "QUALTRICS")]
    (folder / ".env").write_text("".join(secrets), encoding="utf-8")
    with serve.running(folder / "world") as vendors:
        config = folder / "kefu.toml"
        config.write_text(configuration(world, vendors.url, folder / "world" / "asterisk"), encoding="utf-8")
        own = load_settings(config, postgres.home)
        settings = own.model_copy(
            update={"warehouse": postgres.warehouse.model_copy(update={"database": databases.name()})}
        )
        pipeline.extract(settings=settings)
        pipeline.check_raw(settings=settings)
        pipeline.build(settings=settings, as_of=world.now)
        pipeline.check_published(settings=settings)
        pipeline.publish(settings=settings)
        yield Centre(settings, simulator.truth.read(folder / "world"), world.zone, world.now)

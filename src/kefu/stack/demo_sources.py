"""The demo's source systems: an invented service centre, simulated once, served by emulators of the vendors, with the
exports of its workforce and quality management beside them.

All of it is under KEFU_HOME/demo: the world, the ``kefu.toml`` that points at it, the ``.env`` with the tokens.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kefu.settings import Settings, load_settings
from kefu.stack import state, web
from kefu.stack.keeper import Program

PROGRAM = "emulators"
ZONE = "Asia/Shanghai"
SEED = 20261
DAYS = 92
SCHEDULE = "7 * * * *"  # hourly: the invented centre stands still
EMAIL = "analytics@kefu.example"
EXPORTS = {"workforce": ("plan", "activity"), "quality": ("evaluations", "items")}
SECOND_LEVEL, OTHER_DEPARTMENTS = ("technical",), ("payments",)  # of the centre's teams; the others are level 1
TOKENS = {"SOURCES__ZENDESK__API_TOKEN": "zendesk_token", "SOURCES__QUALTRICS__API_TOKEN": "qualtrics_token"}


def folder(home: Path) -> Path:
    """Where the demo's own files are."""
    return home / "demo"


def configuration(home: Path) -> Path:
    """The demo's configuration file."""
    return folder(home) / "kefu.toml"


def simulate(settings: Settings) -> bool:
    """Let the invented centre live for three months until today, unless it did so before. Returns whether it ran.

    Made beside its place and moved there whole: an interruption leaves nothing half-done.
    """
    from kefu import simulator

    world = folder(settings.home) / "world"
    if (world / "world.json").exists():
        return False
    unfinished = state.folder(settings, "demo") / "world.unfinished"
    today = datetime.now(ZoneInfo(ZONE)).date()
    with state.explained(unfinished):
        shutil.rmtree(unfinished, ignore_errors=True)
        simulator.write(unfinished, seed=SEED, start=today - timedelta(days=DAYS), end=today, zone=ZONE)
        shutil.rmtree(world, ignore_errors=True)
        unfinished.rename(world)
    return True


def counts(settings: Settings) -> dict[str, int]:
    """How much the simulated systems hold."""
    return dict(_world(settings)["counts"])


def configure(settings: Settings) -> Settings:
    """Write the demo's configuration for the world and ports of now, and read it back."""
    home = folder(settings.home)
    address = f"http://{state.LOOPBACK}:{state.port(settings, PROGRAM)}"
    state.write_whole(home / "kefu.toml", _toml(_world(settings), address, home), mode=0o644)
    secrets = "".join(f"{name}={token}\n" for name, token in tokens(settings).items())
    state.write_whole(home / ".env", f"# Tokens of the demo's emulators, generated.\n{secrets}")
    return load_settings(home / "kefu.toml", settings.home)


def tokens(settings: Settings) -> dict[str, str]:
    """What the emulators ask for, by the variable each source looks in."""
    return {name: state.generated(settings, key) for name, key in TOKENS.items()}


def program(settings: Settings) -> Program:
    """The emulators of Zendesk and Qualtrics."""
    world = folder(settings.home) / "world"
    port = str(state.port(settings, PROGRAM))
    return Program(
        PROGRAM,
        (sys.executable, "-m", "kefu.emulators.serve", "--data", str(world), "--port", port, "--limits", "off"),
        {
            "KEFU_EMULATOR_ZENDESK_EMAIL": EMAIL,
            "KEFU_EMULATOR_ZENDESK_TOKEN": state.generated(settings, "zendesk_token"),
            "KEFU_EMULATOR_QUALTRICS_TOKEN": state.generated(settings, "qualtrics_token"),
            "PATH": os.environ.get("PATH", os.defpath),
        },
    )


def is_healthy(settings: Settings) -> bool:
    """Whether the emulators answer."""
    return web.answers(f"http://{state.LOOPBACK}:{state.port(settings, PROGRAM)}/health")


def _world(settings: Settings) -> dict[str, Any]:
    return dict(json.loads((folder(settings.home) / "world" / "world.json").read_text(encoding="utf-8")))


def _toml(world: dict[str, Any], address: str, home: Path) -> str:
    from kefu.simulator.zendesk import PUBLIC_POLICY

    ids = [team["id"] for team in world["teams"]]
    teams = "\n".join(
        f"""[[teams]]
id = "{team["id"]}"
name = {{ en = "{team["en"]}", zh = "{team["zh"]}" }}
[teams.members]
asterisk = ["{team["queue"]}"]
zendesk = ["{team["group"]}"]
qualtrics = ["{team["group"]}"]
workforce = ["{team["group"]}"]
quality = ["{team["group"]}"]
"""
        for team in world["teams"]
    )
    exports = "\n".join(
        f"""[sources.{name}]
kind = "files"
mapping = {json.dumps([f"world/{name}/{mapping}.yml" for mapping in mappings])}
schedule = "{SCHEDULE}"
"""
        for name, mappings in EXPORTS.items()
        if (home / "world" / name).is_dir()  # a world made by an earlier version has none
    )
    first_day = datetime.fromisoformat(world["start"]).replace(tzinfo=ZoneInfo(world["zone"])).astimezone(UTC).date()
    return f"""# Written by `kefu demo`, again each time: an invented service centre. The tokens are in .env beside it.

reporting_zone = "{world["zone"]}"
languages = ["en", "zh"]
business_schedule = "telephone"

[parameters]
public_promises = ["zendesk-{PUBLIC_POLICY}"]
first_level_teams = {json.dumps([one for one in ids if one not in (*SECOND_LEVEL, *OTHER_DEPARTMENTS)])}
teams_outside_service = {json.dumps([one for one in ids if one in OTHER_DEPARTMENTS])}

[[schedules]]
id = "telephone"
name = {{ en = "Telephone hours", zh = "电话服务时间" }}
zone = "{world["zone"]}"
hours = {{ "mon-sun" = ["08:00-22:00"] }}

{teams}
[sources.zendesk]
base_url = "{address}/zendesk"
email = "{EMAIL}"
start_date = "{first_day}"
schedule = "{SCHEDULE}"

[sources.asterisk]
path = {json.dumps(str(home / "world" / "asterisk" / "queue_log*"))}
schedule = "{SCHEDULE}"

{exports}
[sources.qualtrics]
base_url = "{address}/qualtrics"
surveys = ["{world["survey_id"]}"]
schedule = "{SCHEDULE}"
[sources.qualtrics.questions]
QID1 = {{ metric = "csat", scale = "five_point" }}
QID2 = {{ metric = "nps", scale = "eleven_point" }}
QID4 = {{ metric = "fcr", scale = "yes_no" }}
"""

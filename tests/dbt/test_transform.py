"""Running dbt: what it says when a build fails, and that a changed project is read anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import story

from kefu import control, pipeline, transform, warehouse
from kefu.errors import KefuError
from kefu.settings import Settings, SourceSettings

pytestmark = pytest.mark.slow


def test_a_word_nobody_knows_stops_the_build_and_is_shown(new_warehouse: Callable[..., Settings]) -> None:
    bank = SourceSettings(name="bank", kind="files", options={"mapping": "bank.yml"})
    settings = new_warehouse(sources={"bank": bank})
    pipeline.prepare(settings)
    rows = story.rows()
    rows["raw_zendesk.tickets"][0]["via_channel"] = "carrier pigeon"
    with warehouse.connect(settings, "loader") as connection:
        story.insert(connection, rows)
    build = control.begin_build(settings, "a", story.AS_OF)
    with pytest.raises(KefuError) as caught:
        transform.build(settings, build, ["canonical"])
    message = str(caught.value)
    assert "model canonical_survey_invitations: " in message  # a rating has it from its ticket
    assert "found 'unmapped' (1 times)" in message
    assert "channel: expected channel in ('voice', 'email'," in message
    assert "Readers keep the last good build" in message
    with warehouse.connect(settings) as connection:
        failed = connection.execute("select model from control.model_runs where status = 'error'").fetchall()
    assert "canonical_survey_invitations" in {name for (name,) in failed}

    with warehouse.connect(settings, "loader") as connection:
        connection.execute("update raw_zendesk.tickets set via_channel = 'email' where via_channel = 'carrier pigeon'")
    report = transform.build(settings, control.begin_build(settings, "a", story.AS_OF), ["canonical"])
    assert all(node.status in ("success", "pass") for node in report.nodes)


@pytest.mark.parametrize("slot", ["a", "b"])
def test_the_lent_project_is_not_read_again(new_warehouse: Callable[..., Settings], slot: str) -> None:
    """dbt falls back on reading it, which takes minutes of all tests together, and nobody would notice."""
    status, lines = transform.run_dbt(new_warehouse(), slot, ["parse"])
    assert status == 0, "\n".join(lines)
    assert not [line for line in lines if "partial parsing" in line]


def test_a_changed_project_is_read_anew(postgres: Settings, project: Path, tmp_path: Path) -> None:
    """What dbt remembers of the project before makes it find metrics twice when shared words change."""
    copied = tmp_path / "project"
    shutil.copytree(project / "dbt_project", copied / "dbt_project")
    settings = postgres.model_copy(update={"project": copied})
    status, lines = transform.run_dbt(settings, "b", ["parse"])
    assert status == 0, "\n".join(lines)
    words = copied / "dbt_project" / "models" / "vocabulary.md"
    words.write_text(words.read_text(encoding="utf-8").replace("Name of the source", "The name"), encoding="utf-8")
    status, lines = transform.run_dbt(settings, "b", ["parse"])
    assert status == 0, "\n".join(lines)


def test_an_unknown_layer_is_refused(postgres: Settings) -> None:
    with pytest.raises(KefuError, match=r"There is no layer gold, platinum\."):
        transform.known_layers(["canonical", "platinum", "gold"])

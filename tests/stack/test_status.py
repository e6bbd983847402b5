"""`kefu status` and `kefu doctor` on a machine where only some of it runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kefu import doctor
from kefu.settings import Settings, load_settings
from kefu.stack import state, status


def test_what_was_never_started_is_down_and_asking_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    settings = load_settings(tmp_path / "kefu.toml", tmp_path / "home")
    assert {part.word for part in status.parts(settings)} == {"down"}
    assert status.ages(settings) == []
    assert not settings.home.exists()


def test_the_age_of_the_data_is_never_before_anything_was_published(warehouse: Settings) -> None:
    [warehouse_part, *others] = status.parts(warehouse)
    assert warehouse_part.word == "up"
    assert warehouse_part.said.startswith("version ")
    assert {part.word for part in others} == {"down"}
    assert [(age.name, age.at) for age in status.ages(warehouse)] == [("Readers see the numbers as of", None)]


def test_the_age_of_the_data_follows_publications_and_loads(warehouse: Settings) -> None:
    from kefu import pipeline
    from kefu import warehouse as database

    pipeline.prepare(warehouse)
    with database.connect(warehouse) as connection:
        connection.execute("""
            insert into control.publications (slot, build_id, as_of_at, published_at, definitions, sources, checks)
            values ('a', 1, '2026-03-01 16:00', '2026-03-01 16:05Z', '', '[]', '[]')
        """)
        connection.execute("""
            insert into control.loads
            values ('1', 'zendesk', 'tickets', 1, 1, 0, 0, '2026-03-01 15:00Z', '2026-03-01 15:30Z', 1)
        """)
    ages = {age.name: str(age.at) for age in status.ages(warehouse)}
    assert ages == {
        "Readers see the numbers as of": "2026-03-01 16:00:00+00:00",
        "Last load of zendesk": "2026-03-01 15:30:00+00:00",
    }


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(days=3, hours=5), "3 days"),
    ],
)
def test_an_age_is_given_in_its_largest_telling_unit(age: timedelta, words: str) -> None:
    assert status.ago(age) == words


def examined(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> dict[str, doctor.Finding]:
    monkeypatch.setenv("KEFU_CONFIG", str(settings.config))
    monkeypatch.setenv("KEFU_HOME", str(settings.home))
    return {finding.what: finding for finding in doctor.examine()}


def test_the_doctor_finds_nothing_to_fix_where_all_is_well(
    postgres: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kefu import warehouse as database

    database.ensure(postgres)
    database.prepare(postgres)
    found = examined(monkeypatch, postgres)
    assert [finding.what for finding in found.values() if finding.is_fine is False] == []
    assert found["warehouse"].said == "lets in loader, transformer, analyst, dashboard"
    assert doctor.run() == 0
    assert "Nothing to fix." in capsys.readouterr().out


def test_the_doctor_names_a_wrong_setting_and_stops_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kefu.toml").write_text('reporting_zone = "Beijing"\n', encoding="utf-8")
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    assert doctor.run() == 1
    said = capsys.readouterr().out
    assert "Beijing" in said
    assert "1 to fix." in said


def test_the_doctor_names_a_missing_secret_and_an_unreachable_vendor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kefu.toml").write_text(
        """
        [sources.zendesk]
        base_url = "http://127.0.0.1:1"
        email = "robot@acme.example"
        start_date = "2026-01-01"
        [sources.qualtrics]
        base_url = "http://127.0.0.1:1"
        surveys = ["SV_1"]
        """,
        encoding="utf-8",
    )
    monkeypatch.setenv("SOURCES__QUALTRICS__API_TOKEN", "hidden-word")
    found = examined(monkeypatch, load_settings(tmp_path / "kefu.toml", tmp_path / "home"))
    assert found["source zendesk"].is_fine is False
    assert "SOURCES__ZENDESK__API_TOKEN" in found["source zendesk"].said
    assert found["source qualtrics"].is_fine is False
    assert not any("hidden-word" in "".join(finding.lines()) for finding in found.values())


def test_the_doctor_says_which_package_is_not_as_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    locks = tmp_path / ".locks"
    locks.mkdir()
    lock = (project / ".locks" / "warehouse.txt").read_text(encoding="utf-8")
    (locks / "warehouse.txt").write_text(lock.replace("\npsycopg==", "\npsycopg==9."), encoding="utf-8")
    monkeypatch.setenv("KEFU_PROJECT", str(tmp_path))
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    found = examined(monkeypatch, load_settings(tmp_path / "kefu.toml", tmp_path / "home"))
    assert found["environment warehouse"].is_fine is False
    assert "psycopg 9." in found["environment warehouse"].said
    assert found["environment superset"].is_fine is False


def test_the_doctor_reports_a_port_somebody_else_took(postgres: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        ports = postgres.home / "ports.json"
        before = ports.read_text()
        state.write_whole(ports, before.rstrip().rstrip("}") + f', "superset": {port}}}')
        try:
            found = examined(monkeypatch, postgres)
        finally:
            state.write_whole(ports, before)
    assert f"superset {port}" in found["ports"].said
    assert found["ports"].is_fine is None

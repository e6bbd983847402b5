"""What `kefu demo` sets up by itself, without any server: the invented centre's configuration, and when it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kefu.errors import KefuError
from kefu.settings import Settings, load_settings, validate_options
from kefu.simulator.world import TEAMS
from kefu.simulator.zendesk import PUBLIC_POLICY
from kefu.sources import kinds
from kefu.stack import demo, demo_sources, state

WORLD = {
    "start": "2026-08-22",
    "end": "2026-11-22",
    "zone": "Asia/Shanghai",
    "survey_id": "SV_abc",
    "teams": [
        {"id": "returns", "en": "Returns", "zh": "退换组", "queue": "returns", "group": "Returns"},
        {"id": "key_accounts", "en": "Key accounts", "zh": "大客户组", "queue": "keyaccounts", "group": "Key accounts"},
    ],
}


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    (tmp_path / "kefu.toml").write_text("[sources.zendesk]\nenabled = false\n", encoding="utf-8")
    settings = load_settings(tmp_path / "kefu.toml", tmp_path / "home")
    world = state.folder(settings, "demo", "world")
    (world / "world.json").write_text(json.dumps(WORLD), encoding="utf-8")
    return settings


def test_the_demos_configuration_is_valid_down_to_the_options_of_each_source(home: Settings) -> None:
    settings = demo_sources.configure(home)
    assert settings.config == home.home / "demo" / "kefu.toml"
    assert settings.home == home.home
    assert [source.name for source in settings.enabled_sources()] == ["zendesk", "asterisk", "qualtrics"]
    for source in settings.enabled_sources():
        validate_options(source, kinds()[source.kind].options, settings.config)
        assert source.schedule == demo_sources.SCHEDULE
    assert settings.parameters.public_promises == (f"zendesk-{PUBLIC_POLICY}",)
    assert settings.parameters.first_level_teams == ("returns", "key_accounts")
    assert {team.name.zh for team in settings.teams} == {"退换组", "大客户组"}
    assert settings.teams[1].members == {
        "zendesk": ["Key accounts"],
        "asterisk": ["keyaccounts"],
        "qualtrics": ["Key accounts"],
        "workforce": ["Key accounts"],
        "quality": ["Key accounts"],
    }


def test_what_the_demo_says_of_teams_is_of_teams_of_the_centre() -> None:
    assert {team.id for team in TEAMS} > {*demo_sources.SECOND_LEVEL, *demo_sources.OTHER_DEPARTMENTS} > set()


def test_the_exports_of_the_centre_are_sources_where_it_has_any(home: Settings) -> None:
    for name, mappings in demo_sources.EXPORTS.items():
        folder = state.folder(home, "demo", "world", name)
        for mapping in mappings:
            (folder / f"{mapping}.yml").write_text("", encoding="utf-8")
    settings = demo_sources.configure(home)
    sources = {source.name: source for source in settings.enabled_sources()}
    assert sources.keys() == {"zendesk", "asterisk", "qualtrics", "workforce", "quality"}
    for name in demo_sources.EXPORTS:
        validate_options(sources[name], kinds()["files"].options, settings.config)
        assert sources[name].kind == "files" and sources[name].schedule == demo_sources.SCHEDULE
        for mapping in sources[name].options["mapping"]:
            assert (settings.config.parent / mapping).is_file()


def test_the_tokens_of_the_demo_are_generated_and_found_where_secrets_are_looked_for(home: Settings) -> None:
    settings = demo_sources.configure(home)
    for name, key in demo_sources.TOKENS.items():
        assert settings.secret(name, needed_by="demo") == state.generated(home, key)
    assert (settings.config.parent / ".env").stat().st_mode & 0o077 == 0
    assert state.generated(home, "zendesk_token") not in settings.config.read_text(encoding="utf-8")


def test_the_demo_points_at_the_port_its_emulators_have_now(home: Settings) -> None:
    demo_sources.configure(home)
    state.write_whole(home.home / "ports.json", '{"emulators": 23456}')
    settings = demo_sources.configure(home)
    assert settings.sources["zendesk"].options["base_url"] == "http://127.0.0.1:23456/zendesk"


def test_an_invented_centre_that_lived_already_does_not_live_again(home: Settings) -> None:
    assert demo_sources.simulate(home) is False


def test_the_demo_refuses_to_mix_invented_data_with_a_configured_source(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.config.write_text('[sources.asterisk]\npath = "/var/log/asterisk/queue_log*"\n', encoding="utf-8")
    monkeypatch.setenv("KEFU_CONFIG", str(home.config))
    monkeypatch.setenv("KEFU_HOME", str(home.home))
    with pytest.raises(KefuError, match="mix invented data with yours") as failure:
        demo.demo()
    assert "asterisk" in str(failure.value)
    assert not (home.home / "postgres").exists()

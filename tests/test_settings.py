"""The configuration: what it may say, what it must not, and that all of what is wrong is said at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from kefu.errors import KefuError
from kefu.settings import Settings, SourceSettings, load_settings, read_dotenv, validate_options

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def file(text: str) -> Path:
        path = tmp_path / "kefu.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return file


def problems(path: Path) -> list[str]:
    """What is wrong with a configuration, one line each."""
    with pytest.raises(KefuError) as caught:
        load_settings(path)
    message = str(caught.value)
    assert str(path) in message
    assert "what to do" in message
    lines = [line.removeprefix("  - ") for line in message.splitlines() if line.startswith("  - ")]
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
    assert message.startswith(f"The configuration has {count}:")
    return lines


# --- what it says ----------------------------------------------------------------------------------------------------


def test_an_empty_file_is_a_configuration(write: Write, tmp_path: Path) -> None:
    settings = load_settings(write(""))
    assert settings.home == tmp_path / ".kefu"
    assert (settings.reporting_zone, settings.languages) == ("UTC", ("en", "zh"))
    assert settings.parameters.short_abandon_seconds == 5
    assert settings.warehouse.host is None
    assert settings.enabled_sources() == []


def test_the_projects_own_file_is_valid_and_explains_every_parameter(project: Path) -> None:
    settings = load_settings(project / "kefu.toml")
    text = (project / "kefu.toml").read_text(encoding="utf-8")
    assert [name for name in type(settings.parameters).model_fields if f"\n{name} = " not in text] == []
    assert settings.parameters == type(settings.parameters)(), "the file says that these are the defaults"
    assert settings.enabled_sources() == [], "a fresh checkout talks to nobody"


def test_what_is_written_is_what_is_read(write: Write) -> None:
    settings = load_settings(
        write(
            """
            reporting_zone = "Asia/Shanghai"
            languages = ["zh"]
            [parameters]
            reopen_window_days = 7
            [[teams]]
            id = "returns"
            name = { en = "Returns", zh = "退换组" }
            members = { zendesk = ["Returns", "Refunds"] }
            [sources.bank]
            kind = "files"
            mapping = "bank.yml"
            [sources.zendesk]
            enabled = false
            base_url = "https://example.zendesk.com"
            """
        )
    )
    assert settings.reporting_zone == "Asia/Shanghai"
    assert settings.parameters.reopen_window_days == 7
    assert settings.teams[0].name.zh == "退换组"
    assert settings.source("bank") == SourceSettings(name="bank", kind="files", options={"mapping": "bank.yml"})
    assert settings.source("zendesk").kind == "zendesk"
    assert [source.name for source in settings.enabled_sources()] == ["bank"]


def test_parameters_name_policies_and_teams_that_are_listed_or_a_sources(write: Write) -> None:
    text = """
        [parameters]
        public_promises = ["kefu-standard", "zendesk-360001"]
        first_level_teams = ["returns", "zendesk-360002"]
        teams_outside_service = ["finance"]
        [[sla_policies]]
        id = "standard"
        name = { en = "Standard", zh = "标准承诺" }
        clock = "calendar"
        targets = { resolution = "40h" }
        [[teams]]
        id = "returns"
        name = { en = "Returns", zh = "退换组" }
        [[teams]]
        id = "finance"
        name = { en = "Finance", zh = "财务部" }
        [sources.zendesk]
        enabled = false
    """
    parameters = load_settings(write(text)).parameters
    assert parameters.public_promises == ("kefu-standard", "zendesk-360001")
    assert (parameters.first_level_teams, parameters.teams_outside_service) == (
        ("returns", "zendesk-360002"),
        ("finance",),
    )
    for right, wrong, says in (
        ('"kefu-standard"', '"standard"', "'standard' is neither in [[sla_policies]] nor a policy of a source"),
        ('"returns", ', '"retuns", ', "'retuns' is neither in [[teams]] nor a team of a source"),
        ('["finance"]', '["returns"]', "in first_level_teams and in teams_outside_service: returns"),
        ('["finance"]', '["finance", "finance"]', "named twice: finance"),
    ):
        [line] = problems(write(text.replace(right, wrong, 1)))
        assert says in line


def test_the_environment_names_the_file_and_the_folder_of_all_state(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEFU_CONFIG", str(write('reporting_zone = "Asia/Tokyo"')))
    monkeypatch.setenv("KEFU_HOME", str(tmp_path / "elsewhere"))
    settings = load_settings()
    assert (settings.reporting_zone, settings.home) == ("Asia/Tokyo", tmp_path / "elsewhere")


def test_without_any_word_it_is_the_file_of_the_working_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('reporting_zone = "Asia/Tokyo"')
    monkeypatch.chdir(tmp_path)
    assert load_settings().reporting_zone == "Asia/Tokyo"


def test_settings_cannot_be_changed(write: Write) -> None:
    settings = load_settings(write(""))
    with pytest.raises(ValueError, match="frozen"):
        settings.reporting_zone = "Asia/Tokyo"


# --- what it must not say --------------------------------------------------------------------------------------------


def test_no_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(KefuError, match="There is no configuration") as caught:
        load_settings(tmp_path / "kefu.toml")
    assert str(tmp_path / "kefu.toml") in str(caught.value)
    assert "KEFU_CONFIG" in str(caught.value)


@pytest.mark.parametrize("content", [b"reporting_zone = ", b"a = 1\na = 2\n", 'name = "组"'.encode("gb18030")])
def test_what_is_not_toml_is_said_with_its_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kefu.toml"
    path.write_bytes(content)
    with pytest.raises(KefuError, match="not valid TOML") as caught:
        load_settings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('reporting_zone = "Peking"', "reporting_zone: 'Peking' is no IANA time zone"),
        ("reporting_zone = 8", "reporting_zone: "),
        ('languages = ["fr"]', "languages: choose from 'en' and 'zh'"),
        ("languages = []", "languages: choose from"),
        ('languages = "en"', "languages: "),
        ("colour = 1", "colour: there is no such setting"),
        ('home = "elsewhere"', "home: there is no such setting"),
        ("[parameters]\nreopen_window_days = -1", "parameters.reopen_window_days: "),
        ('[parameters]\nreopen_window_days = "soon"', "parameters.reopen_window_days: "),
        ("[parameters]\nminimum_n = 0", "parameters.minimum_n: "),
        ('[parameters]\nsurvey_credit = "everybody"', "parameters.survey_credit: "),
        ("[parameters]\nsurvey_credit_share = 0.5", "parameters.survey_credit_share: "),
        ('[parameters]\ncase_mix = ["channel", "agent"]', "parameters.case_mix.1: "),
        ('[parameters]\ncase_mix = ["channel", "channel"]', "parameters.case_mix: named twice: channel"),
        ("[parameters]\ncase_mix_prior = 0", "parameters.case_mix_prior: "),
        ("[parameters]\nreopen_window = 1", "parameters.reopen_window: there is no such setting"),
        ("[warehouse]\nport = 70000", "warehouse.port: "),
        ("warehouse = 5", "warehouse: "),
        ('[[teams]]\nid = "Returns"\nname = {en = "R", zh = "退"}', "teams.0.id: "),
        ('[[teams]]\nid = "returns"\nname = {en = "R"}', "teams.0.name.zh: Field required"),
        ('[[teams]]\nid = "returns"\nname = "R"', "teams.0.name: "),
        ("sources = 3", "sources: expected tables such as [sources.zendesk], found 3"),
        ("[sources]\nzendesk = true", "sources.zendesk: expected a table, found True"),
        ("[sources.Zendesk]", "sources.Zendesk: a name is a lower-case word"),
        ('[sources."my-desk"]', "sources.my-desk: a name is a lower-case word"),
        ("[sources.kefu]", "sources.kefu: a name is a lower-case word"),
        ("[sources.zendesk]\nkind = 1", "sources.zendesk.kind: "),
        ('[sources.zendesk]\nenabled = "perhaps"', "sources.zendesk.enabled: "),
    ],
)
def test_a_mistake_is_named_by_its_place(write: Write, text: str, says: str) -> None:
    [problem] = problems(write(text))
    assert problem.startswith(says)


def test_a_member_belongs_to_one_team_and_an_id_to_one(write: Write) -> None:
    team = '[[teams]]\nid = "{}"\nname = {{en = "A", zh = "甲"}}\nmembers = {{zendesk = ["Returns"]}}\n'
    [problem] = problems(write(team.format("a") + team.format("b")))
    assert problem == "teams: zendesk 'Returns' is in two teams: a and b"
    [problem] = problems(write(team.format("a") + team.format("a")))
    assert problem == "teams: the id 'a' is used twice"


def test_all_that_is_wrong_is_said_at_once(write: Write) -> None:
    found = problems(
        write(
            """
            reporting_zone = "Peking"
            languages = ["fr"]
            colour = "blue"
            [parameters]
            minimum_n = 0
            [warehouse]
            port = 0
            [[teams]]
            id = "a"
            name = { en = "A", zh = "甲" }
            members = { zendesk = ["Returns"] }
            [[teams]]
            id = "b"
            name = { en = "B", zh = "乙" }
            members = { zendesk = ["Returns"] }
            [sources.Desk]
            [sources.zendesk]
            enabled = "perhaps"
            """
        )
    )
    places = {problem.partition(":")[0] for problem in found}
    assert places == {
        "reporting_zone", "languages", "colour", "parameters.minimum_n", "warehouse.port", "teams",
        "sources.Desk", "sources.zendesk.enabled",
    }  # fmt: skip


# --- sources and their options ---------------------------------------------------------------------------------------


def test_an_unknown_source_is_told_which_there_are(write: Write) -> None:
    settings = load_settings(write("[sources.bank]\nkind = 'files'\n[sources.zendesk]"))
    with pytest.raises(KefuError, match="no source called 'zendsk'") as caught:
        settings.source("zendsk")
    assert "bank, zendesk" in str(caught.value)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    base_url: str
    page_size: int = Field(100, ge=1)


def test_the_options_of_a_source_are_judged_as_a_whole(tmp_path: Path) -> None:
    source = SourceSettings(name="desk", kind="zendesk", options={"page_size": 0, "base_uri": "x"})
    with pytest.raises(KefuError) as caught:
        validate_options(source, Options, tmp_path / "kefu.toml")
    message = str(caught.value)
    assert "The settings of source 'desk' have 3 problems" in message
    for name in ("base_url", "page_size", "base_uri"):
        assert f"sources.desk.{name}: " in message


# --- secrets ---------------------------------------------------------------------------------------------------------

SECRET = "SOURCES__ZENDESK__API_TOKEN"


@pytest.fixture
def settings(write: Write, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv(SECRET, raising=False)
    return load_settings(write(""))


def test_a_secret_comes_from_the_environment_first(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.config.parent / ".env").write_text(f"{SECRET}=of-the-file\n", encoding="utf-8")
    assert settings.secret(SECRET, needed_by="zendesk") == "of-the-file"
    monkeypatch.setenv(SECRET, "of-the-environment")
    assert settings.secret(SECRET, needed_by="zendesk") == "of-the-environment"
    monkeypatch.setenv(SECRET, "")
    assert settings.secret(SECRET, needed_by="zendesk") == "of-the-file"


@pytest.mark.parametrize("content", [None, "", f"{SECRET}=\n", "OTHER=x\n"])
def test_a_missing_secret_names_every_place_that_was_looked_at(settings: Settings, content: str | None) -> None:
    dotenv = settings.config.parent / ".env"
    if content is not None:
        dotenv.write_text(content, encoding="utf-8")
    with pytest.raises(KefuError) as caught:
        settings.secret(SECRET, needed_by="zendesk")
    message = str(caught.value)
    assert message.startswith(f"zendesk: {SECRET} is not set.")
    assert "environment" in message
    assert str(dotenv) in message
    assert ".env.example" in message


def test_reading_the_dotenv_file_changes_no_environment(settings: Settings) -> None:
    (settings.config.parent / ".env").write_text("KEFU_TRY_ME=1\n", encoding="utf-8")
    assert read_dotenv(settings.config.parent / ".env") == {"KEFU_TRY_ME": "1"}
    assert "KEFU_TRY_ME" not in os.environ


def test_no_secret_is_part_of_the_settings(settings: Settings) -> None:
    (settings.config.parent / ".env").write_text(f"{SECRET}=hush\n", encoding="utf-8")
    settings.secret(SECRET, needed_by="zendesk")
    assert "hush" not in repr(settings)
    assert "hush" not in settings.model_dump_json()

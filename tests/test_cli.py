"""The command line: what it offers, how it complains, and that it starts quickly."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from kefu import cli, errors, pipeline
from kefu.errors import KefuError

COMMANDS = """
run extract build check publish rollback kpi catalogue demo up down status doctor check-mapping
"""


def kefu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """`kefu` with arguments: exit status, output, complaints."""
    try:
        cli.main(arguments)
        status: Any = 0
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr()
    return int(status or 0), said.out, said.err


def refuse(*_: object, **__: object) -> None:
    raise KefuError("The vendor hung up.", expected="an answer", where="desk.example", do="Try again.")


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


# --- what it offers --------------------------------------------------------------------------------------------------


def test_help_lists_every_command_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = kefu(capsys, "--help")
    assert status == 0
    listed = {line.split()[0]: line.split()[1:] for line in out.partition("Commands:")[2].splitlines() if line.split()}
    assert set(COMMANDS.split()) - set(listed) == set()
    assert [name for name in COMMANDS.split() if not listed[name]] == []


@pytest.mark.parametrize("command", COMMANDS.split())
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, err = kefu(capsys, command, "--help")
    assert (status, err) == (0, "")
    assert f"{command} [OPTIONS]" in out


def test_an_unknown_command_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = kefu(capsys, "reticulate")
    assert (status, out) == (2, "")
    assert "reticulate" in err


def test_it_starts_without_loading_what_only_some_commands_need(project: Path) -> None:
    heavy = ["airflow", "dlt", "great_expectations", "pandas", "pyarrow", "psycopg", "sqlalchemy", "dbt", "numpy"]
    code = f"import sys, kefu.cli; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project)
    assert loaded.stdout.strip() == "[]"


def test_the_installed_command_is_this_one() -> None:
    program = Path(sys.executable).with_name("kefu")
    done = subprocess.run([str(program), "check", "somewhere"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("kefu: There is no edge 'somewhere'.")


# --- how it complains ------------------------------------------------------------------------------------------------


def test_a_problem_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "extract", refuse)
    status, out, err = kefu(capsys, "extract", "zendesk")
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "kefu: The vendor hung up.",
        "  expected: an answer",
        "  where: desk.example",
        "  what to do: Try again.",
    ]


def test_an_interruption_says_that_nothing_half_done_is_visible(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "run", interrupt)
    status, _, err = kefu(capsys, "run")
    assert status == 130
    assert err.startswith("kefu: interrupted.")


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "run", stumble)
    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])


@pytest.mark.parametrize("command", ["run", "build"])
def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, _, err = kefu(capsys, command, "--as-of", "yesterday")
    assert status == 1
    assert "'yesterday' is no time." in err and "2026-03-31T16:00Z" in err and "--as-of" in err


@pytest.mark.parametrize("command", ["run", "extract", "build", "publish", "rollback", "status", "up", "down"])
def test_without_a_configuration_a_command_says_where_it_looked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    status, _, err = kefu(capsys, command)
    assert status == 1
    assert err.startswith("kefu: There is no configuration.")
    assert str(tmp_path / "kefu.toml") in err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_source_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kefu.toml").write_text("[sources.bank]\nkind = 'files'\n", encoding="utf-8")
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    for command in ("run", "extract"):
        status, _, err = kefu(capsys, command, "bnak")
        assert status == 1
        assert "There is no source called 'bnak'." in err and "bank" in err
    assert not (tmp_path / ".kefu").exists()


def test_with_no_source_enabled_there_is_nothing_to_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    for command in ("run", "extract"):
        status, _, err = kefu(capsys, command)
        assert status == 1
        assert "No source is enabled." in err and "kefu demo" in err
    assert not (tmp_path / ".kefu").exists()


def test_an_unknown_layer_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    status, _, err = kefu(capsys, "build", "canonical", "platinum")
    assert status == 1
    assert "There is no layer platinum." in err and "canonical, marts, kpis" in err
    assert not (tmp_path / ".kefu").exists()


# --- what it hands on ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-31T16:00Z", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        ("2026-03-31T16:00", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        ("2026-04-01T00:00+08:00", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        ("2026-03-31", datetime(2026, 3, 31, tzinfo=UTC)),
    ],
)
def test_an_as_of_time_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch, text: str, instant: datetime) -> None:
    run = create_autospec(pipeline.run)
    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(SystemExit):
        cli.main(["run", "zendesk", "asterisk", "--as-of", text, "--full"])
    run.assert_called_once_with(["zendesk", "asterisk"], as_of=instant, full=True)


def test_check_knows_its_two_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, published = create_autospec(pipeline.check_raw), create_autospec(pipeline.check_published)
    monkeypatch.setattr(pipeline, "check_raw", raw)
    monkeypatch.setattr(pipeline, "check_published", published)
    for arguments, calls in ((["raw", "zendesk"], (1, 0)), (["published"], (1, 1)), ([], (2, 2))):
        with pytest.raises(SystemExit):
            cli.main(["check", *arguments])
        assert (raw.call_count, published.call_count) == calls
    assert list(raw.call_args_list[0].args[0]) == ["zendesk"]
    assert list(raw.call_args_list[1].args[0]) == []


# --- errors ----------------------------------------------------------------------------------------------------------


def test_an_error_survives_the_way_between_processes() -> None:
    import pickle

    error = KefuError("It broke.", expected="a", found="b", where="c", do="d")
    back = pickle.loads(pickle.dumps(error))
    assert isinstance(back, errors.KefuError)
    assert (str(back), back.summary, back.do) == (str(error), "It broke.", "d")

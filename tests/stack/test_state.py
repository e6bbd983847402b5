"""What the stack remembers: ports, secrets, files that are never half there."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.stack import state


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    return load_settings(tmp_path / "kefu.toml", tmp_path / "home")


def test_a_secret_is_made_once_even_when_several_ask_at_the_same_time(home: Settings) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(state.generated(home, "superset_admin_password")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert state.generated(home, "another") != answers[0]
    assert len(answers[0]) >= 20
    assert answers[0].isalnum()


def test_a_damaged_secrets_file_is_reported_and_not_overwritten(home: Settings) -> None:
    state.folder(home)
    state.secrets_file(home).write_text('{"half": ')
    with pytest.raises(KefuError, match="damaged"):
        state.generated(home, "anything")
    assert state.secrets_file(home).read_text() == '{"half": '


def test_a_port_is_remembered_preferred_if_free_and_never_given_twice(home: Settings) -> None:
    wished = state.choose_port(home, "first")
    assert state.port(home, "first") == wished
    assert state.choose_port(home, "second", preferred=wished) != wished
    other = state.choose_port(home, "third")
    assert len({wished, other, state.port(home, "second")}) == 3


def test_a_taken_port_is_chosen_anew(home: Settings) -> None:
    before = state.port(home, "superset")
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        assert state.port(home, "superset") == before  # merely asking changes nothing
        assert state.choose_port(home, "superset") != before
    assert json.loads((home.home / "ports.json").read_text())["superset"] != before


def test_an_interrupted_write_leaves_the_old_file(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    path = state.folder(home) / "file"
    state.write_whole(path, "old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        state.write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in home.home.iterdir()] == ["file"]


def test_a_full_disk_and_a_forbidden_folder_are_clear_messages(home: Settings) -> None:
    with pytest.raises(KefuError, match="disk is full"), state.explained(home.home):
        raise OSError(28, "No space left on device", "/somewhere/file")
    with pytest.raises(KefuError, match="lacks a permission") as failure, state.explained(home.home):
        raise PermissionError(13, "Permission denied", "/somewhere/file")
    assert "/somewhere/file" in str(failure.value)

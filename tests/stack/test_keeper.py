"""Programs are kept up, started once, and ended: all of ours, none of anybody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.stack import keeper, processes, state
from kefu.stack.keeper import Program

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    settings = load_settings(tmp_path / "kefu.toml", tmp_path / "home with a space")
    yield settings
    keeper.stop(settings)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def running(settings: Settings, *names: str) -> Callable[[], bool]:
    return lambda: all(keeper.state_of(settings, name).word == "RUNNING" for name in names)


def test_a_program_is_started_once_and_started_again_when_it_dies(home: Settings) -> None:
    program = Program("sleeper", SLEEP)
    assert keeper.start(home, [program]) == ["sleeper"]
    until(running(home, "sleeper"))
    first = keeper.state_of(home, "sleeper").pid
    assert keeper.start(home, [program]) == []
    assert keeper.state_of(home, "sleeper").pid == first
    os.kill(first, signal.SIGKILL)
    until(lambda: keeper.state_of(home, "sleeper").pid not in (0, first))


def test_another_program_joins_without_disturbing_the_first(home: Settings) -> None:
    keeper.start(home, [Program("one", SLEEP)])
    until(running(home, "one"))
    first = keeper.state_of(home, "one").pid
    assert keeper.start(home, [Program("two", SLEEP)]) == ["two"]
    until(running(home, "one", "two"))
    assert keeper.state_of(home, "one").pid == first


def test_a_changed_description_restarts_the_program(home: Settings) -> None:
    speaking = "import os, time; print(os.environ['WORD'], flush=True); time.sleep(600)"

    def program(word: str) -> Program:
        return Program("speaker", (sys.executable, "-c", speaking), {"WORD": word})

    log = state.log_file(home, "speaker")
    keeper.start(home, [program("100% one")])
    until(lambda: log.exists() and "100% one" in log.read_text())
    assert keeper.start(home, [program("two")]) == ["speaker"]
    until(lambda: "two" in log.read_text())


def test_another_secret_in_the_environment_restarts_everything(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__ZENDESK__API_TOKEN", "first-token")
    keeper.start(home, [Program("sleeper", SLEEP)])
    until(running(home, "sleeper"))
    first = keeper.state_of(home, "sleeper").pid
    monkeypatch.setenv("SOURCES__ZENDESK__API_TOKEN", "second-token")
    assert keeper.start(home, [Program("sleeper", SLEEP)]) == ["sleeper"]
    until(lambda: keeper.state_of(home, "sleeper").pid not in (0, first))
    second = keeper.state_of(home, "sleeper").pid
    # Between its fork and its start a program still has the keeper's own environment.
    until(lambda: processes.environment(second).get("SOURCES__ZENDESK__API_TOKEN") == "second-token")
    written = [path.read_bytes() for path in home.home.rglob("*") if path.is_file()]
    assert not any(b"-token" in content for content in written)


def test_a_program_that_gives_up_is_reported_with_the_end_of_its_log(home: Settings) -> None:
    keeper.start(home, [Program("broken", (sys.executable, "-c", "raise SystemExit('there is no bread')"))])
    until(lambda: keeper.state_of(home, "broken").word == "FATAL")
    with pytest.raises(KefuError, match="there is no bread"):
        keeper.ensure_running(home, "broken")


@pytest.mark.parametrize("lives", [0.0, 3.2], ids=["dies at once", "dies when it was up"])
def test_a_program_that_keeps_dying_can_be_started_at_any_moment(home: Settings, lives: float) -> None:
    program = Program("mortal", (sys.executable, "-c", f"import time; time.sleep({lives})"))
    seen, deadline = set(), time.monotonic() + 6
    keeper.start(home, [program])
    while time.monotonic() < deadline:
        seen.add(keeper.state_of(home, "mortal").word)
        keeper.start(home, [program])
    assert seen & ({"BACKOFF"} if lives == 0 else {"RUNNING"})
    keeper.start(home, [Program("mortal", SLEEP)])
    until(running(home, "mortal"))


def test_a_program_that_cannot_be_started_is_one_clear_message(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper.start(home, [Program("sleeper", SLEEP)])
    monkeypatch.setattr(sys, "executable", str(home.home / "no_python"))  # what runs every program
    with pytest.raises(KefuError, match=r"other cannot be started\.(.|\n)*no_python"):
        keeper.start(home, [Program("other", SLEEP)])


def test_secrets_are_neither_in_the_process_list_nor_readable_by_others(home: Settings) -> None:
    keeper.start(home, [Program("sleeper", SLEEP, {"PASSWORD": "hidden-word"})])
    until(running(home, "sleeper"))
    daemon = keeper.daemon_pid(home)
    assert daemon is not None
    for pid in (daemon, keeper.state_of(home, "sleeper").pid):
        assert "hidden-word" not in " ".join(processes.command(pid))
    for name in ("supervisord.conf", "sleeper.json"):
        assert (home.home / "run" / name).stat().st_mode & 0o077 == 0
    assert json.loads((home.home / "run" / "sleeper.json").read_text())["environment"]["PASSWORD"] == "hidden-word"


def test_the_keeper_lets_nobody_in_without_its_password(home: Settings) -> None:
    import xmlrpc.client

    keeper.start(home, [Program("sleeper", SLEEP)])
    port = state.remembered_port(home, keeper.DAEMON)
    with pytest.raises(xmlrpc.client.ProtocolError, match="401"):
        xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}/RPC2").supervisor.getState()


def test_stopping_ends_children_that_left_the_group_and_nobody_else(home: Settings) -> None:
    escaping = "import subprocess, time; subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(600)"
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        keeper.start(home, [Program("parent", (sys.executable, "-c", escaping))])
        until(lambda: sum("sleep" in processes.command(pid) for pid in keeper.leftovers(home)) == 1)
        assert "parent" in keeper.stop(home)
        assert keeper.leftovers(home) == {}
        assert keeper.states(home) == {}
        assert stranger.poll() is None
        stranger.kill()


def test_what_a_killed_keeper_left_behind_is_ended_before_it_starts_anew(home: Settings) -> None:
    keeper.start(home, [Program("sleeper", SLEEP)])
    until(running(home, "sleeper"))
    orphan, daemon = keeper.state_of(home, "sleeper").pid, keeper.daemon_pid(home)
    assert daemon is not None
    started = processes.started_at(orphan)
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not processes.is_alive(daemon))
    assert keeper.states(home) == {}
    assert keeper.start(home, [Program("sleeper", SLEEP)]) == ["sleeper"]
    assert not processes.is_alive(orphan, started)
    until(running(home, "sleeper"))


def test_somebody_else_with_the_old_id_of_the_keeper_is_not_ended(home: Settings) -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        run = state.folder(home, "run")
        (run / "supervisord.pid").write_text(str(stranger.pid))
        assert keeper.daemon_pid(home) is None
        keeper.stop(home)
        assert stranger.poll() is None
        stranger.kill()


def test_stopping_what_was_never_started_leaves_no_trace(home: Settings) -> None:
    assert keeper.stop(home) == []
    assert not home.home.exists()


def test_all_programs_are_stopped_at_the_same_time(home: Settings) -> None:
    stubborn = """if True:
        import signal, time
        say = lambda word: print(word, time.monotonic(), flush=True)
        signal.signal(signal.SIGTERM, lambda *_: (say("asked"), time.sleep(2), say("gone"), exit()))
        time.sleep(600)
    """
    names = [f"stubborn{number}" for number in range(4)]
    keeper.start(home, [Program(name, (sys.executable, "-c", stubborn)) for name in names])
    until(running(home, *names))
    keeper.stop(home)
    told = [dict(line.split() for line in state.log_file(home, name).read_text().splitlines()) for name in names]
    assert max(float(one["asked"]) for one in told) < min(float(one["gone"]) for one in told)

"""The stack for real: Postgres, Airflow and Superset come up, are kept up, are said to be up, and go away."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kefu.settings import Settings, load_settings
from kefu.stack import airflow, demo, keeper, postgres, processes, state, status, superset, web

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def new_settings(folder: Path) -> Settings:
    (folder / "kefu.toml").write_text("", encoding="utf-8")
    return load_settings(folder / "kefu.toml", folder / "home")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = new_settings(tmp_path_factory.mktemp("stack"))
    try:
        demo.up(settings)
        yield settings
    finally:
        demo.down(settings)


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)


def pids(settings: Settings) -> dict[str, int]:
    return {name: one.pid for name, one in keeper.states(settings).items()}


def test_every_part_says_it_is_healthy(stack: Settings) -> None:
    assert {part.name: part.word for part in status.parts(stack)} == {
        "Postgres": "up",
        "airflow-api-server": "up",
        "airflow-scheduler": "up",
        "airflow-dag-processor": "up",
        "superset": "up",
    }


def test_only_the_generated_passwords_let_in(stack: Settings) -> None:
    assert set(airflow.Api(stack).dags()) == {"build_warehouse", "refresh_dashboards"}
    for user in superset.USERS:
        body = {"username": user, "password": superset.password(stack, user), "provider": "db"}
        assert web.call("POST", f"{superset.url(stack)}/api/v1/security/login", body=body)["access_token"]
    for wrong in ("admin", "", airflow.password(stack)[:-1]):
        for url, body in (
            (f"{airflow.url(stack)}/auth/token", {"username": "admin", "password": wrong}),
            (
                f"{superset.url(stack)}/api/v1/security/login",
                {"username": "admin", "password": wrong, "provider": "db"},
            ),
        ):
            with pytest.raises(Exception, match="refused"):
                web.call("POST", url, body=body)


def test_everything_listens_on_this_machine_only(stack: Settings) -> None:
    ours = {f"{int(port):04X}" for port in _ports(stack)}
    listening = {
        fields[1].split(":")[0]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[1].split(":")[1] in ours
    }
    assert listening == {"0100007F"}


def _ports(settings: Settings) -> list[int]:
    return list(state.read_json(settings.home / "ports.json").values())


def test_a_second_start_reuses_everything(stack: Settings) -> None:
    before, ports = pids(stack), _ports(stack)
    demo.up(stack)
    assert pids(stack) == before
    assert _ports(stack) == ports


def test_a_dag_paused_by_hand_stays_paused(stack: Settings) -> None:
    api = airflow.Api(stack)
    assert set(api.dags().values()) == {False}
    api("PATCH", "dags/refresh_dashboards", {"is_paused": True})
    demo.up(stack)
    assert api.dags() == {"build_warehouse": False, "refresh_dashboards": True}


def test_a_killed_part_comes_back_and_a_killed_postgres_with_the_next_start(stack: Settings) -> None:
    before = keeper.state_of(stack, "airflow-scheduler").pid
    os.kill(before, signal.SIGKILL)
    until(lambda: keeper.state_of(stack, "airflow-scheduler").pid not in (0, before))
    main = postgres.postmaster(stack)
    assert main is not None
    os.kill(main, signal.SIGKILL)
    until(lambda: not postgres.running(stack))
    demo.up(stack)
    until(lambda: {part.word for part in status.parts(stack)} == {"up"})


def test_no_secret_is_in_a_log_or_in_the_process_list(stack: Settings) -> None:
    secrets = [value for value in state.read_json(state.secrets_file(stack)).values() if len(value) > 12]
    assert len(secrets) > 10
    logs = "\n".join(path.read_text(errors="replace") for path in (stack.home / "logs").rglob("*.log"))
    commands = "\n".join(" ".join(processes.command(pid)) for pid in processes.all_pids())
    for place, text in (("log", logs), ("process list", commands)):
        assert [secret for secret in secrets if secret in text] == [], place


def test_interrupted_half_way_it_can_be_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    settings = new_settings(tmp_path)
    code = "from kefu.settings import load_settings; from kefu.stack import demo; demo.up(load_settings())"
    environment = {**os.environ, "KEFU_CONFIG": str(settings.config), "KEFU_HOME": str(settings.home)}
    # Where the tests run in the background, what they start would ignore the interrupt.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, preexec_fn=heed) as starting:
        until(lambda: (settings.home / "logs" / "airflow-prepare.log").exists())
        time.sleep(1)
        starting.send_signal(signal.SIGINT)
        assert starting.wait(30) != 0
    demo.down(settings)
    assert keeper.leftovers(settings) == {}
    assert postgres.running(settings) is False
    assert all(state.is_free(port) for port in _ports(settings))


def test_stopping_leaves_no_process_and_frees_every_port(stack: Settings) -> None:
    daemon = keeper.daemon_pid(stack)
    assert daemon is not None
    demo.down(stack)
    assert keeper.leftovers(stack) == {}
    assert keeper.daemon_pid(stack) is None
    assert postgres.running(stack) is False
    assert all(state.is_free(port) for port in _ports(stack))
    assert {part.word for part in status.parts(stack)} == {"down"}

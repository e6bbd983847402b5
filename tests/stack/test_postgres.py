"""The embedded Postgres: ours and nobody else's, from either supplier, as root or not, and back after a kill -9."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.stack import binaries, postgres, processes, state

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
pytestmark = pytest.mark.postgres

NewHome = Callable[[], Settings]


@pytest.fixture
def new_home() -> Iterator[NewHome]:
    """Settings of a fresh KEFU_HOME that other accounts can reach; its server is stopped at the end."""
    made: list[Settings] = []

    def make() -> Settings:
        folder = Path(tempfile.mkdtemp(prefix="kefu-"))
        folder.chmod(0o755)
        (folder / "kefu.toml").write_text("", encoding="utf-8")
        made.append(load_settings(folder / "kefu.toml", folder / "home"))
        return made[-1]

    yield make
    for settings in made:
        postgres.stop(settings)
        shutil.rmtree(settings.config.parent, ignore_errors=True)


def ask(server: postgres.Server, query: str, password: str | None = None) -> str:
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user="postgres",
        dbname="postgres",
        password=password or server.admin_password,
    ) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("supplier", ["machine", "wheel"])
def test_either_supplier_starts_keeps_its_data_and_stops(
    supplier: str, new_home: NewHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    if supplier == "machine" and not binaries.on_this_machine():
        pytest.skip("needs a PostgreSQL server of the machine's own")
    monkeypatch.setenv("KEFU_POSTGRES", supplier)
    settings = new_home()
    server = postgres.start(settings)
    assert f"PostgreSQL {binaries.choose().major}." in ask(server, "select version()")
    assert ask(server, "show data_directory") == str(server.data)
    assert ask(server, "show server_encoding") == "UTF8"
    assert ask(server, "select upper('größe 客服')") == "GRÖSSE 客服".replace("SS", "ß")
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user="postgres",
        password=server.admin_password,
    ) as connection:
        connection.execute("create table kept as select 42 as answer")
    assert postgres.start(settings) == server
    assert postgres.stop(settings) is True
    assert postgres.status(settings) is None
    assert postgres.stop(settings) is False
    again = postgres.start(settings)
    assert again.port == server.port
    assert ask(again, "select answer from kept") == "42"


def test_a_warehouse_of_one_version_is_not_opened_with_another(
    new_home: NewHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_home()
    server = postgres.start(settings)
    postgres.stop(settings)
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(KefuError, match="made by PostgreSQL 9"):
        postgres.start(settings)


def test_only_the_password_and_only_loopback_lets_in(postgres: Settings) -> None:
    server = _running(postgres)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(server, "select 1", password="postgres")
    assert ask(server, "show listen_addresses") == "127.0.0.1"
    assert ask(server, "show unix_socket_directories") == ""
    assert (
        ask(
            server,
            "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'",
        )
        == "0"
    )


def test_the_generated_password_is_readable_by_the_owner_only_and_never_shown(
    postgres: Settings,
) -> None:
    server = _running(postgres)
    assert state.secrets_file(postgres).stat().st_mode & 0o777 == 0o600
    assert postgres.home.stat().st_mode & 0o077 == 0
    assert server.admin_password in state.secrets_file(postgres).read_text()
    assert server.admin_password not in repr(server)
    logs = (postgres.home / "logs" / "postgres.log").read_text()
    assert server.admin_password not in logs


def _running(settings: Settings) -> postgres.Server:
    server = postgres.status(settings)
    assert server is not None
    return server


def test_a_taken_port_is_left_to_whoever_has_it(new_home: NewHome) -> None:
    settings = new_home()
    first = postgres.start(settings)
    postgres.stop(settings)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", first.port))
        squatter.listen()
        second = postgres.start(settings)
        assert second.port != first.port
        assert ask(second, "select 1") == "1"


def test_a_foreign_server_on_our_port_is_found_out(new_home: NewHome) -> None:
    ours, theirs = new_home(), new_home()
    foreign = postgres.start(theirs)
    postgres.start(ours)
    # As if the other server had the same password and had taken our port.
    state.write_whole(ours.home / "ports.json", f'{{"postgres": {foreign.port}}}')
    state.secrets_file(ours).write_text(state.secrets_file(theirs).read_text())
    with pytest.raises(KefuError, match="Another Postgres answers"):
        postgres.start(ours)


def test_after_kill_9_it_comes_back_at_once_with_everything_committed(
    new_home: NewHome,
) -> None:
    settings = new_home()
    server = postgres.start(settings)
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user="postgres",
        password=server.admin_password,
    ) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as number")

    def run_for_ever() -> None:
        with pytest.raises(psycopg.OperationalError):
            ask(server, "select count(*) from generate_series(1, 4000000000)")

    query = threading.Thread(target=run_for_ever)
    query.start()
    while (
        ask(
            server,
            "select count(*) from pg_stat_activity where query like '%4000000000%'",
        )
        != "2"
    ):
        time.sleep(0.05)
    main = postgres.postmaster(settings)
    assert main is not None
    os.kill(main, signal.SIGKILL)
    again = postgres.start(settings)
    query.join(timeout=30)
    assert not query.is_alive()
    assert ask(again, "select count(*) from kept") == "1000"


def test_an_interrupted_creation_is_begun_anew(new_home: NewHome) -> None:
    settings = new_home()
    unfinished = settings.home / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("15\n")
    assert ask(postgres.start(settings), "select 1") == "1"
    assert not unfinished.exists()


def test_somebody_else_with_the_old_id_of_our_server_is_not_ended(
    new_home: NewHome,
) -> None:
    settings = new_home()
    server = postgres.start(settings)
    postgres.stop(settings)
    with subprocess.Popen(["sleep", "60"], cwd="/") as stranger:
        (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n1\n{server.port}\n")
        assert postgres.running(settings) is False
        postgres.stop(settings)
        assert stranger.poll() is None
        assert ask(postgres.start(settings), "select 1") == "1"
        assert stranger.poll() is None
        stranger.terminate()


def test_several_who_start_at_once_get_the_one_server(new_home: NewHome) -> None:
    settings = new_home()
    servers: list[postgres.Server] = []
    threads = [threading.Thread(target=lambda: servers.append(postgres.start(settings))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(servers) == 3
    assert len(set(servers)) == 1


@as_root
def test_without_user_namespaces_root_runs_it_as_nobody(new_home: NewHome, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = new_home()
    postgres.start(settings)  # first as usual: the folder changes hands
    postgres.stop(settings)
    monkeypatch.setattr(postgres, "_namespaces_allowed", lambda: False)
    server = postgres.start(settings)
    assert ask(server, "select 1") == "1"
    main = postgres.postmaster(settings)
    assert main is not None
    assert Path(f"/proc/{main}").stat().st_uid == postgres.NOBODY
    assert postgres.stop(settings) is True
    monkeypatch.undo()
    assert ask(postgres.start(settings), "select 1") == "1"  # and back


@as_root
def test_a_closed_folder_on_the_way_is_named_when_it_runs_as_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    (tmp_path / "closed").mkdir(mode=0o700)
    monkeypatch.setattr(postgres, "_namespaces_allowed", lambda: False)
    with pytest.raises(KefuError, match="closed"):
        postgres.start(load_settings(tmp_path / "kefu.toml", tmp_path / "closed" / "home"))


def test_an_ordinary_user_runs_it_directly(new_home: NewHome) -> None:
    settings = new_home()
    code = "server = postgres.start(settings); print(postgres.account(), postgres.start(settings) == server)"
    # Root becomes somebody else in a user namespace: there Kefu sees an ordinary user.
    done = _elsewhere(postgres.NAMESPACE if os.geteuid() == 0 else (), settings, code)
    if "unshare" in done.stderr:
        pytest.skip(f"may not become another user here: {done.stderr.strip()}")
    assert done.stdout == "this user True\n", done.stderr


@as_root
def test_a_folder_one_may_not_write_is_one_clear_message(new_home: NewHome) -> None:
    settings = new_home()
    if _elsewhere(postgres.AS_NOBODY, settings, "").returncode:
        pytest.skip("nobody may not run this Python")
    done = _elsewhere(postgres.AS_NOBODY, settings, "postgres.start(settings)")
    assert "KefuError: Kefu lacks a permission." in done.stderr


def _elsewhere(prefix: tuple[str, ...], settings: Settings, code: str) -> subprocess.CompletedProcess[str]:
    prelude = (
        "from pathlib import Path; from kefu.settings import load_settings; from kefu.stack import postgres;"
        f"settings = load_settings(Path({str(settings.config)!r}), Path({str(settings.home)!r}));"
    )
    return subprocess.run(
        [*prefix, sys.executable, "-c", prelude + code],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=120,
    )


@as_root
def test_a_full_disk_is_one_clear_message_and_later_it_continues(
    new_home: NewHome,
) -> None:
    settings = new_home()
    settings.home.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m,mode=0755", "tmpfs", settings.home],
        check=False,
        capture_output=True,
        text=True,
    )
    if mount.returncode:
        pytest.skip(f"may not mount a small disk here: {mount.stderr.strip()}")
    try:
        with pytest.raises(KefuError, match="disk is full"):
            postgres.start(settings)
        subprocess.run(["mount", "-o", "remount,size=400m", settings.home], check=True)
        assert ask(postgres.start(settings), "select 1") == "1"
        postgres.stop(settings)
    finally:
        subprocess.run(["umount", settings.home], check=True)


def test_a_wrong_choice_of_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEFU_POSTGRES", "docker")
    with pytest.raises(KefuError, match="machine, wheel"):
        binaries.choose()


def test_a_dead_process_not_yet_collected_counts_as_gone() -> None:
    with subprocess.Popen(["true"]) as zombie:
        deadline = time.monotonic() + 10
        while processes.is_alive(zombie.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert Path(f"/proc/{zombie.pid}").exists()
        assert not processes.is_alive(zombie.pid)


def test_ending_leaves_a_process_alone_that_only_shares_the_id() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        started = processes.started_at(stranger.pid)
        assert started is not None
        processes.end({stranger.pid: started - 1}, patience=0.1)
        assert stranger.poll() is None
        processes.end({stranger.pid: started}, patience=5)
        assert stranger.wait(5) == -signal.SIGTERM

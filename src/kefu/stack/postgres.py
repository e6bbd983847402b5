"""The embedded PostgreSQL server: own data folder, own port, password only, loopback only, as root or not.

PostgreSQL refuses to run as root. As root we run it in a user namespace, where we are somebody else: no account
is made and nothing changes owner. Where namespaces are forbidden (some containers) it runs as ``nobody``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.stack import processes, state
from kefu.stack.binaries import Binaries, choose

ADMIN = "postgres"
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
NOBODY = 65534
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--",
)
START_SECONDS = 120  # crash recovery of a large warehouse takes its time
STOP_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running server and how its administrator gets in."""

    host: str
    port: int
    admin_password: str = field(repr=False)
    data: Path


def data_folder(settings: Settings) -> Path:
    """Where the server keeps everything."""
    return settings.home / "postgres" / "data"


def start(settings: Settings) -> Server:
    """Start the server, creating it the first time; returns at once if it runs already.

    Raises KefuError: no server programs, disk full, no permission, a port that will not open.
    """
    with state.locked(settings, "postgres"):
        for _ in range(3):  # a server that is just dying looks alive for a moment
            if not running(settings):
                _launch(settings)
            try:
                return _proven(settings)
            except ConnectionResetError as error:
                said = str(error)
        raise _start_failed(settings, said)


def stop(settings: Settings) -> bool:
    """Stop the server, letting running transactions roll back. Returns whether there was one to stop."""
    if not data_folder(settings).exists():
        return False
    with state.locked(settings, "postgres"):
        was_running = running(settings)
        pid = postmaster(settings)
        if pid is not None:
            started = processes.started_at(pid)
            os.kill(pid, signal.SIGINT)  # "fast": roll back, disconnect, write a checkpoint, end
            deadline = time.monotonic() + STOP_SECONDS
            while processes.is_alive(pid, started) and time.monotonic() < deadline:
                time.sleep(0.05)
        _clear_away(data_folder(settings))
        return was_running


def running(settings: Settings) -> bool:
    """Whether our own server runs (it may still be starting)."""
    return postmaster(settings) is not None


def postmaster(settings: Settings) -> int | None:
    """The id of the server's main process. Another process that has the id by now is recognised by its command."""
    data = data_folder(settings)
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    command = processes.command(pid)
    of_ours = command[1:2] == ["-D"] and os.path.realpath(command[2]) == os.path.realpath(data)
    return pid if of_ours and Path(command[0]).name == "postgres" else None


def status(settings: Settings) -> Server | None:
    """The running server, or None. Reads files only; does not connect."""
    if not running(settings):
        return None
    return _server(settings)


def admin_password(settings: Settings) -> str:
    """The generated password of the server's superuser."""
    return state.generated(settings, "postgres_admin_password")


def account() -> str:
    """As whom the server runs here, in words. Starts nothing."""
    if os.geteuid() != 0:
        return "this user"
    if _namespaces_allowed():
        return "somebody else in a user namespace"
    return "nobody" if shutil.which("setpriv") else "root, which it refuses"


def _server(settings: Settings) -> Server:
    port = state.remembered_port(settings, "postgres")
    if port is None:
        lines = (data_folder(settings) / "postmaster.pid").read_text().split("\n")
        port = int(lines[3])
    return Server(state.LOOPBACK, port, admin_password(settings), data_folder(settings))


def _proven(settings: Settings) -> Server:
    """The running server, after it has shown that its data folder is ours: on a shared machine another server
    may have taken the port, and with trust authentication it would answer happily.

    Raises ConnectionResetError if it ends meanwhile.
    """
    import psycopg

    server = _server(settings)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(
                host=server.host,
                port=server.port,
                user=ADMIN,
                password=server.admin_password,
                dbname="postgres",
                connect_timeout=10,
            ) as connection:
                row = connection.execute("show data_directory").fetchone()
            break
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise KefuError(
                    "The embedded Postgres refuses its own administrator's password.",
                    where=f"{state.secrets_file(settings)} does not belong to {server.data}",
                    do="Restore the secrets.json that was made with this warehouse.",
                ) from error
            if not running(settings):
                raise ConnectionResetError(str(error)) from error
            if time.monotonic() > deadline:
                raise _start_failed(settings, str(error)) from error
            time.sleep(0.1)
    found = Path(row[0]) if row else Path()
    if os.path.realpath(found) != os.path.realpath(server.data):
        raise KefuError(
            "Another Postgres answers on the port of the warehouse.",
            expected=f"the server of {server.data}",
            found=f"the server of {found}",
            where=f"{server.host}:{server.port}",
            do="Run `kefu down`, then start again: another port will be chosen.",
        )
    return server


def _launch(settings: Settings) -> None:
    data = data_folder(settings)
    state.folder(settings, "postgres")
    version = data / "PG_VERSION"
    binaries = choose(int(version.read_text().split(".")[0]) if version.exists() else None)
    run_as = _run_as(settings)
    if not version.exists():
        _create(settings, binaries, run_as)
    _clear_away(data)
    _start(settings, binaries, run_as)


def _create(settings: Settings, binaries: Binaries, run_as: tuple[str, ...]) -> None:
    """Make the data folder. Made beside its place and moved there whole, so that an interruption leaves none."""
    parent = state.folder(settings, "postgres")
    unfinished = parent / "data.unfinished"
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"]
        if binaries.major >= 17
        else ["--locale=C.UTF-8"]
    )
    with state.explained(parent):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=parent, prefix="admin.", suffix=".password") as secret:
            secret.write(admin_password(settings) + "\n")
            secret.flush()
            if run_as == AS_NOBODY:
                os.chown(unfinished, NOBODY, NOBODY)
                os.chown(secret.name, NOBODY, NOBODY)
            options = ["-D", str(unfinished), "-U", ADMIN, "--encoding=UTF8", *locale, "--lc-messages=C"]
            secured = ["--auth=scram-sha-256", f"--pwfile={secret.name}"]
            made = _run([*run_as, binaries.program("initdb"), *options, *secured, "--no-instructions"])
        if made.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            output = made.stdout
            if "No space left on device" in output:
                raise state.disk_full(str(parent))
            raise KefuError(
                "The embedded Postgres could not be created.",
                found=_last_lines(output),
                where=str(parent),
                do="Run `kefu doctor`, correct what it names, then run the same command again.",
            )
        unfinished.rename(data_folder(settings))


def _start(settings: Settings, binaries: Binaries, run_as: tuple[str, ...]) -> None:
    data, log = data_folder(settings), state.log_file(settings, "postgres")
    with state.explained(log):
        log.touch()
        if run_as:
            owner = NOBODY if run_as == AS_NOBODY else 0
            os.chown(log, owner, owner)
    deadline = time.monotonic() + START_SECONDS
    while True:
        port = state.choose_port(settings, "postgres")
        with state.explained(data):
            _configure(data, port, binaries)
        size = log.stat().st_size
        started = _run(
            [
                *run_as,
                binaries.program("pg_ctl"),
                "start",
                "-D",
                str(data),
                "-l",
                str(log),
                "-w",
                "-t",
                str(START_SECONDS),
            ]
        )
        if started.returncode == 0:
            return
        with log.open(encoding="utf-8", errors="replace") as file:
            file.seek(size)
            said = file.read() + started.stdout
        # The port was taken a moment ago, or what a kill -9 left behind still holds the memory: both pass.
        passing = "could not bind" in said or "pre-existing shared memory block" in said
        if not passing or time.monotonic() > deadline:
            raise _start_failed(settings, said)
        _clear_away(data)
        time.sleep(0.3)


def _configure(data: Path, port: int, binaries: Binaries) -> None:
    """Write our settings over PostgreSQL's defaults; measured on two cores with 100,000 tickets."""
    megabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    options: dict[str, object] = {
        "listen_addresses": f"'{state.LOOPBACK}'",
        "port": port,
        "unix_socket_directories": "''",  # a path under KEFU_HOME may be longer than a socket's may be
        "max_connections": 200,
        "shared_buffers": f"{min(512, max(128, megabytes // 8))}MB",
        "work_mem": f"{min(128, max(32, megabytes // 128))}MB",  # a wide sum of a day and team is a kilobyte
        "maintenance_work_mem": "128MB",
        "random_page_cost": 1.1,  # no disk turns here: what is in order by an index need not be sorted
        "max_wal_size": "4GB",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "jit": "off",  # compiling costs more than our short queries
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] %u@%d '",
    }
    if binaries.has_library("pg_stat_statements"):
        options["shared_preload_libraries"] = "'pg_stat_statements'"
    # Containers often give 64 MB of shared memory, too little to hash in parallel.
    shared = Path("/dev/shm")  # noqa: S108  nothing is written there by name
    if not shared.is_dir() or shutil.disk_usage(shared).free < 2**30:
        options["dynamic_shared_memory_type"] = "mmap"
    _replace(
        data / "kefu.conf",
        "".join(f"{name} = {value}\n" for name, value in options.items()),
    )
    main = data / "postgresql.conf"
    include = "include = 'kefu.conf'\n"
    text = main.read_text(encoding="utf-8")
    if include not in text:
        _replace(main, f"{text}\n{include}")


def _replace(path: Path, text: str) -> None:
    state.write_whole(path, text)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def _run_as(settings: Settings) -> tuple[str, ...]:
    """What to put before a PostgreSQL command so that it does not run as root; sees to the folders' owner."""
    parent = settings.home / "postgres"
    if os.geteuid() != 0:
        return ()
    if _namespaces_allowed():
        with state.explained(parent):
            _give(parent, 0)
        return NAMESPACE
    if shutil.which("setpriv") is None:
        raise KefuError(
            "PostgreSQL does not run as root, and this machine offers no way to run it as somebody else.",
            expected="user namespaces (unshare --user) or the program setpriv",
            do="Run Kefu as an ordinary user.",
        )
    with state.explained(parent):
        for one in (settings.home, settings.home / "logs"):
            one.mkdir(exist_ok=True)
            one.chmod(one.stat().st_mode | 0o011)
        _give(parent, NOBODY)
    closed = [one for one in settings.home.parents if not one.stat().st_mode & 0o001]
    if closed:
        raise KefuError(
            "PostgreSQL runs as nobody here, who may not pass a folder on the way to its data.",
            where=", ".join(str(one) for one in closed),
            do="Set KEFU_HOME to a folder that can be reached (/var/lib/kefu, say), or run Kefu as an ordinary user.",
        )
    return AS_NOBODY


def _namespaces_allowed() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _give(parent: Path, owner: int) -> None:
    """Hand the server's folder to the account it runs as (it may have run as another one before)."""
    if not parent.exists() or (parent.stat().st_uid == owner and _data_owner(parent) in (None, owner)):
        return
    os.chown(parent, owner, owner)
    for path in parent.rglob("*"):
        os.chown(path, owner, owner, follow_symlinks=False)


def _data_owner(parent: Path) -> int | None:
    data = parent / "data"
    return data.stat().st_uid if data.exists() else None


def _clear_away(data: Path) -> None:
    """Clear away what a killed server left behind: its children hold the shared memory as long as a query runs,
    and PostgreSQL takes whatever has the old process id by now, be it a zombie, for the server."""
    where = Path(os.path.realpath(data))
    orphans = {}
    for pid in processes.all_pids():
        if processes.working_folder(pid) == where:
            started = processes.started_at(pid)
            if started is not None and _is_postgres(pid):
                orphans[pid] = started
    processes.end(orphans, patience=5.0)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.startswith(("postgres", "postmaster"))
    except OSError:
        return False


def _start_failed(settings: Settings, said: str) -> KefuError:
    if "No space left on device" in said:
        return state.disk_full(str(data_folder(settings)))
    return KefuError(
        "The embedded Postgres does not start.",
        found=_last_lines(said),
        where=str(state.log_file(settings, "postgres")),
        do="Read the log; after correcting the cause run the same command again.",
    )


def _last_lines(text: str, count: int = 5) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "(it said nothing)"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Output goes to a file, not a pipe: the server keeps what it inherits open, and we would wait for ever.
    # Nor may it take over a caller's PG* variables, or the mark by which the other programs are ended.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "KEFU_"))}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**environment, "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
        )
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, output.read(), "")

"""Keeps the stack's programs running: one supervisord for a KEFU_HOME, spoken to over loopback with a password."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults

from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.stack import processes, state

MARK = "KEFU_STACK"  # in the environment of everything the stack starts: whose it is
USER = "kefu"
DAEMON = "supervisord"
WAIT_SECONDS = 30
INHERITED = re.compile(r"SOURCES__|SUPERSET_|KEFU_\w+_PASSWORD$|\w+_proxy$", re.IGNORECASE)


@dataclass(frozen=True)
class Program:
    """A program to keep running."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class State:
    """How supervisord sees a program: ``RUNNING``, ``STOPPED``, ``FATAL``, ... and since when."""

    name: str
    word: str
    pid: int
    seconds: int

    @property
    def is_up(self) -> bool:
        """Whether it runs or is on its way."""
        return self.word in ("RUNNING", "STARTING")


def start(settings: Settings, programs: Iterable[Program]) -> list[str]:
    """Start the programs that do not run; restart those whose description changed. Returns the names started.

    Does not wait for them to be of use. Raises KefuError if supervisord does not start.
    """
    programs = list(programs)
    with state.locked(settings, "programs"):
        _daemon(settings, [program.name for program in programs])
        server, started = _server(settings), []
        for program in programs:
            changed = _describe(settings, program)
            if changed or not state_of(settings, program.name).is_up:
                try:
                    _start_anew(server, program.name)
                except xmlrpc.client.Fault as fault:
                    log = state.log_file(settings, DAEMON)
                    raise KefuError(
                        f"{program.name} cannot be started.",
                        found=f"supervisord answers {fault.faultString}; its log ends:\n{indented(tail(log, 5))}",
                        where=str(log),
                        do="Correct what it names, then run the same command again: it continues where it stopped.",
                    ) from None
                started.append(program.name)
    return started


def states(settings: Settings) -> dict[str, State]:
    """The programs supervisord knows, by name; empty if it does not run."""
    if daemon_pid(settings) is None:
        return {}
    try:
        answer: Any = _server(settings).supervisor.getAllProcessInfo()
    except (OSError, xmlrpc.client.Error):
        return {}
    return {
        one["name"]: State(one["name"], one["statename"], one["pid"], max(0, one["now"] - one["start"]))
        for one in answer
    }


def state_of(settings: Settings, name: str) -> State:
    """How one program is; ``STOPPED`` if nobody keeps it."""
    return states(settings).get(name, State(name, "STOPPED", 0, 0))


def stop(settings: Settings) -> list[str]:
    """Stop all programs, then supervisord, then whatever of the stack is left over. Returns what was stopped."""
    if not settings.home.exists():
        return []
    with state.locked(settings, "programs"):
        stopped = [one.name for one in states(settings).values() if one.is_up]
        _stop_daemon(settings)
        left = leftovers(settings)
        processes.end(left)
        _pid_file(settings).unlink(missing_ok=True)
        return stopped + [f"process {pid}" for pid in left]


def leftovers(settings: Settings) -> dict[int, int]:
    """Processes of this stack, id -> start time: they carry its mark. A killed supervisord leaves such behind."""
    home, found = str(settings.home), {}
    for pid in processes.all_pids():
        if pid != os.getpid() and processes.environment(pid).get(MARK) == home:
            started = processes.started_at(pid)
            if started is not None:
                found[pid] = started
    return found


def daemon_pid(settings: Settings) -> int | None:
    """The process id of our supervisord, proven by its command line; None if it does not run."""
    try:
        pid = int(_pid_file(settings).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if str(_configuration(settings)) in processes.command(pid) else None


def ensure_running(settings: Settings, name: str) -> None:
    """KefuError with the end of its log if the program gave up."""
    now = state_of(settings, name)
    if now.word not in ("FATAL", "EXITED", "STOPPED", "UNKNOWN"):
        return
    log = state.log_file(settings, name)
    if now.word == "STOPPED":
        raise KefuError(f"{name} was stopped meanwhile.", do="Run the same command again to go on.")
    raise KefuError(
        f"{name} does not stay up.",
        found=f"{now.word.lower()}; its log ends:\n{indented(tail(log))}",
        where=str(log),
        do="Correct what it names, then run the same command again: it continues where it stopped.",
    )


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(there is no log)"


def indented(text: str) -> str:
    """Text set off by four spaces, for the end of a message."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _daemon(settings: Settings, names: list[str]) -> None:
    """See to it that supervisord runs, with the environment we have now and knowing these programs."""
    print_of_now = _environment_print(settings)
    noted = settings.home / "run" / "environment.print"
    known = list(states(settings))
    names = sorted({*names, *known})
    if daemon_pid(settings) is not None:
        if noted.exists() and noted.read_text() == print_of_now:
            _introduce(settings, [name for name in names if name not in known], names)
            return
        _stop_daemon(settings)
    processes.end(leftovers(settings))
    port = state.choose_port(settings, DAEMON)
    log = state.log_file(settings, DAEMON)
    state.write_whole(_configuration(settings), _configured(settings, port, names))
    state.write_whole(noted, print_of_now)
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(_configuration(settings))],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, MARK: str(settings.home)},
        start_new_session=True,
        timeout=60,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while done.returncode == 0 and time.monotonic() < deadline:
        try:
            _server(settings).supervisor.getState()
            return
        except (OSError, xmlrpc.client.Error):
            time.sleep(0.05)
    raise KefuError(
        "The keeper of the stack's programs (supervisord) does not start.",
        found=(done.stderr or done.stdout).strip() or tail(log, 5),
        where=str(log),
        do="Correct what it names, then run the same command again.",
    )


def _start_anew(server: xmlrpc.client.ServerProxy, name: str) -> None:
    """Stop the program if it runs or is about to, then start it, with all its attempts before it.

    Whether it runs cannot be asked first: supervisord takes up again by itself what has just died.
    """
    while True:
        with _unless(Faults.NOT_RUNNING):
            server.supervisor.stopProcess(name)
        with _unless(Faults.ALREADY_STARTED):  # supervisord was quicker, with the description of before perhaps
            server.supervisor.startProcess(name, False)
            return


@contextlib.contextmanager
def _unless(expected: int) -> Iterator[None]:
    """Let supervisord's answer pass over if it is the expected one."""
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != expected:
            raise


def _introduce(settings: Settings, new: list[str], names: list[str]) -> None:
    """Make programs known to the running supervisord; the others are not disturbed."""
    if not new:
        return
    port = state.port(settings, DAEMON)
    state.write_whole(_configuration(settings), _configured(settings, port, names))
    server = _server(settings)
    server.supervisor.reloadConfig()
    for name in new:
        server.supervisor.addProcessGroup(name)


def _stop_daemon(settings: Settings) -> None:
    pid = daemon_pid(settings)
    started = processes.started_at(pid) if pid else None
    if pid is None or started is None:
        return
    server = _server(settings)
    with contextlib.suppress(OSError, xmlrpc.client.Error):  # if it does not answer any more it is ended below
        # All at once: left to itself, supervisord waits for one program before it turns to the next.
        server.supervisor.stopAllProcesses(False)
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and any(one.pid for one in states(settings).values()):
            time.sleep(0.1)
        server.supervisor.shutdown()
    deadline = time.monotonic() + WAIT_SECONDS
    while processes.is_alive(pid, started) and time.monotonic() < deadline:
        time.sleep(0.1)
    processes.end({pid: started})


def _configured(settings: Settings, port: int, names: list[str]) -> str:
    secret = state.generated(settings, "supervisor_password")
    run = state.folder(settings, "run")

    def value(text: object) -> str:
        return str(text).replace("%", "%%")

    lines = [
        "[supervisord]",
        f"pidfile={value(_pid_file(settings))}",
        f"logfile={value(state.log_file(settings, DAEMON))}",
        "logfile_maxbytes=5MB",
        "logfile_backups=1",
        f"directory={value(settings.home)}",
        f"childlogdir={value(settings.home / 'logs')}",
        "minfds=256",
        "minprocs=64",
        "[inet_http_server]",
        f"port={state.LOOPBACK}:{port}",
        f"username={USER}",
        f"password={secret}",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    launcher = Path(__file__).with_name("launch.py")
    for name in names:
        command = shlex.join([sys.executable, "-I", str(launcher), str(run / f"{name}.json")])
        lines += [
            f"[program:{name}]",
            f"command={value(command)}",
            f"stdout_logfile={value(state.log_file(settings, name))}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=1",
            "redirect_stderr=true",
            "autostart=false",
            "autorestart=true",
            "startsecs=3",
            "startretries=2",
            "stopasgroup=true",
            "killasgroup=true",
            "stopwaitsecs=10",
        ]
    return "\n".join(lines) + "\n"


def _describe(settings: Settings, program: Program) -> bool:
    """Write what ``launch.py`` reads; whether it differs from before."""
    path = state.folder(settings, "run") / f"{program.name}.json"
    environment = {MARK: str(settings.home), "SPT_NOENV": "1", **program.environment}
    text = json.dumps(
        {"command": list(program.command), "environment": environment, "folder": str(settings.home)}, indent=1
    )
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    state.write_whole(path, text)
    return True


def _environment_print(settings: Settings) -> str:
    """A fingerprint of what the programs inherit from us and care for; keyed, so that it gives no secret away."""
    given = sorted(f"{name}={value}" for name, value in os.environ.items() if INHERITED.match(name))
    key = state.generated(settings, "environment_print_key").encode()
    return hashlib.blake2b("\0".join(given).encode(), key=key, digest_size=16).hexdigest()


def _server(settings: Settings) -> xmlrpc.client.ServerProxy:
    port = state.remembered_port(settings, DAEMON)
    secret = state.generated(settings, "supervisor_password")
    return xmlrpc.client.ServerProxy(f"http://{USER}:{secret}@{state.LOOPBACK}:{port}/RPC2")


def _pid_file(settings: Settings) -> Path:
    return settings.home / "run" / "supervisord.pid"


def _configuration(settings: Settings) -> Path:
    return settings.home / "run" / "supervisord.conf"

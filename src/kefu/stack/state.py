"""What the stack remembers under KEFU_HOME: folders, ports, generated secrets, and who is changing them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets as random
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kefu.errors import KefuError
from kefu.settings import Settings

LOOPBACK = "127.0.0.1"


def folder(settings: Settings, *parts: str) -> Path:
    """A folder under KEFU_HOME, created if need be (KEFU_HOME itself readable by its owner only)."""
    with explained(settings.home):
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = settings.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
    return path


def log_file(settings: Settings, program: str) -> Path:
    """Where a program of the stack writes what it has to say."""
    return folder(settings, "logs") / f"{program}.log"


@contextlib.contextmanager
def explained(where: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission and their kin into one clear KefuError."""
    try:
        yield
    except OSError as error:
        place = str(error.filename or where)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(place) from error
        if error.errno in (
            errno.EACCES,
            errno.EPERM,
            errno.EROFS,
            errno.ENOTDIR,
            errno.EEXIST,
        ):
            raise KefuError(
                "Kefu lacks a permission.",
                found=str(error.strerror),
                where=place,
                do="Give this user the rights there, or set KEFU_HOME to a folder of its own.",
            ) from error
        raise
    except Exception as error:
        if type(error).__name__ == "DiskFull":  # psycopg's, when it was Postgres who found no room
            raise disk_full(str(where)) from error
        raise


def disk_full(where: str) -> KefuError:
    """The error of a disk without room left."""
    return KefuError(
        "The disk is full.",
        where=where,
        do="Free some space, or set KEFU_HOME to a folder on another disk, then run the same command again.",
    )


@contextlib.contextmanager
def locked(settings: Settings, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of this KEFU_HOME; a second process waits. The system frees it if we die."""
    path = folder(settings, "run") / f"{name}.lock"
    with explained(path), path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_json(path: Path) -> dict[str, Any]:
    """The content of a small state file; empty if there is none. KefuError if it is damaged."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise KefuError(
            "A state file is damaged.",
            expected="a JSON object",
            where=str(path),
            do="Restore it from a backup. Without one: set KEFU_HOME to a new folder and begin again.",
        )
    return content


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old or the new one, never half of it."""
    with explained(path):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def secrets_file(settings: Settings) -> Path:
    """Where the generated passwords are: readable by the owner only."""
    return settings.home / "secrets.json"


def generated(settings: Settings, name: str, make: Callable[[], str] | None = None) -> str:
    """The secret ``name`` of this KEFU_HOME, generated the first time it is asked for.

    Letters and digits only, so that it needs no quoting in a URL, a shell or a configuration file.
    """
    path = secrets_file(settings)
    known = read_json(path)
    if name not in known:
        folder(settings)
        with locked(settings, "secrets"):
            known = read_json(path)
            if name not in known:
                known[name] = (make or password)()
                write_whole(path, json.dumps(known, indent=2) + "\n")
    return str(known[name])


def password(length: int = 24) -> str:
    """A random password of letters and digits without the ones people confuse (0 O 1 l I)."""
    letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(random.choice(letters) for _ in range(length))


def long_secret() -> str:
    """A key for signing tokens and cookies: 64 characters."""
    return password(64)


def port(settings: Settings, name: str) -> int:
    """The port ``name`` listens on, remembered from the last choice; chosen now if there was none."""
    remembered = remembered_port(settings, name)
    return remembered if remembered is not None else choose_port(settings, name)


def remembered_port(settings: Settings, name: str) -> int | None:
    """The port chosen for ``name`` before, if any."""
    value = read_json(settings.home / "ports.json").get(name)
    return value if isinstance(value, int) else None


def choose_port(settings: Settings, name: str, preferred: int | None = None) -> int:
    """A port nobody listens on, for ``name``: the remembered one, else the preferred one, else any; remembered."""
    with locked(settings, "ports"):
        path = folder(settings) / "ports.json"
        ports = read_json(path)
        others = {number for other, number in ports.items() if other != name}
        wishes = [ports.get(name), preferred]
        chosen = next(
            (wish for wish in wishes if wish and wish not in others and is_free(wish)),
            None,
        )
        while chosen is None or chosen in others:
            chosen = _any_free_port()
        if ports.get(name) != chosen:
            write_whole(path, json.dumps({**ports, name: chosen}, indent=2) + "\n", mode=0o644)
        return chosen


def is_free(number: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, number))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    # Below the range the system gives out by itself, so that no outgoing connection sits on it at the next start.
    for _ in range(200):
        number = 15000 + random.randbelow(15000)
        if is_free(number):
            return number
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])

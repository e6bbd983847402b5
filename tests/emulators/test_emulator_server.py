"""The emulators as a program: ports, tokens, TLS, clear refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from kefu.emulators import Emulation
from kefu.emulators.serve import running
from kefu.errors import KefuError
from kefu.simulator import Summary

TOKENS = {"KEFU_EMULATOR_ZENDESK_TOKEN": "z" * 40, "KEFU_EMULATOR_QUALTRICS_TOKEN": "q" * 40}


@contextmanager
def program(folder: Path, world: Summary, *arguments: str) -> Iterator[int]:
    """The port of a running program."""
    port_file = folder / "port"
    command = [
        sys.executable,
        "-m",
        "kefu.emulators.serve",
        "--data",
        str(world.directory),
        "--port-file",
        str(port_file),
    ]
    process = subprocess.Popen([*command, *arguments], env={**os.environ, **TOKENS}, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield int(port_file.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_it_serves_both_vendors_on_a_free_port(tmp_path: Path, world: Summary) -> None:
    with program(tmp_path, world, "--now", "2026-11-01T00:00:00Z") as port:
        url = f"http://127.0.0.1:{port}"
        health = requests.get(f"{url}/health", timeout=30).json()
        assert health == {"status": "ok", "now": "2026-11-01T00:00:00Z"}
        auth = ("agent@example.com/token", TOKENS["KEFU_EMULATOR_ZENDESK_TOKEN"])
        assert requests.get(f"{url}/zendesk/api/v2/groups.json", auth=auth, timeout=30).status_code == 200
        token = {"X-API-TOKEN": TOKENS["KEFU_EMULATOR_QUALTRICS_TOKEN"]}
        assert requests.get(f"{url}/qualtrics/API/v3/surveys", headers=token, timeout=30).status_code == 200
        assert requests.get(f"{url}/control/calls", timeout=30).status_code == 404, "closed unless asked for"


def test_it_serves_over_tls_with_an_authority_of_its_own(tmp_path: Path, world: Summary) -> None:
    authority = tmp_path / "ca.pem"
    with program(tmp_path, world, "--tls", "--ca-file", str(authority)) as port:
        assert requests.get(f"https://localhost:{port}/health", verify=str(authority), timeout=30).ok
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"https://localhost:{port}/health", timeout=30)


def refusal(arguments: list[str], environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "kefu.emulators.serve", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEFU_EMULATOR")}
    ended = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    return ended.stderr


def test_a_missing_token_is_named(world: Summary) -> None:
    assert "KEFU_EMULATOR_ZENDESK_TOKEN is not set" in refusal(["--data", str(world.directory)], {})


def test_a_folder_without_a_world_is_named(tmp_path: Path) -> None:
    assert "no simulated world" in refusal(["--data", str(tmp_path)], TOKENS)
    with pytest.raises(KefuError, match=str(tmp_path)):
        Emulation(tmp_path, zendesk_token="x", qualtrics_token="x")


def test_a_port_in_use_is_named(world: Summary) -> None:
    with running(world.directory) as served:
        message = refusal(["--data", str(world.directory), "--port", str(served.port)], TOKENS)
    assert f"port {served.port}" in message

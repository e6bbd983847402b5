"""Serves the emulators: ``python -m kefu.emulators.serve --data DIR --port PORT``.

Tokens come from the environment: KEFU_EMULATOR_ZENDESK_TOKEN and KEFU_EMULATOR_QUALTRICS_TOKEN must be set,
KEFU_EMULATOR_ZENDESK_EMAIL may be. Port 0 takes a free one; ``--port-file`` says where to write it down. With
``--tls`` a certificate authority is made up on the spot; ``--ca-file`` says where to put its certificate.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import uvicorn

from kefu.emulators import DEFAULT_EMAIL, Emulation
from kefu.emulators.clock import parse
from kefu.emulators.faults import Exchange, Fault
from kefu.emulators.limits import Rates
from kefu.errors import KefuError

TEST_TOKEN = "x" * 40  # as long as the vendor's own client insists on
START_LIMIT = 30.0


@dataclass(frozen=True)
class Running:
    """Emulators being served in this process, for tests."""

    url: str
    port: int
    emulation: Emulation
    ca_file: Path | None
    token: str = TEST_TOKEN
    email: str = DEFAULT_EMAIL

    @property
    def zendesk_url(self) -> str:
        """What to configure as Zendesk's base address."""
        return f"{self.url}/zendesk"

    @property
    def qualtrics_url(self) -> str:
        """What to configure as Qualtrics' base address."""
        return f"{self.url}/qualtrics"

    @property
    def calls(self) -> list[Exchange]:
        """Every call answered so far."""
        return self.emulation.faults.calls

    def set_now(self, instant: datetime) -> None:
        """Move the emulated present."""
        self.emulation.clock.set(instant)

    def reset(self, now: datetime) -> None:
        """Forget calls and planted faults and go to an instant."""
        self.set_now(now)
        self.emulation.faults.planted.clear()
        self.emulation.faults.calls.clear()

    def plant(self, path: str, kind: str, **details: int | None) -> None:
        """Let something go wrong, see `kefu.emulators.faults`."""
        self.emulation.faults.planted.append(Fault(path, kind, **details))  # type: ignore[arg-type]


@contextlib.contextmanager
def running(
    data: Path | str,
    *,
    port: int = 0,
    now: datetime | None = None,
    tls: bool = False,
    rates: Rates | None = None,
    gateway: int = 2024,
    polls: int = 1,
    token: str = TEST_TOKEN,
    email: str = DEFAULT_EMAIL,
) -> Iterator[Running]:
    """Serve a world in a thread for the length of a ``with`` block."""
    emulation = Emulation(
        data,
        zendesk_token=token,
        qualtrics_token=token,
        zendesk_email=email,
        now=now,
        rates=rates,
        gateway=gateway,
        polls=polls,
        control=True,
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kefu-emulators-")))
        listener = stack.enter_context(_listen("127.0.0.1", port))
        ca_file = folder / "ca.pem" if tls else None
        server = uvicorn.Server(_config(emulation, ca_file))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + START_LIMIT
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise KefuError("The emulators did not start.", do="See the log above.")
            time.sleep(0.01)
        number = listener.getsockname()[1]
        try:
            scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
            yield Running(f"{scheme}://{host}:{number}", number, emulation, ca_file, token, email)
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(START_LIMIT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m kefu.emulators.serve", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder written by the simulator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--port-file", type=Path, help="write the port here once it is taken")
    parser.add_argument(
        "--now", type=parse, help="the emulated present (ISO); by default the end of the world's period"
    )
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--ca-file", type=Path, help="with --tls: where to write the authority's certificate")
    parser.add_argument("--limits", choices=("off", "vendor"), default="off", help="whether rate limits are enforced")
    parser.add_argument("--control", action="store_true", help="open /control, for tests")
    given = parser.parse_args(arguments)
    try:
        emulation = Emulation(
            given.data,
            zendesk_token=_secret("KEFU_EMULATOR_ZENDESK_TOKEN"),
            qualtrics_token=_secret("KEFU_EMULATOR_QUALTRICS_TOKEN"),
            zendesk_email=os.environ.get("KEFU_EMULATOR_ZENDESK_EMAIL", DEFAULT_EMAIL),
            now=given.now,
            rates=Rates(enforced=given.limits == "vendor"),
            control=given.control,
        )
        with _listen(given.host, given.port) as listener:
            config = _config(emulation, (given.ca_file or Path(os.devnull)) if given.tls else None)
            port = listener.getsockname()[1]
            if given.port_file:
                _write_whole(given.port_file, f"{port}\n")
            print(f"emulators: {'https' if given.tls else 'http'}://{given.host}:{port}", flush=True)
            uvicorn.Server(config).run(sockets=[listener])
    except KefuError as error:
        sys.exit(str(error))


def _config(emulation: Emulation, ca_file: Path | None) -> uvicorn.Config:
    """How the emulation is served: over TLS if there is a place for the authority's certificate."""
    # It is loaded here and now: the signal that stops the server ends the process before it could tidy up.
    with tempfile.TemporaryDirectory(prefix="kefu-emulators-") as folder:
        certificate = Path(folder) / "server.pem" if ca_file else None
        if ca_file and certificate:
            _certify(ca_file, certificate)
        config = uvicorn.Config(
            emulation.app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            date_header=False,  # the vendors' clock, not ours
            server_header=False,
            ssl_certfile=certificate,
        )
        config.load()
    return config


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # from now on callers wait for an answer instead of being turned away
    except OSError as error:
        listener.close()
        raise KefuError(
            "The emulators cannot listen.",
            expected=f"port {port} of {host} to be free",
            found=str(error),
            do="Stop what uses the port or choose another one; 0 takes any.",
        ) from error
    return listener


def _certify(ca_file: Path, certificate: Path) -> None:
    """Make up an authority and a certificate of it for this machine."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def _secret(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise KefuError(f"{name} is not set.", where="environment", do="Set it to the token clients have to send.")
    return value


if __name__ == "__main__":
    main()

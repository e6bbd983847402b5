"""For the sources: a small simulated world behind the emulators, and a server that answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from kefu.emulators.limits import Rates
from kefu.emulators.serve import Running, running
from kefu.settings import Settings, SourceSettings
from kefu.simulator import Summary, write
from kefu.sources import Extraction, Kind, Rejected

TOKEN = "not-to-be-told"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Two and a half simulated weeks."""
    directory = tmp_path_factory.mktemp("world")
    return write(directory, seed=7, start=date(2026, 3, 1), end=date(2026, 3, 18), scale=0.1)


@pytest.fixture
def account(world: Summary) -> Iterator[Running]:
    """The emulators over that world, at its end, without rate limits."""
    with running(world.directory, rates=Rates(enforced=False), token=TOKEN) as emulators:
        yield emulators


@dataclass
class Drained:
    """What a source handed over, without a warehouse."""

    pages: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    superseded: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of one table in the order they came."""
        return [row for name, rows in self.pages if name == table for row in rows]

    def merged(self, table: str, *key: str) -> dict[Any, dict[str, Any]]:
        """The rows of one table by key; of several the last, as the warehouse keeps them."""
        return {tuple(row[name] for name in key): row for row in self.rows(table)}


def extraction(kind: Kind, into: Drained, base: Path = Path("/"), *, full: bool = False, **options: Any) -> Extraction:
    """What `kefu.load` would give the source."""
    return Extraction(
        name=kind.name,
        options=kind.options.model_validate(options),
        secret=lambda name: TOKEN,
        base=base,
        state=into.state,
        full=full,
        reject=into.rejected.append,
        supersede=lambda table, **values: into.superseded.append((table, values)),
        progress=into.said.append,
    )


def drain(
    kind: Kind, base: Path = Path("/"), *, state: dict[str, Any] | None = None, full: bool = False, **options: Any
) -> Drained:
    """Run a source to its end; ``state`` is changed as the warehouse would save it."""
    drained = Drained(state={} if state is None else state)
    for name, page in kind.extract(extraction(kind, drained, base, full=full, **options)):
        declared = next(table for table in kind.tables if table.name == name)
        assert page.schema.equals(declared.schema()), f"{name}: {page.schema}"
        drained.pages.append((name, page.to_pylist()))
    return drained


def configured(settings: Settings, name: str, **options: Any) -> Settings:
    """Settings with this one source."""
    source = SourceSettings(name=name, kind=name, options=options)
    return settings.model_copy(update={"sources": {name: source}})


@dataclass(frozen=True)
class Call:
    """One request a scripted server got."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


Answer = tuple[int, dict[str, str], Any]  # status, headers, JSON or bytes


@dataclass
class Scripted:
    """A vendor that answers what the test says."""

    url: str
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call], Answer | Any] = lambda call: {}


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A server on loopback; set ``answer`` to a function from a call to JSON or (status, headers, body)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            call = Call(self.command, url.path, dict(parse_qsl(url.query)), body, dict(self.headers))
            server.calls.append(call)
            answer = server.answer(call)
            status, headers, content = answer if isinstance(answer, tuple) else (200, {}, answer)
            payload = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_POST = do_GET  # noqa: N815 - http.server's own names

        def log_message(self, *args: Any) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = Scripted(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield server
    listener.shutdown()
    listener.server_close()
    thread.join()

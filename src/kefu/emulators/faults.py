"""What goes wrong on purpose, for tests: it is planted per path, happens a set number of times, then is over.

``status``    the call is refused with ``status`` and, for 429, a Retry-After unless ``retry_after`` is None
``cut``       the connection breaks in the middle of the body
``truncate``  the body ends early, though the reply looks whole
``double``    every row of the page comes twice
``stuck``     the page says there is more and points to itself
``fail_job``  an export job ends as failed, with HTTP 200
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["status", "cut", "truncate", "double", "stuck", "fail_job"]


@dataclass
class Fault:
    """One planted fault: for the next ``times`` calls whose path matches, after letting ``skip`` of them pass."""

    path: str  # regular expression, searched for in the path
    kind: Kind
    status: int = 500
    retry_after: int | None = 1
    times: int = 1
    skip: int = 0


@dataclass(frozen=True)
class Exchange:
    """One call that was answered."""

    method: str
    path: str
    query: str
    status: int


class Faults:
    """The planted faults and a record of every call, around the application."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application; nothing is planted yet."""
        self._app = app
        self.planted: list[Fault] = []
        self.calls: list[Exchange] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, as it should be or as planted."""
        if scope["type"] != "http" or scope["path"].startswith(("/health", "/control")):
            await self._app(scope, receive, send)
            return
        fault = self._due(scope["path"])
        reply = _Reply()
        if fault is not None and fault.kind == "status":
            _refuse(reply, fault)
        else:
            await self._app(scope, receive, reply.take)
        status = reply.start["status"]
        self.calls.append(Exchange(scope["method"], scope["path"], scope["query_string"].decode(), status))
        if fault is not None and fault.kind in ("double", "stuck", "fail_job"):
            reply.body = _tamper(fault, reply.body, _url(scope))
        whole = len(reply.body)
        if fault is not None and fault.kind in ("cut", "truncate"):
            reply.body = reply.body[: whole // 2]
        reply.set_length(whole if fault is not None and fault.kind == "cut" else len(reply.body))
        await send(reply.start)
        # A cut reply stays unfinished: the server then drops the connection.
        await send({"type": "http.response.body", "body": reply.body, "more_body": bool(fault and fault.kind == "cut")})

    def _due(self, path: str) -> Fault | None:
        for fault in self.planted:
            if fault.times > 0 and re.search(fault.path, path):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


class _Reply:
    """A reply held back to be looked at before it goes out."""

    def __init__(self) -> None:
        self.start: MutableMapping[str, Any] = {}
        self.body = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def set_length(self, length: int) -> None:
        kept = [(name, value) for name, value in self.start["headers"] if name.lower() != b"content-length"]
        self.start["headers"] = [*kept, (b"content-length", str(length).encode())]


def _refuse(reply: _Reply, fault: Fault) -> None:
    headers = [(b"content-type", b"application/json; charset=utf-8")]
    if fault.retry_after is not None and fault.status in (429, 503):
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    reply.start = {"type": "http.response.start", "status": fault.status, "headers": headers}
    reply.body = orjson.dumps({"error": "planted", "description": f"planted {fault.status}"})


def _url(scope: Scope) -> str:
    host = Headers(scope=scope).get("host", "localhost")
    return f"{scope['scheme']}://{host}{scope['path']}?{scope['query_string'].decode()}"


def _tamper(fault: Fault, body: bytes, url: str) -> bytes:
    content = orjson.loads(body)
    if fault.kind == "double":
        for name, value in content.items():
            if isinstance(value, list):
                content[name] = value + value
    elif fault.kind == "stuck":
        content |= {"end_of_stream": False}
        for name in ("after_url", "next_page"):
            if name in content:
                content[name] = url
        if "meta" in content and "links" in content:
            content["meta"]["has_more"] = True
            content["links"]["next"] = url
    else:
        content["result"] = {"percentComplete": 100.0, "status": "failed", "fileId": None}
    return orjson.dumps(content)

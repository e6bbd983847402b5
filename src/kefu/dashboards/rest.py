"""Superset's REST API, as much of it as the dashboards need: log in, read pages, write, upload."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kefu.errors import KefuError
from kefu.settings import Settings

if TYPE_CHECKING:
    import requests

PAGE = 100  # Superset gives no more, whatever is asked for
TIMEOUT = 300  # seconds; an import on a cold server takes its time


@dataclass(frozen=True)
class Server:
    """Where Superset is and who we are there."""

    url: str
    user: str
    password: str = field(repr=False)


def server(settings: Settings) -> Server:
    """From SUPERSET_URL, SUPERSET_USER and SUPERSET_PASSWORD, else the local stack's own administrator.

    KefuError if a server is named without a password.
    """
    if url := os.environ.get("SUPERSET_URL"):
        password = settings.secret("SUPERSET_PASSWORD", needed_by="dashboards")
        return Server(url.rstrip("/"), os.environ.get("SUPERSET_USER", "admin"), password)
    from kefu.stack import superset

    return Server(superset.url(settings), "admin", superset.password(settings))


class Client:
    """A logged-in session. Every answer that is no success becomes a KefuError with what Superset said."""

    def __init__(self, where: Server) -> None:
        """Log in; KefuError if nobody answers or the password is refused."""
        import requests

        self.where = where
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the machine must not stand before a local server
        token = self.post(
            "security/login",
            {"username": where.user, "password": where.password, "provider": "db", "refresh": False},
        )["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["Referer"] = where.url
        self._session.headers["X-CSRFToken"] = self.get("security/csrf_token/")["result"]

    def get(self, path: str, **query: Any) -> Any:
        """Read; ``query`` becomes Superset's ``q``."""
        return self._call("GET", path, params={"q": json.dumps(query)} if query else None)

    def post(self, path: str, body: Any) -> Any:
        """Create, or set in motion."""
        return self._call("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        """Change."""
        return self._call("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        """Remove."""
        return self._call("DELETE", path)

    def upload(self, path: str, files: dict[str, Any], data: dict[str, str]) -> Any:
        """Send files."""
        return self._call("POST", path, files=files, data=data)

    def every(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page."""
        page = 0
        while True:
            answer = self.get(path, **query, page=page, page_size=PAGE)
            yield from answer["result"]
            page += 1
            if page * PAGE >= answer["count"] or not answer["result"]:
                return

    def _call(self, method: str, path: str, **options: Any) -> Any:
        import requests

        url = f"{self.where.url}/api/v1/{path}"
        try:
            response = self._session.request(method, url, timeout=TIMEOUT, **options)
        except requests.RequestException as error:
            raise KefuError(
                "Superset does not answer.",
                found=str(error),
                where=self.where.url,
                do="Start it (`kefu up`, or docker compose), or correct SUPERSET_URL.",
            ) from error
        if response.status_code == 401 and path == "security/login":
            raise KefuError(
                "Superset refuses the user name or password.",
                found=f"user {self.where.user!r}",
                where=self.where.url,
                do="Correct SUPERSET_USER and SUPERSET_PASSWORD.",
            )
        if not response.ok:
            raise KefuError(
                f"Superset refuses {method} {path}: {response.status_code}.",
                found=_said(response),
                where=self.where.url,
            )
        return response.json() if response.content else None


def _said(response: requests.Response) -> str:
    """The messages in an error answer, which Superset nests in several ways."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:500]
    messages = [
        str(message)
        for error in body.get("errors", [])
        for message in [error.get("message"), *(_leaves(error.get("extra")))]
        if message
    ]
    return "; ".join(messages) or str(body.get("message", body))[:2000]


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "issue_codes":
                for leaf in _leaves(value):
                    yield f"{key}: {leaf}"
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value)
    elif node is not None:
        yield str(node)

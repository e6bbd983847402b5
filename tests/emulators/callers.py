"""Bare callers of the emulated vendors, for tests that look at every reply."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any

import requests

from kefu.emulators.serve import Running

PLACE = re.compile(r"(\d+)\.0\|\|(\d+)\|")


def epoch(instant: str) -> int:
    """An ISO instant as seconds."""
    return int(datetime.fromisoformat(instant).timestamp())


def place(cursor: str) -> tuple[int, int]:
    """The instant and id a Zendesk export cursor stands for."""
    found = PLACE.fullmatch(base64.b64decode(cursor).decode())
    assert found
    return int(found[1]), int(found[2])


class Zendesk:
    """A bare caller of the emulated Zendesk."""

    def __init__(self, served: Running) -> None:
        self.root = f"{served.zendesk_url}/api/v2"
        self._session = requests.Session()
        self._session.auth = (f"{served.email}/token", served.token)

    def get(self, path: str, **query: Any) -> requests.Response:
        url = path if path.startswith("http") else f"{self.root}/{path}"
        return self._session.get(url, params=query, timeout=30)

    def page(self, path: str, **query: Any) -> dict[str, Any]:
        reply = self.get(path, **query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def by_cursor(self, name: str, **query: Any) -> list[dict[str, Any]]:
        """Every row of a cursor export, to the end of the stream."""
        page = self.page(f"incremental/{name}/cursor.json", **query)
        rows = page[name]
        while not page["end_of_stream"]:
            page = self.page(page["after_url"])
            rows += page[name]
        return rows

    def by_time(self, name: str, **query: Any) -> list[dict[str, Any]]:
        """Every row of a time-based export, with the repeats it brings."""
        page = self.page(f"incremental/{name}.json", **query)
        rows = page[name]
        while not page["end_of_stream"]:
            page = self.page(page["next_page"])
            rows += page[name]
        return rows


class Qualtrics:
    """A bare caller of the emulated Qualtrics."""

    def __init__(self, served: Running, survey: str) -> None:
        self.root = f"{served.qualtrics_url}/API/v3"
        self.survey = survey
        self.session = requests.Session()
        self.session.headers["X-API-TOKEN"] = served.token

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        url = path if path.startswith("http") else f"{self.root}/{path}"
        reply = self.session.get(url, params=query, timeout=30)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]

    def every(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every element of a paged list."""
        page = self.get(path, **query)
        rows = page["elements"]
        while page["nextPage"]:
            page = self.get(page["nextPage"])
            rows += page["elements"]
        return rows

    def start(self, **wanted: Any) -> requests.Response:
        url = f"{self.root}/surveys/{self.survey}/export-responses"
        return self.session.post(url, json=wanted, timeout=30)

    def poll(self, job: str) -> dict[str, Any]:
        return self.get(f"surveys/{self.survey}/export-responses/{job}")

    def export(self, **wanted: Any) -> tuple[bytes, dict[str, Any]]:
        """The zip of an export and what its job said in the end."""
        job = self.start(**wanted).json()["result"]["progressId"]
        while (state := self.poll(job))["status"] == "inProgress":
            pass
        url = f"{self.root}/surveys/{self.survey}/export-responses/{state['fileId']}/file"
        return self.session.get(url, timeout=30).content, state

"""Bring Superset to what the source and the published data say: import, tidy, roles, fresh numbers.

May run any time again: without a change of the source nothing is imported, without a new publication nothing is warmed.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import yaml

from kefu import warehouse
from kefu.dashboards import compiler, facts, rest, roles
from kefu.dashboards import source as sources
from kefu.errors import KefuError
from kefu.settings import Settings

_KINDS = {"dashboards": "dashboard", "charts": "chart", "datasets": "dataset"}
_MASK = "XXXXXXXXXX"  # what Superset itself puts for a password


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: whether it imported, what it removed, which roles it changed, how many tiles answered."""

    imported: bool
    removed: tuple[str, ...]
    roles: tuple[str, ...]
    tiles: int
    seconds: float

    def __str__(self) -> str:
        """One line for people."""
        what = ["imported" if self.imported else "nothing new to import", f"{self.tiles} tiles got their data"]
        if self.removed:
            what.append(f"{len(self.removed)} assets removed")
        if self.roles:
            what.append(f"roles changed: {', '.join(self.roles)}")
        return ", ".join(what)


def refresh(settings: Settings, say: Callable[[str], None] = lambda line: None) -> Refreshed:
    """Show what is published now.

    Raises KefuError: nothing is published, Superset does not answer or refuses, a tile does not get its data.
    """
    from kefu.stack import state

    started = time.monotonic()
    with state.locked(settings, "dashboards"):
        source = sources.load(settings.project / "superset" / "source")
        known = facts.read(settings, source)
        published = facts.publication(settings)
        uris, passwords = _connections(settings)
        bundle = compiler.assets(settings.project, known, uris, settings.languages)
        client = rest.Client(rest.server(settings))

        memory_file = state.folder(settings, "superset") / "dashboards.json"
        memory = state.read_json(memory_file)
        wanted = _digest(bundle, passwords, client.where.url)
        ids = _present(client)
        expected = {(kind, body["uuid"]) for kind, body in _bodies(bundle)}
        imported = memory.get("digest") != wanted or not expected <= set(ids)
        if imported:
            say(f"importing {len(bundle) - 1} assets")
            _import(client, bundle, passwords)
            ids = _present(client)
        ours = [tuple(item) for item in memory.get("assets", [])]
        removed = _remove(client, [item for item in ours if item not in expected], ids)
        mine = {kind: {ids[kind, body["uuid"]] for k, body in _bodies(bundle) if k == kind} for kind in _KINDS}
        changed = roles.apply(client, mine["datasets"])
        tiles = 0
        if imported or memory.get("publication") != published:
            client.post(
                "cachekey/invalidate", {"datasource_uids": [f"{number}__table" for number in sorted(mine["datasets"])]}
            )
            say("asking the tiles for their data")
            tiles = _ask(client, bundle, ids, settings.languages[0])
        state.write_whole(
            memory_file,
            json.dumps({"digest": wanted, "publication": published, "assets": sorted(expected)}, indent=1) + "\n",
        )
    return Refreshed(imported, tuple(removed), tuple(changed), tiles, time.monotonic() - started)


def _connections(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """The masked URL of each database in Superset, and its password by its path in the bundle."""
    uris, passwords = {}, {}
    for name, role in ((compiler.DATABASE, "dashboard"), (compiler.SQL_LAB, "analyst")):
        parts = urlsplit(warehouse.dsn(settings, role))
        host = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
        user = quote(unquote(parts.username or ""), safe="")
        uris[name] = urlunsplit(parts._replace(scheme="postgresql+psycopg2", netloc=f"{user}:{_MASK}@{host}"))
        passwords[compiler.database_path(name)] = unquote(parts.password or "")
    return uris, passwords


def _bodies(bundle: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(path.split("/")[0], body) for path, body in bundle.items() if path.split("/")[0] in _KINDS]


def _digest(bundle: dict[str, dict[str, Any]], passwords: dict[str, str], url: str) -> str:
    whole = json.dumps([bundle, passwords, url], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()


def _present(client: rest.Client) -> dict[tuple[str, str], int]:
    """The ids of all dashboards, charts and datasets by kind and uuid."""
    return {
        (kind, row["uuid"]): row["id"]
        for kind, path in _KINDS.items()
        for row in client.every(f"{path}/", columns=["id", "uuid"])
    }


def _import(client: rest.Client, bundle: dict[str, dict[str, Any]], passwords: dict[str, str]) -> None:
    """One bundle, one transaction; it also drops the links to tiles a page no longer has."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundled:
        for path, body in bundle.items():
            bundled.writestr(f"kefu/{path}", yaml.safe_dump(body, sort_keys=False, allow_unicode=True))
    client.upload(
        "assets/import/",
        files={"bundle": ("kefu.zip", buffer.getvalue(), "application/zip")},
        data={"passwords": json.dumps(passwords)},
    )


def _remove(client: rest.Client, gone: list[tuple[Any, ...]], ids: dict[tuple[str, str], int]) -> list[str]:
    """Delete what an earlier import of ours made and the source no longer has: pages first, datasets last."""
    removed = []
    for kind, path in _KINDS.items():
        for item in sorted(gone):
            if item[0] == kind and (number := ids.get((item[0], item[1]))) is not None:
                client.delete(f"{path}/{number}")
                removed.append(f"{path} {number}")
    return removed


def _ask(client: rest.Client, bundle: dict[str, dict[str, Any]], ids: dict[tuple[str, str], int], language: str) -> int:
    """Ask every tile of a language once for its data: what the pages read is warm then, and a broken tile shows now."""
    charts = [
        (path, ids["charts", body["uuid"]])
        for path, body in bundle.items()
        if path.startswith("charts/") and path.endswith(f"_{language}.yaml")
    ]

    def ask(chart: tuple[str, int]) -> str | None:
        try:
            client.get(f"chart/{chart[1]}/data/")
        except KefuError as error:
            return f"{chart[0]}: {error.found or error.summary}"
        return None

    with ThreadPoolExecutor(max_workers=4) as pool:
        problems = [problem for problem in pool.map(ask, charts) if problem]
    if problems:
        raise KefuError(
            f"{len(problems)} of {len(charts)} tiles do not get their data:\n"
            + "\n".join(f"  - {line}" for line in problems),
            where=client.where.url,
            do="Run `kefu build` and `kefu publish` if the warehouse is older than the dashboards.",
        )
    return len(charts)

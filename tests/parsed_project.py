"""dbt reads the project, ten seconds of work, for every database it has not met: here once a session, lent to all.

What it remembers for two databases differs in their name, which stands in every relation, and in one checksum of
where they are. Both are as long in each database of the tests, so they can be replaced in the file that dbt wrote.
A project that is not the checkout's is read by dbt as ever.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pprint
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kefu import transform, warehouse
from kefu.settings import Settings, load_settings, project_root

NOWHERE = ("localhost", 5432, "kefu_00")  # host, port, database
NAME = re.compile(r"kefu_\d\d")
REMEMBERED = "partial_parse.msgpack"
RunDbt = Callable[..., tuple[int, list[str]]]


class ParsedProject:
    """What dbt remembers of the checkout's project, read for a database that does not exist."""

    def __init__(self, folder: Path, run_dbt: RunDbt) -> None:
        """``folder`` is shared by all processes of the session; ``run_dbt`` calls dbt as it is."""
        self.folder = folder
        self.run_dbt = run_dbt

    def read(self, slot: str) -> Path:
        """The folder of a slot with dbt's artifacts, read by whoever asks first."""
        folder, home = self.folder / slot, self.folder / slot / "home"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                config = f'[warehouse]\nhost = "{NOWHERE[0]}"\nport = {NOWHERE[1]}\ndatabase = "{NOWHERE[2]}"\n'
                (folder / "kefu.toml").write_text(config, encoding="utf-8")
                (folder / ".env").write_text("KEFU_TRANSFORMER_PASSWORD=not-needed-to-parse\n", encoding="utf-8")
                status, lines = self.run_dbt(load_settings(folder / "kefu.toml", home), slot, ["parse"])
                assert status == 0, "\n".join(lines)
                (folder / "done").touch()
        return home / "dbt" / f"slot_{slot}"

    def manifest(self) -> dict[str, Any]:
        """dbt's manifest.json."""
        manifest: dict[str, Any] = json.loads((self.read("a") / "manifest.json").read_text(encoding="utf-8"))
        return manifest

    def lend(self, settings: Settings, slot: str) -> None:
        """Let dbt remember the project where it would read it for these settings."""
        name = settings.warehouse.database
        if settings.project != project_root() or not NAME.fullmatch(name):
            return
        place = settings.home / "dbt" / f"slot_{slot}" / REMEMBERED
        checksum, nowhere = _checksum(*warehouse.address(settings), name), _checksum(*NOWHERE)
        transform._forget_other_project(settings.project / "dbt_project", place.parent)
        if place.exists() and checksum in place.read_bytes():
            return
        told = (self.read(slot) / REMEMBERED).read_bytes()
        assert nowhere in told, "dbt makes its checksum of a database otherwise than _checksum"
        place.write_bytes(told.replace(NOWHERE[2].encode(), name.encode()).replace(nowhere, checksum))


def _checksum(host: str, port: int, database: str) -> bytes:
    """How dbt knows a database again (ManifestLoader.build_manifest_state_check)."""
    from dbt.adapters.postgres.connections import PostgresCredentials

    told = PostgresCredentials(
        host=host, port=port, database=database, user="transformer", password="", schema="staging"
    )
    return hashlib.sha256(pprint.pformat(sorted(told.connection_info())).encode()).hexdigest().encode()


@contextmanager
def lent(factory: pytest.TempPathFactory) -> Iterator[ParsedProject]:
    """Lend the project before every call of dbt."""
    base = factory.getbasetemp()
    session = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    parsed = ParsedProject(session / "parsed_project", transform.run_dbt)

    def run_dbt(settings: Settings, slot: str, *told: Any, **named: Any) -> tuple[int, list[str]]:
        parsed.lend(settings, slot)
        return parsed.run_dbt(settings, slot, *told, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform, "run_dbt", run_dbt)
        yield parsed

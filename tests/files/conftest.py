"""What the tests of file sources share: a mapping and a file in, rows, rejects and accounts out."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kefu.files.accounts import Account
from kefu.files.delivery import Conversion
from kefu.files.mapping import load_mapping
from kefu.files.opening import take_delivery
from kefu.sources import Rejected


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    rows: dict[str, list[dict[str, Any]]]
    rejects: list[Rejected]
    accounts: list[Account]

    def column(self, name: str, entity: str = "") -> list[Any]:
        """One column of the (only) entity."""
        rows = self.rows[entity] if entity else next(iter(self.rows.values()), [])
        return [row[name] for row in rows]

    @property
    def account(self) -> Account:
        """The account of the only block."""
        (account,) = self.accounts
        return account

    @property
    def reasons(self) -> list[str]:
        """Why rows were rejected."""
        return [rejected.reason for rejected in self.rejects]


Convert = Callable[..., Outcome]


@pytest.fixture
def convert(tmp_path: Path, project: Path) -> Convert:
    """``convert(mapping, content)``: put a file (text or bytes) through a mapping (YAML)."""

    def run(mapping: str, content: str | bytes, *, name: str = "calls.csv", chunk_rows: int = 20_000) -> Outcome:
        mapping_path = tmp_path / "mapping.yml"
        mapping_path.write_text(textwrap.dedent(mapping), encoding="utf-8")
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with Conversion(take_delivery(path, name), load_mapping(mapping_path, project), chunk_rows) as conversion:
            conversion.read()
            rows: dict[str, list[dict[str, Any]]] = {}
            for entity, table in conversion.pages():
                if entity not in ("files", "file_reasons"):
                    rows.setdefault(entity, []).extend(table.to_pylist())
            return Outcome(rows, list(conversion.rejects()), conversion.accounts)

    return run


CALLS = """
time: {zone: UTC}
entities:
  calls:
    fields:
      call_id: id
      started_at: at
      outcome: {constant: answered}
"""


@pytest.fixture
def field(convert: Convert) -> Callable[..., Any]:
    """``field(options, *cells)``: what a field of calls (talk_seconds by default) makes of cells of column x."""

    def run(
        options: str, *cells: str, name: str = "talk_seconds", top: str = "time: {zone: UTC}", rejects: bool = False
    ) -> Any:
        mapping = (
            f"{top}\nfile: {{delimiter: tab}}\nentities:\n  calls:\n    fields:\n      call_id: '= row_number'\n"
            "      outcome: {constant: answered}\n"
        )
        if name != "started_at":
            mapping += "      started_at: {constant: '2026-01-01T00:00:00Z'}\n"
        if name == "call_id":
            mapping = mapping.replace("      call_id: '= row_number'\n", "")
        if name == "outcome":
            mapping = mapping.replace("      outcome: {constant: answered}\n", "")
        mapping += f"      {name}: {options}\n"
        outcome = convert(mapping, "x\ty\n" + "".join(f"{cell}\t-\n" for cell in cells))
        if rejects:
            return [(rejected.value, rejected.reason) for rejected in outcome.rejects]
        if outcome.rejects:
            return outcome.reasons[0].partition(": ")[2]
        values = outcome.column(name, "calls")
        return values[0] if len(values) == 1 else values

    return run

"""What became of the rows of a file: counted, with reasons, for the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from kefu.files.cells import clean
from kefu.files.opening import Delivery
from kefu.sources import Page, Table

FILES = Table(
    name="files",
    columns={
        "file": pa.string(),
        "entity": pa.string(),
        "part": pa.string(),
        "sha256": pa.string(),
        "rows_read": pa.int64(),
        "rows_loaded": pa.int64(),
        "rows_filtered": pa.int64(),
        "rows_quarantined": pa.int64(),
        "rows_merged": pa.int64(),
        "delivered_at": pa.timestamp("us", tz="UTC"),
        "mapping": pa.string(),
        "refused": pa.string(),
    },
    key=("file", "entity", "part"),
    description="One row per file and entity filled from it: rows_read is the sum of the other four.",
)
FILE_REASONS = Table(
    name="file_reasons",
    columns={
        "file": pa.string(),
        "entity": pa.string(),
        "part": pa.string(),
        "outcome": pa.string(),
        "reason": pa.string(),
        "rows": pa.int64(),
        "first_line": pa.int64(),
    },
    key=("file", "entity", "part", "outcome", "reason"),
    description="Why rows of a file were filtered, quarantined, merged, or had a value set to unknown.",
)


@dataclass
class Account:
    """What became of the rows of one file in one block of its mapping."""

    entity: str
    part: str
    read: int = 0
    loaded: int = 0
    filtered: int = 0
    quarantined: int = 0
    merged: int = 0
    reasons: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # (outcome, reason) → [rows, first line]

    def count(self, outcome: str, reason: str, lines: Sequence[int]) -> None:
        """Count rows under a reason; ``set_unknown`` counts values of rows that stay."""
        if not lines:
            return
        entry = self.reasons.setdefault((outcome, reason), [0, lines[0]])
        entry[0] += len(lines)
        entry[1] = min(entry[1], *lines) if len(lines) > 1 else min(entry[1], lines[0])
        if outcome != "set_unknown":
            setattr(self, outcome, getattr(self, outcome) + len(lines))

    def check(self) -> None:
        """Rows neither appear nor vanish."""
        assert self.read == self.loaded + self.filtered + self.quarantined + self.merged, self


def account_pages(delivery: Delivery, mapping: str, accounts: Sequence[Account]) -> Iterator[Page]:
    """The accounts of a file as rows of files and file_reasons."""
    name = delivery.name
    yield (
        FILES.name,
        _rows_table(
            FILES,
            [
                {
                    "file": name,
                    "entity": account.entity,
                    "part": account.part,
                    "sha256": delivery.sha256,
                    "rows_read": account.read,
                    "rows_loaded": account.loaded,
                    "rows_filtered": account.filtered,
                    "rows_quarantined": account.quarantined,
                    "rows_merged": account.merged,
                    "delivered_at": delivered_at(delivery),
                    "mapping": mapping,
                }
                for account in accounts
            ],
        ),
    )
    reasons = [
        {
            "file": name,
            "entity": account.entity,
            "part": account.part,
            "outcome": outcome,
            "reason": reason,
            "rows": rows,
            "first_line": first,
        }
        for account in accounts
        for (outcome, reason), (rows, first) in account.reasons.items()
    ]
    if reasons:
        yield FILE_REASONS.name, _rows_table(FILE_REASONS, reasons)


def refusal_page(delivery_name: str, reason: str, sha256: str | None, mapping: str) -> Page:
    """The account of a file that was refused: no rows, and why."""
    row: dict[str, Any] = {"file": delivery_name, "entity": "", "part": "", "sha256": sha256, "mapping": mapping}
    counts = dict.fromkeys(("rows_read", "rows_loaded", "rows_filtered", "rows_quarantined", "rows_merged"), 0)
    return FILES.name, _rows_table(FILES, [{**row, **counts, "refused": clean(reason)}])


def delivered_at(delivery: Delivery) -> datetime:
    """When a file was delivered: as its manifest says, else when it was last written."""
    if delivery.produced_at:
        try:
            moment = datetime.fromisoformat(delivery.produced_at)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError:
            pass
    return datetime.fromtimestamp(delivery.modified, UTC)


def _rows_table(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=table.schema())

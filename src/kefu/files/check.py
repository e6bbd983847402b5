"""The rehearsal behind ``kefu check-mapping``: a mapping tried on a file, nothing loaded.

Says what would become of every row, shows the first ones as they would be loaded, and for each reason to
quarantine or leave out rows how many there are and an example.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kefu.errors import KefuError
from kefu.files.accounts import Account
from kefu.files.cells import as_text
from kefu.files.delivery import Conversion
from kefu.files.mapping import FileMapping, load_mapping
from kefu.files.opening import take_delivery
from kefu.files.plan import find_files
from kefu.settings import project_root
from kefu.sources import Rejected

_OUTCOMES = ("filtered", "merged", "quarantined")


@dataclass(frozen=True)
class Rehearsal:
    """What a mapping makes of a file. ``samples`` are the first rows of each entity, ``examples`` a row per reason."""

    mapping: FileMapping
    file: Path
    format: str
    columns: Sequence[str]
    accounts: Sequence[Account]
    samples: Mapping[str, Sequence[Mapping[str, Any]]]
    examples: Mapping[tuple[str, str], Rejected] = field(default_factory=dict)

    def __str__(self) -> str:
        """The report."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        unused = [name for name in self.columns if name not in self.mapping.columns]
        yield f"{self.mapping.path.name} is valid. {self.file.name}: {self.format}, {len(self.columns)} columns."
        for remark in self.mapping.remarks:
            yield f"  note: {remark}"
        if unused:
            yield f"  not used: {', '.join(unused[:40])}{' …' if len(unused) > 40 else ''}"
        for account in self.accounts:
            yield ""
            yield from self._account(account)
        for entity, rows in self.samples.items():
            for row in rows:
                yield ""
                yield f"{entity}, line {row['_line']}"
                for name, value in row.items():
                    if not name.startswith("_"):
                        yield f"  {name:<18} {'·' if value is None else as_text(value)}"

    def _account(self, account: Account) -> Iterator[str]:
        name = f"{account.entity} ({account.part})" if account.part else account.entity
        yield (
            f"{name}: {account.read:,} rows read = {account.loaded:,} loaded + {account.filtered:,} filtered"
            f" + {account.quarantined:,} quarantined + {account.merged:,} merged"
        )
        order = {outcome: index for index, outcome in enumerate((*_OUTCOMES, "set_unknown"))}
        for (outcome, reason), (rows, first) in sorted(
            account.reasons.items(), key=lambda item: (order[item[0][0]], -item[1][0])
        ):
            yield f"  {outcome.replace('_', ' '):<12} {rows:>8,}  {reason} (first in line {first})"
            example = self.examples.get((account.entity, reason))
            if outcome == "quarantined" and example is not None:
                value = f"{example.column} = {example.value!r}" if example.column else repr(example.value)
                yield f"  {'':<12} {'':>8}  e.g. line {example.line}: {value}"


def rehearse(mapping_path: Path, file: Path | None = None, *, sample: int = 5) -> Rehearsal:
    """Try a mapping on a file (without one: on the last that its own path finds).

    Raises KefuError when the mapping is not valid or the file would be refused.
    """
    mapping = load_mapping(mapping_path, project_root())
    if file is None:
        found = find_files(Path.cwd(), mapping, ())
        if not found:
            raise KefuError(
                f"{mapping_path.name} is valid, but there is no file to try it on.",
                expected=f"a file {', '.join(mapping.paths)} (from {Path.cwd()} on)",
                do="Name one: kefu check-mapping MAPPING FILE.",
            )
        file = found[-1].path
    with Conversion(take_delivery(file, file.name), mapping) as conversion:
        conversion.read()
        samples: dict[str, list[dict[str, Any]]] = {}
        for name, table in conversion.pages():
            if name in mapping.entities:
                rows = samples.setdefault(name, [])
                rows += table.slice(0, max(sample - len(rows), 0)).to_pylist()
        examples: dict[tuple[str, str], Rejected] = {}
        for rejected in conversion.rejects():
            examples.setdefault((rejected.entity, rejected.reason), rejected)
        return Rehearsal(
            mapping, file, conversion.format, list(conversion.columns), conversion.accounts, samples, examples
        )

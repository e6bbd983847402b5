"""What a check finds: one `Finding` a rule, one `Report` a check. Plain values; nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Edge = Literal["raw", "published"]
Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """What one rule found in one table.

    ``broken`` counts ``unit`` (rows, days, ...); ``examples`` are at most five of them, personal values hidden.
    ``note`` says what was observed where rows say nothing, or why the rule could not be checked.
    """

    table: str
    rule: str
    ok: bool
    rows: int
    broken: int = 0
    unit: str = "rows"
    severity: Severity = "critical"
    examples: tuple[Mapping[str, Any], ...] = ()
    note: str | None = None

    @property
    def stops(self) -> bool:
        """Whether this finding forbids going on."""
        return not self.ok and self.severity == "critical"

    def sentence(self) -> str:
        """What was found, in words: ``7 of 100,000 rows``."""
        if self.note and not self.broken:
            return self.note
        amount = f"{self.broken:,} of {self.rows:,} rows"
        if self.unit != "rows":
            amount = f"{self.broken:,} {self.unit.removesuffix('s') if self.broken == 1 else self.unit}"
        return f"{amount}; {self.note}" if self.note else amount


@dataclass(frozen=True)
class Report:
    """What one check found. ``subject`` is a raw schema or ``slot a``; ``page`` the HTML page of the run."""

    run: str
    edge: Edge
    subject: str
    as_of: datetime
    checked_at: datetime
    seconds: float
    findings: tuple[Finding, ...]
    page: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing forbids going on; warnings do not."""
        return not any(finding.stops for finding in self.findings)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that forbid going on."""
        return tuple(finding for finding in self.findings if finding.stops)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are said and stop nothing."""
        return tuple(finding for finding in self.findings if not finding.ok and not finding.stops)

    @property
    def tables(self) -> int:
        """How many tables were looked at."""
        return len({finding.table for finding in self.findings})

    def summary(self) -> str:
        """A few words: ``41 rules on 8 tables hold``, ``40 of 41 rules on 8 tables hold, 1 warning``."""
        tables = f"{self.tables} table{'s' if self.tables != 1 else ''}"
        rules, warned = len(self.findings), len(self.warnings)
        if not self.ok:
            return f"{len(self.failed)} of {rules} rules on {tables} broken"
        if warned:
            return f"{rules - warned} of {rules} rules on {tables} hold, {warned} warning{'s' if warned != 1 else ''}"
        return f"{rules} rule{'s' if rules != 1 else ''} on {tables} hold"

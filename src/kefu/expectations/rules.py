"""What the suites in ``expectations/`` are written with: rules as plain values, each a sentence and what it holds.

`kefu.expectations.measure` counts what breaks them, one statement a table; Great Expectations judges the counts
(`kefu.expectations.library`). Inside a suite other tables of the same schema are named without their schema. Any
expectation of Great Expectations can stand beside these.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from kefu.expectations.model import Severity
from kefu.settings import project_root

EARLIEST = "1990-01-01"  # no export of a service centre is older; 1970, 1900 and 0001 are what broken dates become
WARNING: Severity = "warning"  # said in the report, stops nothing
DAY = ("service_date", "source")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a table.

    ``mostly`` is the least share of rows that must hold; ``finds`` is what the things that break it are; ``loss`` says
    that it is about rows that are gone, which a person may accept.
    """

    description: str
    severity: Severity = "critical"
    mostly: float = 1.0
    finds: str = "rows"
    loss: bool = False

    def broken_rows(self, table: str, key: list[str]) -> str:
        """SQL that finds what breaks the rule; empty for one about the table as a whole: it has no rows to show."""
        return ""

    def ordered_by(self, key: list[str]) -> int:
        """By how many of its columns these are put in order."""
        return len(key)


@dataclass(frozen=True, kw_only=True)
class Rows(Rule):
    """Every row satisfies an SQL condition. A condition that is null (something is unknown) counts as satisfied.

    ``columns`` are shown beside the key when a row breaks the rule.
    """

    condition: str
    columns: tuple[str, ...] = ()

    def broken_rows(self, table: str, key: list[str]) -> str:
        """The rows themselves."""
        return f"select {names([*key, *self.columns])} from {table} where ({self.condition}) is false"


@dataclass(frozen=True, kw_only=True)
class Days(Rule):
    """Every day of every source satisfies an SQL condition on ``measures`` (name -> SQL aggregate) of the table."""

    condition: str
    measures: Mapping[str, str]
    finds: str = "days"

    def broken_rows(self, table: str, key: list[str]) -> str:
        """The days and their measures."""
        return f"select * from ({days(table, self.measures)}) as days where ({self.condition}) is false"

    def ordered_by(self, key: list[str]) -> int:
        """Day and source come first."""
        return len(DAY)


@dataclass(frozen=True, kw_only=True)
class Key(Rule):
    """No two rows have the same key, and no part of it is missing.

    Where a primary key of the table, or a unique index without nulls, sees to that there is nothing to count:
    ``guaranteed``.
    """

    columns: tuple[str, ...]
    guaranteed: bool = False

    def broken_rows(self, table: str, key: list[str]) -> str:
        """The keys of several rows, and keys with a part missing."""
        missing = " or ".join(f'"{column}" is null' for column in self.columns)
        key_ = names(self.columns)
        return f"select {key_}, count(*) as times from {table} group by {key_} having count(*) > 1 or {missing}"


@dataclass(frozen=True, kw_only=True)
class Nothing(Rule):
    """A query for what must not be finds nothing. For rules that span tables or whole days.

    With ``mostly`` it may find as many as are the rest of the table's rows.
    """

    query: str

    def broken_rows(self, table: str, key: list[str]) -> str:
        """The query itself."""
        return self.query

    def ordered_by(self, key: list[str]) -> int:
        """What it finds has no key we know."""
        return 1


@dataclass(frozen=True, kw_only=True)
class Kept(Rule):
    """The table has at least ``share`` of the rows it had when it last passed: ``least``."""

    share: float
    loss: bool = True
    least: int = 0


def rows(description: str, condition: str, *columns: str, **options: Any) -> Rows:
    """``description`` as a sentence; every row satisfies ``condition``; ``columns`` are shown when one does not."""
    return Rows(description=description, condition=condition, columns=columns, **options)


def key(description: str, *columns: str) -> Key:
    """The columns are the key of the table: complete and never twice."""
    return Key(description=description, columns=columns)


def days(table: str, measures: Mapping[str, str]) -> str:
    """SQL for measures of a table, one row a day and source."""
    columns = "".join(f', {aggregate} as "{name}"' for name, aggregate in measures.items())
    return f"select {names(DAY)}{columns} from {table} group by {names(DAY)}"


def days_satisfy(description: str, condition: str, measures: Mapping[str, str]) -> Days:
    """``condition`` holds of the measures (name -> SQL aggregate) of every day and source."""
    return Days(description=description, condition=condition, measures=dict(measures))


def nothing(description: str, query: str, **options: Any) -> Nothing:
    """``query`` looks for what must not be."""
    return Nothing(description=description, query=query, **options)


def known(description: str, column: str, words: Iterable[str], **options: Any) -> Rows:
    """The column holds these words only, or nothing."""
    listed = ", ".join("'" + word.replace("'", "''") + "'" for word in sorted(words))
    return rows(description, f"{column} in ({listed})", column, **options)


def resolves(description: str, column: str, table: str, other: str, **options: Any) -> Nothing:
    """Every value of ``column`` (where there is one) is in ``other`` of ``table``."""
    query = (
        f"select {{key}}, {column} from {{table}} as these where {column} is not null"
        f" and not exists (select 1 from {table} as those where those.{other} = these.{column})"
    )
    return nothing(description, query, **options)


def present(description: str, *columns: str, **options: Any) -> Rows:
    """None of the columns is ever empty."""
    condition = " and ".join(f"{column} is not null" for column in columns)
    return rows(description, condition, *columns, **options)


def in_our_time(description: str, *columns: str, **options: Any) -> Rows:
    """The instants lie neither in the distant past nor in the future of the check's as-of time."""
    span = f"between timestamptz '{EARLIEST}' and timestamptz '{{as_of}}'"
    condition = " and ".join(f"coalesce({column} {span}, true)" for column in columns)
    return rows(description, condition, *columns, **options)


def kept(description: str, share: float) -> Kept:
    """The table has at least this share of the rows it had when it last passed, and some if it had some."""
    return Kept(description=description, share=share)


@dataclass(frozen=True)
class Binding:
    """What a rule needs to know of the table it is held against, now."""

    table: str
    key: list[str]
    keys: frozenset[frozenset[str]]  # what the database itself holds it to
    rows_before: int  # when it last passed
    as_of: datetime
    accept_loss: bool

    def bind(self, rule: Rule) -> Rule:
        """The rule with ``{table}``, ``{key}``, ``{as_of}`` filled in and the fewest rows computed.

        Where loss is accepted rules about rows that are gone only warn.
        """
        changes: dict[str, Any] = {}
        if isinstance(rule, Nothing):
            changes["query"] = self._filled(rule.query)
        if isinstance(rule, Rows | Days):
            changes["condition"] = self._filled(rule.condition)
        if isinstance(rule, Kept):
            least = math.ceil(self.rows_before * rule.share)
            changes["least"] = max(least, 1 if self.rows_before else 0)
        if isinstance(rule, Key):
            changes["guaranteed"] = frozenset(rule.columns) in self.keys
        if self.accept_loss and rule.loss:
            changes["severity"] = WARNING
        return replace(rule, **changes)

    def _filled(self, text: str) -> str:
        filled = text.replace("{table}", f'"{self.table}"').replace("{key}", names(self.key) or "1")
        return filled.replace("{as_of}", self.as_of.astimezone(UTC).isoformat())


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a dbt seed: words and scales are listed once, there."""
    path = project_root() / "dbt_project" / "seeds" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def scale_names() -> list[str]:
    """The answer scales we know."""
    return sorted({row["scale_id"] for row in seed("dim_scale")})


def answers_on_scale() -> str:
    """SQL rows ``(scale, answer)`` of every answer every scale has, as a table expression."""
    rows = ", ".join(f"('{row['scale_id']}', {float(row['answer'])})" for row in seed("dim_scale"))
    return f"(values {rows})"


def names(columns: Iterable[str]) -> str:
    """Columns as SQL lists them, each once."""
    return ", ".join(f'"{column}"' for column in dict.fromkeys(columns))

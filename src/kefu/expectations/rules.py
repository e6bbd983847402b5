"""The kinds of rule the suites in ``expectations/`` are written with, beside Great Expectations' own.

They are Great Expectations expectations like any other. What they add is speed and plain words: all row rules of a
table are counted in the same single scan, a key is grouped instead of sorted through a window, and a rule that spans
tables is one query. Inside a suite other tables of the same schema are named without their schema.

Importing this module imports Great Expectations (seconds); only suites and the engine do.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.compatibility.pydantic import Field
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.expect_table_row_count_to_be_between import ExpectTableRowCountToBeBetween
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from kefu.settings import project_root

EARLIEST = "1990-01-01"  # no export of a service centre is older; 1970, 1900 and 0001 are what broken dates become
WARNING = "warning"  # severity: said in the report, stops nothing
DAY = ("service_date", "source")
LOSS = {"loss": True}  # meta: a rule about rows that are gone, which a person may accept


class ExpectRowsToSatisfy(BatchExpectation):
    """Every row satisfies an SQL condition. A condition that is null (something is unknown) counts as satisfied.

    ``columns`` are shown beside the key when a row breaks the rule; ``mostly`` is the least share that must hold.
    """

    condition: str
    columns: list[str] = Field(default_factory=list)
    mostly: float = 1.0

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "kefu.rows_breaking")
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "row_condition", "condition_parser")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        rows, broken = metrics["table.row_count"], metrics["kefu.rows_breaking"]
        return {
            "success": broken <= rows * (1 - self.mostly),
            "result": {"element_count": rows, "unexpected_count": broken},
        }

    def broken_rows(self, table: str, key: list[str]) -> str:
        """SQL that finds the rows breaking the rule."""
        return f"select {_names([*key, *self.columns])} from {table} where ({self.condition}) is false"


class ExpectDaysToSatisfy(ExpectRowsToSatisfy):
    """Every day of every source satisfies an SQL condition on ``measures`` (name -> SQL aggregate) of the table.

    The engine forms the measures of all rules of a table in one reading of it, one row a day and source.
    """

    measures: dict[str, str]
    finds: str = "days"

    def broken_rows(self, table: str, key: list[str]) -> str:
        """SQL that finds the days breaking the rule."""
        return f"select * from ({days(table, self.measures)}) as days where ({self.condition}) is false"


class ExpectKeyToBeUnique(BatchExpectation):
    """No two rows have the same key, and no part of it is missing.

    Where a primary key of the table, or a unique index without nulls, sees to that there is nothing to count:
    ``guaranteed``.
    """

    columns: list[str]
    guaranteed: bool = False

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "kefu.rows_sharing_a_key")
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "guaranteed")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "row_condition", "condition_parser")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        broken = metrics["kefu.rows_sharing_a_key"]
        return {
            "success": broken == 0,
            "result": {"element_count": metrics["table.row_count"], "unexpected_count": broken},
        }

    def broken_rows(self, table: str, key: list[str]) -> str:
        """SQL that finds the keys of several rows, and keys with a part missing."""
        names = _names(self.columns)
        missing = " or ".join(f'"{column}" is null' for column in self.columns)
        return f"select {names}, count(*) as times from {table} group by {names} having count(*) > 1 or {missing}"


class ExpectQueryToFindNothing(BatchExpectation):
    """A query for what must not be finds nothing. For rules that span tables or whole days.

    ``finds`` says what a row of the result is: rows, days, keys. With ``mostly`` it may find as many as are the rest
    of the table's rows.
    """

    query: str
    finds: str = "rows"
    mostly: float = 1.0

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "kefu.rows_found")
    success_keys: ClassVar[tuple[str, ...]] = ("query", "mostly")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "row_condition", "condition_parser")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        rows, broken = metrics["table.row_count"], metrics["kefu.rows_found"]
        return {
            "success": broken <= rows * (1 - self.mostly),
            "result": {"element_count": rows, "unexpected_count": broken},
        }

    def broken_rows(self, table: str, key: list[str]) -> str:
        """The query itself."""
        return self.query


class RowsBreaking(TableMetricProvider):
    """How many rows do not satisfy a condition; computed with all its likes in one scan of the table."""

    metric_name = "kefu.rows_breaking"
    value_keys = ("condition",)

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _sqlalchemy(
        cls,  # noqa: N805  (Great Expectations passes it by this name)
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> Any:
        broken: Any = sa.literal_column(f"({metric_value_kwargs['condition']}) is false")
        return sa.func.count().filter(broken), metric_domain_kwargs, {}


class RowsSharingAKey(TableMetricProvider):
    """How many rows have a key that is not theirs alone or is incomplete."""

    metric_name = "kefu.rows_sharing_a_key"
    value_keys = ("columns", "guaranteed")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805  (Great Expectations passes it by this name)
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> int:
        if metric_value_kwargs["guaranteed"]:
            return 0
        rows: Any = execution_engine.get_domain_records(domain_kwargs=metric_domain_kwargs)
        rows = rows.subquery() if isinstance(rows, sa.Select) else rows
        key: list[Any] = [sa.column(name) for name in metric_value_kwargs["columns"]]
        times = sa.func.count().label("times")
        groups = (
            sa.select(times)
            .select_from(rows)
            .group_by(*key)
            .having(sa.or_(sa.func.count() > 1, *(column.is_(None) for column in key)))
            .subquery()
        )
        found = execution_engine.execute_query(sa.select(sa.func.sum(groups.c.times)))
        return int(found.scalar() or 0)


class RowsFound(TableMetricProvider):
    """How many rows a query finds."""

    metric_name = "kefu.rows_found"
    value_keys = ("query",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805  (Great Expectations passes it by this name)
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> int:
        query = metric_value_kwargs["query"].replace(":", "\\:")  # a colon is SQL here, never a parameter
        found = execution_engine.execute_query(sa.text(f"select count(*) from ({query}) as found"))
        return int(found.scalar() or 0)


def rows(description: str, condition: str, *columns: str, **options: Any) -> ExpectRowsToSatisfy:
    """``description`` as a sentence; every row satisfies ``condition``; ``columns`` are shown when one does not."""
    return ExpectRowsToSatisfy(description=description, condition=condition, columns=list(columns), **options)


def key(description: str, *columns: str) -> ExpectKeyToBeUnique:
    """The columns are the key of the table: complete and never twice."""
    return ExpectKeyToBeUnique(description=description, columns=list(columns))


def days(table: str, measures: Mapping[str, str]) -> str:
    """SQL for measures of a table, one row a day and source."""
    columns = "".join(f', {aggregate} as "{name}"' for name, aggregate in measures.items())
    return f"select {_names(DAY)}{columns} from {table} group by {_names(DAY)}"


def days_satisfy(description: str, condition: str, measures: Mapping[str, str]) -> ExpectDaysToSatisfy:
    """``condition`` holds of the measures (name -> SQL aggregate) of every day and source."""
    return ExpectDaysToSatisfy(description=description, condition=condition, measures=dict(measures))


def nothing(description: str, query: str, **options: Any) -> ExpectQueryToFindNothing:
    """``query`` looks for what must not be."""
    return ExpectQueryToFindNothing(description=description, query=query, **options)


def known(description: str, column: str, words: Iterable[str], **options: Any) -> ExpectRowsToSatisfy:
    """The column holds these words only, or nothing."""
    listed = ", ".join("'" + word.replace("'", "''") + "'" for word in sorted(words))
    return ExpectRowsToSatisfy(
        description=description, condition=f"{column} in ({listed})", columns=[column], **options
    )


def resolves(description: str, column: str, table: str, other: str, **options: Any) -> ExpectQueryToFindNothing:
    """Every value of ``column`` (where there is one) is in ``other`` of ``table``."""
    query = (
        f"select {{key}}, {column} from {{table}} as these where {column} is not null"
        f" and not exists (select 1 from {table} as those where those.{other} = these.{column})"
    )
    return ExpectQueryToFindNothing(description=description, query=query, **options)


def present(description: str, *columns: str, **options: Any) -> ExpectRowsToSatisfy:
    """None of the columns is ever empty."""
    condition = " and ".join(f"{column} is not null" for column in columns)
    return rows(description, condition, *columns, **options)


def in_our_time(description: str, *columns: str, **options: Any) -> ExpectRowsToSatisfy:
    """The instants lie neither in the distant past nor in the future of the check's as-of time."""
    span = f"between timestamptz '{EARLIEST}' and timestamptz '{{as_of}}'"
    condition = " and ".join(f"coalesce({column} {span}, true)" for column in columns)
    return rows(description, condition, *columns, **options)


def kept(description: str, share: float) -> ExpectTableRowCountToBeBetween:
    """The table has at least this share of the rows it had when it last passed, and some if it had some."""
    return ExpectTableRowCountToBeBetween(description=description, min_value=0, meta={**LOSS, "share_kept": share})


@dataclass(frozen=True)
class Binding:
    """What a rule needs to know of the table it is held against, now."""

    table: str
    key: list[str]
    keys: frozenset[frozenset[str]]  # what the database itself holds it to
    rows_before: int  # when it last passed
    as_of: datetime
    accept_loss: bool

    def bind(self, rule: Any, number: int) -> Any:
        """The rule with ``{table}``, ``{key}``, ``{as_of}`` filled in and the fewest rows computed.

        ``number`` tells results apart. Where loss is accepted rules about rows that are gone only warn.
        """
        meta = {**(rule.meta or {}), "number": number}
        changes: dict[str, Any] = {"meta": meta}
        for text in ("query", "condition"):
            if hasattr(rule, text):
                changes[text] = self._filled(getattr(rule, text))
        if "share_kept" in meta:
            least = math.ceil(self.rows_before * meta["share_kept"])
            changes["min_value"] = max(least, 1 if self.rows_before else 0)
        if isinstance(rule, ExpectKeyToBeUnique):
            changes["guaranteed"] = frozenset(rule.columns) in self.keys
        if self.accept_loss and meta.get("loss"):
            changes["severity"] = FailureSeverity.WARNING
        return rule.copy(update=changes)

    def _filled(self, text: str) -> str:
        filled = text.replace("{table}", f'"{self.table}"').replace("{key}", _names(self.key) or "1")
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


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in dict.fromkeys(columns))

"""Great Expectations' side of a check: it judges what was measured, and it holds tables to expectations of its own.

What was measured of all tables is one batch, a row a rule, and every rule is one expectation of one suite about it: so
it says with its own results what holds and how severe it is, and takes no longer the more rows there are. Importing
this module imports Great Expectations (seconds); only the engine imports it.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when it is imported

import great_expectations as gx
import pandas as pd
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from kefu.expectations.measure import Measured
from kefu.expectations.rules import Kept, Rule


class ExpectRuleToHold(BatchExpectation):
    """No more breaks a rule than may: a share of the table's rows that ``mostly`` leaves; no less than ``least`` rows
    are there, where that is all it is about."""

    number: int
    mostly: float = 1.0
    least: int | None = None

    metric_dependencies: ClassVar[tuple[str, ...]] = ("kefu.measured",)
    success_keys: ClassVar[tuple[str, ...]] = ("number", "mostly", "least")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        measured: Measured = metrics["kefu.measured"][self.number]
        if measured.trouble is not None:
            raise ValueError(measured.trouble)
        if measured.broken is None:
            return {
                "success": measured.rows >= (self.least or 0),
                "result": {"observed_value": measured.rows},
            }
        return {
            "success": measured.broken <= measured.rows * (1 - self.mostly),
            "result": {"element_count": measured.rows, "unexpected_count": measured.broken},
        }


class MeasuredRules(TableMetricProvider):
    """What was measured of every rule; one metric for all of them."""

    metric_name = "kefu.measured"
    value_keys = ()

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  (Great Expectations passes it by this name)
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> list[Measured]:
        batch = execution_engine.get_domain_records(domain_kwargs=metric_domain_kwargs)
        return [Measured(*row) for row in batch.itertuples(index=False)]


class Library:
    """An ephemeral context of Great Expectations on one schema."""

    def __init__(self, url: str, schema: str, options: str) -> None:
        """``options`` are the settings of its sessions."""
        self._url, self._schema, self._options = url, schema, options
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        with _in_silence():
            self._context = gx.get_context(mode="ephemeral")
            self._context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        self._tables: Any = None

    def judge(self, measured: Sequence[tuple[Rule, Measured]]) -> list[Any]:
        """Whether rules hold by what was measured of them; a result each."""
        if not measured:
            return []
        expectations = [
            ExpectRuleToHold(
                number=number,
                mostly=rule.mostly,
                least=rule.least if isinstance(rule, Kept) else None,
                severity=FailureSeverity(rule.severity),
                description=rule.description,
                meta={"number": number},
            )
            for number, (rule, _) in enumerate(measured)
        ]
        with _in_silence():
            asset = self._context.data_sources.add_pandas("measured").add_dataframe_asset(self._schema)
            batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
                {"dataframe": pd.DataFrame([one for _, one in measured], dtype=object)}
            )
            return self._results(batch, self._schema, expectations, "BASIC")

    def hold(self, table: str, expectations: Sequence[Any], key: list[str]) -> list[Any]:
        """Hold a table to expectations of the library's own; a result each."""
        if not expectations:
            return []
        with _in_silence():
            if self._tables is None:
                self._tables = self._context.data_sources.add_postgres(
                    name=self._schema,
                    # Great Expectations reads a dollar sign as the name of a variable.
                    connection_string=self._url.replace("postgresql://", "postgresql+psycopg2://", 1).replace(
                        "$", "%24"
                    ),
                    kwargs={"connect_args": {"options": self._options}},  # type: ignore[call-arg]
                )
            asset = self._tables.add_table_asset(name=table, table_name=table)
            return self._results(
                asset.add_batch_definition_whole_table("all").get_batch(),
                table,
                [rule.copy(update={"meta": {"number": number}}) for number, rule in enumerate(expectations)],
                {
                    "result_format": "BASIC",
                    "return_unexpected_index_query": True,
                    "unexpected_index_column_names": key,
                },
            )

    @staticmethod
    def _results(batch: Any, name: str, expectations: Sequence[Any], result_format: Any) -> list[Any]:
        suite = gx.ExpectationSuite(name=name, expectations=list(expectations))
        found = batch.validate(suite, result_format=result_format).results
        return sorted(found, key=lambda result: int(result.expectation_config.meta["number"]))

    def close(self) -> None:
        """Close its sessions."""
        if self._tables is not None:
            self._tables.get_execution_engine().close()


@contextmanager
def _in_silence() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

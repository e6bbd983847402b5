"""Superset's chart-data API says what `kefu kpi` says: every KPI, whole, by period and along its dimensions, in both
languages, row for row.

Generated from the catalogue. That `kefu kpi` is right about this warehouse is shown beside (test_demo.py), and that the
other ways to a number agree with it where the stories are told (tests/golden/test_agreement.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from kefu import catalogue, warehouse
from kefu.catalogue import Kpi
from kefu.dashboards import rest
from kefu.dashboards import source as sources
from kefu.dashboards.source import LANGUAGES, Dimension
from kefu.kpi import Question, ask
from kefu.settings import Settings
from tests.demo.conftest import DemoStack

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
KPIS = catalogue.load(PROJECT)
SOURCE = sources.load(PROJECT / "superset" / "source")
ROWS = 50_000  # more than any answer has
PERIODS = {"day": "P1D", "week": "P1W", "month": "P1M"}
# The parts of an answer that a dataset has, and its metrics' names for them.
PARTS = {"value": "", "n": "__n", "low": "__yhat_lower", "high": "__yhat_upper"}

Split = tuple[str, tuple[str, ...]]  # grain and dimensions
Row = dict[str, Any]
Rows = dict[tuple[Any, ...], Row]  # by start of the period and the dimensions' values


@dataclass(frozen=True)
class Readers:
    """The two who are asked: an analyst at `kefu kpi`, and Superset, with what it calls things."""

    settings: Settings
    analyst: psycopg.Connection[Any]
    superset: rest.Client
    datasets: dict[str, int]  # Superset's number of a dataset
    words: dict[tuple[str, str], dict[str, str]]  # by dimension and language: what a reader sees of a value
    told: dict[tuple[str, str], dict[Split, list[Row]]]  # by KPI table and language: what Superset has said


@pytest.fixture(scope="module")
def readers(demo_stack: DemoStack) -> Iterator[Readers]:
    """Both, on the demo's warehouse."""
    settings = demo_stack.settings
    client = rest.Client(rest.server(settings))
    with warehouse.connect(settings, "analyst", autocommit=True) as analyst:
        datasets = {one["table_name"]: int(one["id"]) for one in client.every("dataset/")}
        words = {
            (name, language): labels(analyst, dimension, language)
            for name, dimension in SOURCE.dimensions.items()
            for language in LANGUAGES
        }
        yield Readers(settings, analyst, client, datasets, words, {})


def labels(analyst: psycopg.Connection[Any], dimension: Dimension, language: str) -> dict[str, str]:
    """What a reader sees instead of a dimension's values; a value that is not in it is shown as it is."""
    found: dict[str, str] = {}
    if dimension.table and dimension.label:
        query = sql.SQL("select {}, {} from marts.{}").format(
            sql.Identifier(dimension.key),
            sql.Identifier(dimension.label.replace("@lang", language)),
            sql.Identifier(dimension.table),
        )
        found = {key: label for key, label in analyst.execute(query).fetchall() if label is not None}
    return found | {value: text[language] for value, text in dimension.words.items()}


def splits(one: Kpi, language: str) -> list[Split]:
    """Every grain of a KPI, every dimension, and each dimension by week; in Chinese, where only the words differ, over
    all time. (Every grain by every dimension is what test_agreement.py asks: there a question costs nothing.)"""
    dimensions = [(name,) for name in one.dimensions]
    if language != "en":
        return [("total", by) for by in ((), *dimensions)]
    grains: list[Split] = [(grain, ()) for grain in one.grains]
    return grains + [(grain, by) for grain in ("total", "week") for by in dimensions if grain in one.grains]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", KPIS)
def test_superset_says_the_same_numbers(readers: Readers, name: str, language: str) -> None:
    one = KPIS[name]
    for split in splits(one, language):
        ours = by_kefu(readers, one, split, language)
        if split == ("total", ()) and not ours:
            # without groups SQL has a row even for nothing at all
            ours = {(): dict.fromkeys(parts(one))}
        assert by_superset(readers, one, split, language) == ours, split


def parts(one: Kpi) -> dict[str, str]:
    """The parts of an answer and the metrics that have them; a full count has no interval."""
    return {part: f"{one.id}{end}" for part, end in PARTS.items() if one.low_sql or part in ("value", "n")}


def by_kefu(readers: Readers, one: Kpi, split: Split, language: str) -> Rows:
    """`kefu kpi`, with values of dimensions in the words of a language."""
    grain, by = split
    rows = ask(readers.settings, Question(one.id, grain=grain, by=by), readers.analyst)
    found: Rows = {}
    for row in rows:
        period = () if grain == "total" else (row["from"],)
        key = (*period, *(readers.words[name, language].get(row[name], row[name]) for name in by))
        assert key not in found, f"{by}: two values have the same name, {key}"
        found[key] = {part: row[part] for part in parts(one)}
    return found


def by_superset(readers: Readers, one: Kpi, split: Split, language: str) -> Rows:
    """The chart-data API."""
    grain, by = split
    found: Rows = {}
    for row in tell(readers, one.table, language)[split]:
        period = () if grain == "total" else (datetime.fromtimestamp(row["service_date"] / 1000, UTC).date(),)
        key = (*period, *(row[name] for name in by))
        assert key not in found, key
        found[key] = {part: row[metric] for part, metric in parts(one).items()}
    return found


def tell(readers: Readers, table: str, language: str) -> dict[Split, list[Row]]:
    """What Superset says of all KPIs of a table, in one request: a query a split, as a tile would ask for it.

    A query costs what it costs, however many metrics it names.
    """
    if (table, language) not in readers.told:
        metrics: dict[Split, list[str]] = defaultdict(list)
        for one in KPIS.values():
            for split in splits(one, language) if one.table == table else ():
                metrics[split] += parts(one).values()
        [dataset] = [name for name, made in SOURCE.datasets.items() if made.table == table and not made.weekly]
        answer = readers.superset.post(
            "chart/data",
            {
                "datasource": {"id": readers.datasets[f"{dataset}_{language}"], "type": "table"},
                "force": True,
                "queries": [query(split, named) for split, named in metrics.items()],
                "result_format": "json",
                "result_type": "full",
            },
        )
        readers.told[table, language] = told = {}
        for split, result in zip(metrics, answer["result"], strict=True):
            assert result["error"] is None
            assert result["rowcount"] == len(result["data"]) < ROWS
            told[split] = result["data"]
    return readers.told[table, language]


def query(split: Split, metrics: list[str]) -> dict[str, Any]:
    """One question of a chart."""
    grain, by = split
    period = {
        "columnType": "BASE_AXIS",
        "expressionType": "SQL",
        "label": "service_date",
        "sqlExpression": "service_date",
        "timeGrain": PERIODS.get(grain),
    }
    return {
        "columns": [*([] if grain == "total" else [period]), *by],
        "metrics": metrics,
        "filters": [],
        "row_limit": ROWS,
    }

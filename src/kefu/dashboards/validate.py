"""Walks dashboard → tile → dataset → model → column without a server or a database: what is missing, what is unused.

Everything is said at once. Columns and types are those of the YAML beside the models, which dbt's contracts keep true.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kefu import catalogue, yaml_files
from kefu.catalogue import Kpi
from kefu.dashboards import charts, compiler, datasets, metrics
from kefu.dashboards import source as sources
from kefu.dashboards.source import LANGUAGES, Comparison, Figures, Heatmap, Source, Tile
from kefu.errors import KefuError

MOST_TILES = 12  # more is a wall, not a page
COLUMNS = 12  # of Superset's grid
LEFT_OVER = re.compile(r"@\{|@lang\b|@name\b|@kpi|@by\b|@dimension\b|@target\b|@has_target\b|@scale\b|@basis\b")
# Words of the trade that a Chinese title may keep.
LATIN_IN_CHINESE = {"SLA", "P90", "n", "NPS", "CSAT", "KPI", "XmR"}
_FIELD = re.compile(r"\{\{[#/]?(?:if |unless |each |group )?\(?(?:eq |or |and )*([a-z_@][a-z0-9_.]*)")
_HANDLEBARS = {"if", "unless", "each", "group", "else", "eq", "or", "and", "data", "items", "by", "value", "this"}


def problems(project: Path) -> list[str]:
    """Every problem of the dashboards of a project, in words; empty when there is none."""
    try:
        source = sources.load(project / "superset" / "source")
        kpis = catalogue.load(project)
    except KefuError as error:
        return [line.removeprefix("  - ") for line in error.summary.splitlines()[1:]] or [error.summary]
    found = [
        *_names(source, kpis),
        *_filters(source),
        *_layout(source),
        *_dimensions(source, project),
        *_metrics(source, kpis),
        *_templates(source, kpis),
        *_charts(source),
        *_pages(source, kpis, project),
        *_titles(source),
    ]
    if found:  # what is compiled from it would only say the same again, less clearly
        return sorted(set(found))
    return sorted({*_sql(source, kpis, project), *_exposures(source, kpis, project), *_compiled(project)})


def _names(source: Source, kpis: dict[str, Kpi]) -> Iterator[str]:
    """Every name leads somewhere, and everything written is used; a KPI table is there for whoever explores it."""
    for name, page in source.dashboards.items():
        for tile in set(page.tiles()) - set(source.charts):
            yield f"dashboards/{name}.yaml: there is no chart {tile}"
        for tile in set(page.phone) - set(page.tiles()):
            yield f"dashboards/{name}.yaml: phone: {tile} is no tile of the page"
    for name, chart in source.charts.items():
        if chart.dataset not in source.datasets:
            yield f"charts/{name}.yaml: there is no dataset {chart.dataset}"
    used_datasets = {chart.dataset for chart in source.charts.values()}
    used_datasets |= {item.dataset for page in source.dashboards.values() for item in page.filters}
    tables = [dataset.table for dataset in source.datasets.values()]
    explored = {
        name
        for name, dataset in source.datasets.items()
        if dataset.table in {kpi.table for kpi in kpis.values()} and tables.count(dataset.table) == 1
    }
    for name in set(source.datasets) - used_datasets - explored:
        yield f"datasets/{name}.yaml: no chart and no filter uses it"
    for name in set(source.charts) - {tile for page in source.dashboards.values() for tile in page.tiles()}:
        yield f"charts/{name}.yaml: no dashboard uses it"


def _filters(source: Source) -> Iterator[str]:
    for name, page in source.dashboards.items():
        for item in page.filters:
            if item.dataset not in source.datasets:
                yield f"dashboards/{name}.yaml: filter: there is no dataset {item.dataset}"
            elif item.column not in _columns(source, item.dataset):
                yield f"dashboards/{name}.yaml: filter: dataset {item.dataset} has no column {item.column}"
            if item.column not in source.dimensions:
                yield f"dashboards/{name}.yaml: filter: {item.column} is no dimension, so it has no name"


def _columns(source: Source, name: str) -> set[str]:
    """The columns of a dataset that charts may name."""
    dataset = source.datasets[name]
    time = datasets.time_column(dataset)
    return {*dataset.columns, *dataset.dimensions, *([time] if time else []), *(["in_whole_week"] if time else [])}


def _layout(source: Source) -> Iterator[str]:
    for name, page in source.dashboards.items():
        tiles = page.tiles()
        if len(tiles) > MOST_TILES:
            yield f"dashboards/{name}.yaml: {len(tiles)} tiles, at most {MOST_TILES} can be read"
        for tile in {tile for tile in tiles if tiles.count(tile) > 1}:
            yield f"dashboards/{name}.yaml: {tile} stands on the page twice"
        for number, row in enumerate(page.rows, start=1):
            if (width := sum(columns for columns, _ in row.values())) != COLUMNS:
                yield f"dashboards/{name}.yaml: row {number} is {width} columns wide, not {COLUMNS}"


def _dimensions(source: Source, project: Path) -> Iterator[str]:
    tables = datasets.tables(project)
    used = {name for dataset in source.datasets.values() for name in dataset.dimensions}
    for name in set(source.dimensions) - used:
        yield f"dimensions.yaml: no dataset uses {name}"
    for name, dataset in source.datasets.items():
        if dataset.table and f"kpis.{dataset.table}" not in tables:
            yield f"datasets/{name}.yaml: there is no model {dataset.table} in dbt_project/models/kpis"
            continue
        for dimension in dataset.dimensions:
            if dimension not in source.dimensions:
                yield f"datasets/{name}.yaml: {dimension} is not in dimensions.yaml"
            elif (key := source.dimensions[dimension].key) not in tables[f"kpis.{dataset.table}"]:
                yield f"datasets/{name}.yaml: {dataset.table} has no column {key} for {dimension}"


def _metrics(source: Source, kpis: dict[str, Kpi]) -> Iterator[str]:
    """Every metric is the catalogue's, and of the table of its dataset; every colour is used."""
    asked: set[str] = set()
    for name, chart in source.charts.items():
        dataset = source.datasets.get(chart.dataset)
        for metric in charts.used_metrics(chart, kpis):
            try:
                parsed = metrics.parse(metric, kpis)
            except ValueError as error:
                yield f"charts/{name}.yaml: {error}"
                continue
            asked.add(parsed.kpi.id if parsed.part == "value" else f"*__{parsed.part}")
            if dataset and parsed.kpi.id not in datasets.kpis_of(dataset, kpis):
                yield f"charts/{name}.yaml: dataset {chart.dataset} has no {parsed.kpi.id}"
    for name, dataset in source.datasets.items():
        if dataset.weekly:
            for kpi in dataset.weekly:
                if kpi not in kpis:
                    yield f"datasets/{name}.yaml: {kpi} is no KPI of the catalogue"
    for name, colour in source.colours.items():
        for metric in set(colour.metrics) - asked:
            yield f"colours.yaml: {name}: no chart draws {metric}"


def _templates(source: Source, kpis: dict[str, Kpi]) -> Iterator[str]:
    """Templates name only what their tile asks for."""
    used = {"figures" for chart in source.charts.values() if isinstance(chart, Figures)}
    used |= {"comparison" for chart in source.charts.values() if isinstance(chart, Comparison)}
    for name, chart in source.charts.items():
        if not isinstance(chart, Tile):
            continue
        used.add(chart.template)
        template = source.templates.get(chart.template, "")
        fields = {match[1] for match in _FIELD.finditer(template)} - _HANDLEBARS
        for field in fields - set(chart.columns):
            yield f"charts/{name}.yaml: template {chart.template} shows {field}, which the tile does not ask for"
        for kpi in set(re.findall(r"@name\(([^)]*)\)", template)) - set(kpis):
            yield f"templates/{chart.template}.html: {kpi} is no KPI of the catalogue"
    for name in used - set(source.templates):
        yield f"templates/{name}.html is missing"
    for name in set(source.templates) - used:
        yield f"templates/{name}.html: no chart uses it"


def _charts(source: Source) -> Iterator[str]:
    """Charts name only columns and dimensions there are."""
    for name, chart in source.charts.items():
        if chart.dataset not in source.datasets:
            continue
        known = _columns(source, chart.dataset)
        for column in charts.used_columns(chart, datasets.time_column(source.datasets[chart.dataset])):
            if column not in known:
                yield f"charts/{name}.yaml: dataset {chart.dataset} has no column {column}"
        named = (
            [chart.by] if isinstance(chart, Comparison) else [chart.x, chart.y] if isinstance(chart, Heatmap) else []
        )
        for dimension in set(named) - set(source.dimensions):
            yield f"charts/{name}.yaml: {dimension} is no dimension"


def _pages(source: Source, kpis: dict[str, Kpi], project: Path) -> Iterator[str]:
    """The headline model judges exactly the pages there are, by KPIs there are."""
    path = project / "dbt_project" / "macros" / "dashboards" / "scorecard_pages.sql"
    found = re.search(r"return\((\{.*\})\)", path.read_text(encoding="utf-8"), re.DOTALL)
    judged: dict[str, list[str]] = ast.literal_eval(found[1]) if found else {}
    for page in set(judged) ^ set(source.dashboards):
        yield f"macros/dashboards/{path.name} and superset/source/dashboards do not have the same pages: {page}"
    for page, names in judged.items():
        for kpi in set(names) - set(kpis):
            yield f"macros/dashboards/{path.name}: {page}: {kpi} is no KPI of the catalogue"


def _titles(source: Source) -> Iterator[str]:
    """Chinese titles are Chinese."""
    titles = [(f"charts/{name}.yaml", chart.title) for name, chart in source.charts.items()]
    titles += [(f"dashboards/{name}.yaml", page.title) for name, page in source.dashboards.items()]
    for place, title in titles:
        if foreign := set(re.findall(r"[A-Za-z]+\d*", title.zh)) - LATIN_IN_CHINESE:
            yield f"{place}: the Chinese title has foreign words: {', '.join(sorted(foreign))}"


def _sql(source: Source, kpis: dict[str, Kpi], project: Path) -> Iterator[str]:
    """Every statement Superset will send names only tables and columns that the models promise."""
    used: dict[str, set[str]] = {name: set() for name in source.datasets}
    conditions: dict[str, set[str]] = {name: {"true"} for name in source.datasets}
    for chart in source.charts.values():
        used[chart.dataset].update(charts.used_metrics(chart, kpis))
        conditions[chart.dataset].add(charts.condition(chart) or "true")
    for page in source.dashboards.values():
        for item in page.filters:
            conditions[item.dataset].add(item.where or "true")
    for language in LANGUAGES:
        for name, dataset in source.datasets.items():
            body = datasets.describe(name, dataset, source, kpis, project, language, used[name])
            for problem in _dataset(body, sorted(conditions[name]), project):
                yield f"datasets/{name}.yaml ({language}): {problem}"


def _dataset(body: dict[str, Any], conditions: list[str], project: Path) -> Iterator[str]:
    """What is wrong with one dataset as it is compiled."""
    produced, problem = _resolve(body["sql"], project)
    if problem:
        yield problem
        return
    declared = {column["column_name"] for column in body["columns"]}
    if different := declared ^ set(produced):
        yield f"its SQL and its declared columns differ: {', '.join(sorted(different))}"
    whole = f"({body['sql']}) as kpi_rows where {' and '.join(f'({condition})' for condition in conditions)}"
    expressions = ", ".join(f"{metric['expression']} as m{n}" for n, metric in enumerate(body["metrics"]))
    if problem := _resolve(f"select {expressions or '1 as m'} from {whole}", project)[1]:
        yield problem
    labels = [metric["verbose_name"] for metric in body["metrics"]]
    for label in {label for label in labels if labels.count(label) > 1}:
        yield f"two metrics are called {label!r}; Superset would mix up their colours"


def _resolve(sql: str, project: Path) -> tuple[list[str], str | None]:
    """The columns a statement produces, and what is wrong with it."""
    import sqlglot
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    known = datasets.tables(project)
    schema: dict[str, object] = {}
    for layer in ("kpis", "marts"):
        schema[layer] = {name.partition(".")[2]: columns for name, columns in known.items() if name.startswith(layer)}
    try:
        statement = sqlglot.parse_one(sql, read="postgres")
        for table in statement.find_all(sqlglot.exp.Table):
            if f"{table.db}.{table.name}" not in known:
                return [], f"there is no table {table.db}.{table.name}"
        for column in list(statement.find_all(sqlglot.exp.Column)):
            # sqlglot takes a schema before such an aggregate for a table
            if isinstance(column.this, sqlglot.exp.WithinGroup | sqlglot.exp.Filter):
                column.replace(column.this)
        resolved = qualify(statement, schema=schema, dialect="postgres", quote_identifiers=False)
    except SqlglotError as error:
        return [], " ".join(str(error).split())
    return [item.alias_or_name for item in resolved.selects], None  # type: ignore[attr-defined]


def _exposures(source: Source, kpis: dict[str, Kpi], project: Path) -> Iterator[str]:
    """dbt knows every page and the models behind it."""
    import sqlglot

    path = project / "dbt_project" / "models" / "kpis" / "_dashboards__models.yml"
    written = {item["name"]: set(item["depends_on"]) for item in yaml_files.read(path).get("exposures") or []}
    for name in set(written) - set(source.dashboards):
        yield f"{path.name}: exposure {name} is no dashboard"
    for name, page in source.dashboards.items():
        used = {source.charts[tile].dataset for tile in page.tiles()} | {item.dataset for item in page.filters}
        tables = {
            table.name
            for dataset in used
            for table in sqlglot.parse_one(
                datasets.sql(source.datasets[dataset], source, kpis, project, "en"), read="postgres"
            ).find_all(sqlglot.exp.Table)
        }
        wanted = {f"ref('{table}')" for table in tables - {"publication"}}
        if different := wanted ^ written.get(name, set()):
            yield f"{path.name}: exposure {name}: its models differ from those it shows: {', '.join(sorted(different))}"


def _compiled(project: Path) -> Iterator[str]:
    """Nothing is left of our own placeholders, and both languages are alike."""
    bundle = compiler.assets(project)
    for path, body in bundle.items():
        if found := LEFT_OVER.search(str({**body, "css": ""})):
            yield f"{path}: {found[0]} was not put in"
    for path in bundle:
        if path.endswith("_en.yaml") and path.replace("_en.yaml", "_zh.yaml") not in bundle:
            yield f"{path} has no Chinese twin"

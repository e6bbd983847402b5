"""Turn the hand-written source into Superset's assets, once per language.

One source, two languages: a dataset, chart or dashboard becomes a twin in each, its uuid following from kind, name
and language, so importing again changes nothing. Narrow screens get a page of their own: Superset's grid never reflows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kefu import catalogue
from kefu.catalogue import Kpi
from kefu.dashboards import charts, datasets, metrics
from kefu.dashboards import source as sources
from kefu.dashboards.charts import NO_FACTS, Facts
from kefu.dashboards.source import LANGUAGES, Dashboard, Source, Text

SPACE = uuid.UUID("6b656675-0000-5000-8000-000000000000")
DATABASE, SQL_LAB = "Kefu", "Kefu SQL Lab"
PHONE_HEIGHT = 36  # of a tile that names none, in units of 8 px
TIME = Text(en="Dates", zh="日期")
PHONE = Text(en="phone", zh="手机")
_TWIN = re.compile(r"<!-- twin -->.*?<!-- end twin -->", re.DOTALL)
# The colours of the scheme `kefu` (superset/kefu_theme.py).
SCHEME = ("#2F7DC1", "#2A9187", "#8B6FC0", "#B07F1E", "#7C8896", "#D5622A")
# Teams that stand out; all the others are grey together.
TEAM_COLOURS = ("#D5622A", "#B07F1E", "#8B6FC0", "#2A9187", "#2F7DC1")


def uid(*parts: str) -> str:
    """The uuid of an asset."""
    return str(uuid.uuid5(SPACE, "/".join(parts)))


def slug(name: str, language: str) -> str:
    """The address of a page: /superset/dashboard/director-en/."""
    return f"{name}-{language}"


def assets(
    project: Path,
    facts: Facts = NO_FACTS,
    uris: dict[str, str] | None = None,
    languages: Sequence[str] = LANGUAGES,
) -> dict[str, dict[str, Any]]:
    """Every asset by its path in the bundle. ``uris``: the SQLAlchemy URLs of both databases, passwords masked.

    Raises KefuError if the source cannot be read.
    """
    source = sources.load(project / "superset" / "source")
    # E18: the configuration may ask for more cases than a definition does
    kpis = {
        name: replace(kpi, minimum_n=max(kpi.minimum_n, facts.minimum_n))
        for name, kpi in catalogue.load(project).items()
    }
    addresses = uris or dict.fromkeys((DATABASE, SQL_LAB), "postgresql+psycopg2://kefu:XXXXXXXXXX@localhost/kefu")
    bundle: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
    }
    for name, uri in addresses.items():
        bundle[database_path(name)] = _database(name, uri)
    used: dict[str, set[str]] = {name: set() for name in source.datasets}
    for chart in source.charts.values():
        used[chart.dataset].update(charts.used_metrics(chart, kpis))
    for language in languages:
        for name, dataset in source.datasets.items():
            body = datasets.describe(name, dataset, source, kpis, project, language, used[name])
            ids = {"uuid": uid("dataset", name, language), "database_uuid": uid("database", DATABASE)}
            bundle[f"datasets/Kefu/{name}_{language}.yaml"] = {**body, **ids, "version": "1.0.0"}
        for name, chart in source.charts.items():
            dataset = source.datasets[chart.dataset]
            body = charts.describe(name, chart, dataset, datasets.time_column(dataset), source, kpis, facts, language)
            if len(languages) == 1:
                body = without_twin(body)
            ids = {"uuid": uid("chart", name, language), "dataset_uuid": uid("dataset", chart.dataset, language)}
            bundle[f"charts/{name}_{language}.yaml"] = {**body, **ids, "version": "1.0.0"}
        for name, page in source.dashboards.items():
            for shape in (page, narrow(page)):
                title = name if shape is page else f"{name}-phone"
                bundle[f"dashboards/{title}_{language}.yaml"] = _dashboard(
                    title, shape, source, kpis, facts, facts.windows.get(name), language
                )
    return bundle


def without_twin(chart: dict[str, Any]) -> dict[str, Any]:
    """A tile without the link to its page in the other language: there is none."""
    template = chart["params"].get("handlebarsTemplate")
    if template is None:
        return chart
    return {**chart, "params": {**chart["params"], "handlebarsTemplate": _TWIN.sub("", template)}}


def database_path(name: str) -> str:
    """Where a database stands in the bundle; its password is given beside it."""
    return f"databases/{name.replace(' ', '_')}.yaml"


def narrow(page: Dashboard) -> Dashboard:
    """The same tiles, one to a row."""
    rows = [
        {name: (12, page.phone.get(name) or PHONE_HEIGHT)}
        for name in page.tiles()
        if page.phone.get(name, PHONE_HEIGHT) is not None
    ]
    title = Text(en=f"{page.title.en} ({PHONE.en})", zh=f"{page.title.zh}（{PHONE.zh}）")
    return page.model_copy(update={"rows": rows, "title": title})


def _database(name: str, uri: str) -> dict[str, Any]:
    return {
        "database_name": name,
        "sqlalchemy_uri": uri,
        "cache_timeout": None,
        "expose_in_sqllab": name == SQL_LAB,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": uid("database", name),
        "version": "1.0.0",
    }


def _dashboard(
    name: str,
    page: Dashboard,
    source: Source,
    kpis: dict[str, Kpi],
    facts: Facts,
    window: tuple[str, str] | None,
    language: str,
) -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "HEADER_ID": {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": page.title[language]}},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": [], "parents": ["ROOT_ID"]},
    }
    number = 0
    for line, row in enumerate(page.rows):
        row_id, tiles = f"ROW-{line}", []
        for tile, (width, height) in row.items():
            number += 1
            tile_id = f"CHART-{tile}"
            position[tile_id] = {
                "id": tile_id,
                "type": "CHART",
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", row_id],
                "meta": {
                    "chartId": number,  # the import puts the real one; it must be unique on the page
                    "width": width,
                    "height": height,
                    "uuid": uid("chart", tile, language),
                    "sliceName": source.charts[tile].title[language],
                },
            }
            tiles.append(tile_id)
        position[row_id] = {
            "id": row_id,
            "type": "ROW",
            "children": tiles,
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        position["GRID_ID"]["children"].append(row_id)
    return {
        "dashboard_title": page.title[language],
        "description": page.about[language],
        "css": source.css,
        "slug": slug(name, language),
        "certified_by": "",
        "certification_details": "",
        "published": True,
        "uuid": uid("dashboard", name, language),
        "position": position,
        "metadata": {
            "native_filter_configuration": _filters(name, page, source, window, language),
            "filter_bar_orientation": "HORIZONTAL",
            "color_scheme": "kefu",
            "label_colors": _colours(page, source, kpis, facts, language),
            # All three as Superset itself would fill them in: else it tries to, and a reader may not.
            "shared_label_colors": [],
            "map_label_colors": {},
            "color_scheme_domain": list(SCHEME),
            "refresh_frequency": 0,
            "cross_filters_enabled": False,
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
        },
        "version": "1.0.0",
    }


def _filters(
    name: str, page: Dashboard, source: Source, window: tuple[str, str] | None, language: str
) -> list[dict[str, Any]]:
    def scope(column: str | None) -> dict[str, Any]:
        """The tiles a filter acts on: those whose dataset has the column, or a date. The others must not say so."""
        deaf = []
        for number, tile in enumerate(page.tiles(), start=1):
            dataset = source.datasets[source.charts[tile].dataset]
            known = [*dataset.dimensions, *dataset.columns] if column else [datasets.time_column(dataset)]
            if column not in known if column else known == [None]:
                deaf.append(number)
        return {"rootPath": ["ROOT_ID"], "excluded": deaf}

    shared = {"type": "NATIVE_FILTER", "description": "", "cascadeParentIds": []}
    span = " : ".join(window) if window else None
    time: dict[str, Any] = {
        **shared,
        "id": f"NATIVE_FILTER-{name}-time",
        "scope": scope(None),
        "name": TIME[language],
        "filterType": "filter_time",
        "targets": [{}],
        "controlValues": {"enableEmptyFilter": False},
        "defaultDataMask": {"extraFormData": {"time_range": span}, "filterState": {"value": span}}
        if span
        else {"extraFormData": {}, "filterState": {}},
    }
    choices = [
        {
            **shared,
            "id": f"NATIVE_FILTER-{name}-{item.column}",
            "scope": scope(item.column),
            "name": source.dimensions[item.column].name[language],
            "filterType": "filter_select",
            "targets": [{"datasetUuid": uid("dataset", item.dataset, language), "column": {"name": item.column}}],
            "controlValues": {
                "enableEmptyFilter": False,
                "defaultToFirstItem": False,
                "multiSelect": True,
                "searchAllOptions": False,
                "inverseSelection": False,
            },
            "defaultDataMask": {"extraFormData": {}, "filterState": {}},
            "adhoc_filters": [{"clause": "WHERE", "expressionType": "SQL", "sqlExpression": item.where}]
            if item.where
            else [],
        }
        for item in page.filters
    ]
    return [time, *choices]


def _colours(page: Dashboard, source: Source, kpis: dict[str, Kpi], facts: Facts, language: str) -> dict[str, str]:
    """Metric names and labels of the page to colours; a team has one only while it stands out."""
    chosen = dict(zip(facts.teams[language], TEAM_COLOURS * 20, strict=False))
    for colour in source.colours.values():
        chosen |= {text[language]: colour.hex for text in colour.labels}
    for name in page.tiles():
        chart = source.charts[name]
        weekly = bool(source.datasets[chart.dataset].weekly)
        for metric in charts.used_metrics(chart, kpis):
            parsed = metrics.parse(metric, kpis)
            key = parsed.kpi.id if parsed.part == "value" else f"*__{parsed.part}"
            for colour in source.colours.values():
                if key in colour.metrics:
                    label = metrics.label(parsed, language, weekly=weekly)
                    # A band is a series of its own, named after the label of its line.
                    names = [metric, label, f"{label}__yhat_lower", f"{label}__yhat_upper"]
                    chosen |= dict.fromkeys(names, colour.hex)
    return chosen

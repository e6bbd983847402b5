"""Charts: from a kind and a KPI to the parameters of a Superset chart, and the query behind it.

Every chart carries its ``query_context``, so that ``GET /api/v1/chart/ID/data/`` answers with the tile's numbers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from kefu.catalogue import Kpi
from kefu.dashboards import metrics
from kefu.dashboards.source import (
    Area,
    Band,
    Chart,
    Comparison,
    Dataset,
    Figures,
    Heatmap,
    Lines,
    Source,
    Tile,
    Xmr,
    speak,
)

GREY, ORANGE = "#7C8896", "#D5622A"
_NAME = re.compile(r"@name\(([a-z_]+)\)")
GRAINS = {"day": "P1D", "week": "P1W"}
_GRAIN_WORDS = {"day": {"en": "Day", "zh": "日"}, "week": {"en": "Week", "zh": "周"}}
_TARGET = {"en": "Target", "zh": "目标"}
_FIGURE_PARTS = ("state", "words", "range_words", "target_words", "place", "place_low", "place_high")
_COMPARISON_PARTS = ("state", "words", "range_words", "spread", "spread_low", "spread_high", "spread_target")


@dataclass(frozen=True)
class Facts:
    """What of a page depends on the data: the days it opens with, how high its bars reach, which teams stand out.

    ``windows``: dashboard → (first day, day after the last), ``tops``: chart → highest n at its grain,
    ``teams``: language → names of the teams whose backlog left its usual range, ``minimum_n``: values of fewer are
    hidden (E18).
    """

    windows: dict[str, tuple[str, str]]
    tops: dict[str, int]
    teams: dict[str, list[str]]
    minimum_n: int = 1


NO_FACTS = Facts({}, {}, {"en": [], "zh": []})


def used_metrics(chart: Chart, kpis: dict[str, Kpi]) -> list[str]:
    """Every metric a chart asks its dataset for, in order."""

    def scaled(kpi: str, unit: str | None) -> str:
        return f"{kpi}__{unit}" if unit else kpi

    def banded(kpi: str, unit: str | None) -> list[str]:
        name = scaled(kpi, unit)
        if kpi in kpis and kpis[kpi].low_sql is None:
            return [name]
        return [name, f"{name}__yhat_lower", f"{name}__yhat_upper"]

    match chart:
        case Band():
            return [*banded(chart.kpi, chart.unit), f"{chart.kpi}__n"]
        case Lines():
            n = [f"{chart.kpis[0]}__n"] if chart.kpis[0] in kpis and kpis[chart.kpis[0]].low_sql else []
            return [*(name for kpi in chart.kpis for name in banded(kpi, chart.unit)), *n]
        case Xmr():
            name = scaled(chart.kpi, chart.unit)
            return [name, f"{name}__yhat_lower", f"{name}__yhat_upper", f"{name}__signal"]
        case Area() | Heatmap():
            return [chart.kpi]
        case Figures():
            return [f"{kpi}__{part}" for kpi in chart.kpis for part in _FIGURE_PARTS]
        case Comparison():
            return [f"{kpi}__{part}" for kpi in chart.kpis for part in _COMPARISON_PARTS]
        case Tile():
            return []


def used_columns(chart: Chart, time: str | None) -> list[str]:
    """Every column a chart names, its time column among them."""
    match chart:
        case Tile():
            return [*chart.columns, *chart.order]
        case Comparison():
            names = [chart.by]
        case Heatmap():
            names = [chart.x, chart.y]
        case Area():
            names = [chart.by]
        case _:
            names = []
    return [*names, *([time] if time else []), *(["in_whole_week"] if "in_whole_week" in condition(chart) else [])]


def describe(
    name: str,
    chart: Chart,
    dataset: Dataset,
    time: str | None,
    source: Source,
    kpis: dict[str, Kpi],
    facts: Facts,
    language: str,
) -> dict[str, Any]:
    """A chart as Superset imports it, without its ids."""
    viz, params, queries = _params(name, chart, bool(dataset.weekly), time, source, kpis, facts, language)
    params = {"viz_type": viz, "row_limit": 10000, "adhoc_filters": _filters(chart, time, kpis), **params}
    shared = {
        "filters": [{"col": time, "op": "TEMPORAL_RANGE", "val": "No filter"}] if time else [],
        "extras": {"having": enough(chart, kpis), "where": f"({rows})" if (rows := condition(chart)) else ""},
        "row_limit": params["row_limit"],
        "annotation_layers": [],
    }
    context = {
        "datasource": {"id": 0, "type": "table"},  # the import puts the id
        "force": False,
        "queries": [{**shared, **query} for query in queries],
        "form_data": params,
        "result_format": "json",
        "result_type": "full",
    }
    return {
        "slice_name": chart.title[language],
        "description": chart.about[language] if chart.about else None,
        "certified_by": None,
        "certification_details": None,
        "viz_type": viz,
        "params": params,
        "query_context": json.dumps(context, ensure_ascii=False, sort_keys=True),
        "cache_timeout": None,
    }


def _filters(chart: Chart, time: str | None, kpis: dict[str, Kpi]) -> list[dict[str, Any]]:
    """The chart's own condition, and a hold for the page's time filter."""
    filters: list[dict[str, Any]] = []
    if rows := condition(chart):
        filters.append({"clause": "WHERE", "expressionType": "SQL", "sqlExpression": rows})
    if time:
        filters.append(
            {
                "clause": "WHERE",
                "expressionType": "SIMPLE",
                "operator": "TEMPORAL_RANGE",
                "subject": time,
                "comparator": "No filter",
            }
        )
    if cells := enough(chart, kpis):
        filters.append({"clause": "HAVING", "expressionType": "SQL", "sqlExpression": cells})
    return filters


def enough(chart: Chart, kpis: dict[str, Kpi]) -> str:
    """What a cell of a heatmap must have behind it: one bad call at night is no pattern."""
    if not isinstance(chart, Heatmap):
        return ""
    kpi = kpis[chart.kpi]
    return f"{kpi.n_sql} >= {kpi.minimum_n}"


def condition(chart: Chart) -> str:
    """The rows a chart draws: its own condition, and of a week only the whole ones."""
    whole = "in_whole_week" if isinstance(chart, Band | Lines | Area) and chart.grain == "week" else None
    return " and ".join(filter(None, (chart.where, whole)))


def _params(
    name: str,
    chart: Chart,
    weekly: bool,
    time: str | None,
    source: Source,
    kpis: dict[str, Kpi],
    facts: Facts,
    language: str,
) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    match chart:
        case Tile():
            order = [[column, True] for column in chart.order]
            params = {
                "query_mode": "raw",
                "all_columns": chart.columns,
                "handlebarsTemplate": speak(_named(source.templates[chart.template], kpis, language), language),
                "styleTemplate": "",
                "order_by_cols": [json.dumps(item) for item in order],
                "row_limit": chart.rows,
            }
            return "handlebars", params, [{"columns": chart.columns, "metrics": None, "orderby": order}]
        case Figures() | Comparison():
            asked = used_metrics(chart, kpis)
            groups = [chart.by] if isinstance(chart, Comparison) else []
            order = [[group, True] for group in groups]
            template = source.templates["comparison" if groups else "figures"]
            if isinstance(chart, Comparison):
                template = template.replace("@by", chart.by).replace(
                    "@dimension", source.dimensions[chart.by].name[language]
                )
            params = {
                "query_mode": "aggregate",
                "groupby": groups,
                "metrics": asked,
                "handlebarsTemplate": speak(_repeat(template, [kpis[kpi] for kpi in chart.kpis], language), language),
                "styleTemplate": "",
                "order_by_cols": [json.dumps(item) for item in order],
                "row_limit": 1000,
            }
            return "handlebars", params, [{"columns": groups, "metrics": asked, "orderby": order}]
        case Heatmap():
            params = {
                "x_axis": chart.x,
                "groupby": chart.y,
                "metric": chart.kpi,
                "linear_color_scheme": "kefu_worse",
                "xscale_interval": 1,
                "yscale_interval": 1,
                "sort_x_axis": "alpha_asc",
                "sort_y_axis": "alpha_desc",
                "normalize_across": "heatmap",
                "legend_type": "continuous",
                "show_legend": False,
                "show_percentage": False,
                "show_values": True,
                "normalized": False,
                "value_bounds": [None, None],
                "y_axis_format": ".0%" if kpis[chart.kpi].unit == "percent" else "~s",
                "border_color": {"r": 0, "g": 0, "b": 0, "a": 0},
                "border_width": 0,
            }
            return "heatmap_v2", params, [{"columns": [chart.x, chart.y], "metrics": [chart.kpi], "orderby": []}]
        case Area():
            params = {
                **_timeline(chart.kpi, chart.grain, time, kpis, language),
                "metrics": [chart.kpi],
                "groupby": [chart.by],
                "stack": "Stack",
                "sort_series_type": "sum",
                "sort_series_ascending": False,
                "opacity": 0.35,
                "show_legend": True,
                "y_axis_format": ",d",
            }
            query = {
                "columns": [_base_axis(time, chart.grain), chart.by],
                "metrics": [chart.kpi],
                "series_columns": [chart.by],
            }
            return "echarts_area", params, [query]
        case Band() | Lines() | Xmr():
            return _mixed(name, chart, time, kpis, facts, language)


def _mixed(
    name: str, chart: Band | Lines | Xmr, time: str | None, kpis: dict[str, Kpi], facts: Facts, language: str
) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """Lines in their bands; below them n, or on them the signals."""
    asked = used_metrics(chart, kpis)
    second = [metric for metric in asked if metric.endswith(("__n", "__signal"))]
    first = [metric for metric in asked if metric not in second]
    kpi = kpis[chart.kpis[0] if isinstance(chart, Lines) else chart.kpi]
    grain = "week" if isinstance(chart, Xmr) else chart.grain
    described = metrics.describe(metrics.parse(first[0], kpis), first[0], language)
    form = described["d3format"]
    params = {
        **_timeline(kpi.id, grain, time, kpis, language),
        "metrics": first,
        "groupby": [],
        "y_axis_format": form,
        "opacity": 0.18,
        "truncateYAxis": kpi.low_sql is not None or isinstance(chart, Xmr),
        "annotation_layers": _target(kpi, chart, language),
    }
    if not second:
        return "echarts_timeseries_line", params, [{"columns": [_base_axis(time, grain)], "metrics": first}]
    params |= {
        "seriesType": "line",
        "metrics_b": second,
        "groupby_b": [],
        "adhoc_filters_b": _filters(chart, time, kpis),
        "yAxisIndex": 0,
    }
    if isinstance(chart, Xmr):
        params |= {"seriesTypeB": "scatter", "markerEnabledB": True, "markerSizeB": 9, "yAxisIndexB": 0}
    else:
        top = facts.tops.get(name)
        params |= {
            "seriesTypeB": "bar",
            "yAxisIndexB": 1,
            "opacityB": 0.5,
            "y_axis_format_secondary": ",d",
            # Bars stay at the foot, clear of the line.
            "y_axis_bounds_secondary": [0, None if top is None else _headroom(top)],
        }
    axis = _base_axis(time, grain)
    return "mixed_timeseries", params, [{"columns": [axis], "metrics": first}, {"columns": [axis], "metrics": second}]


def _timeline(kpi: str, grain: str, time: str | None, kpis: dict[str, Kpi], language: str) -> dict[str, Any]:
    basis = kpis[kpi].date_basis[language]
    english = language == "en"
    return {
        "x_axis": time,
        "time_grain_sqla": GRAINS[grain],
        "x_axis_title": f"{_GRAIN_WORDS[grain][language]} · {basis}",
        "x_axis_title_margin": 22,
        "y_axis_title_margin": 0,
        "x_axis_time_format": "%d %b" if english else "%m-%d",
        "tooltipTimeFormat": "%d %b %Y" if english else "%Y-%m-%d",
        "rich_tooltip": True,
        "show_legend": True,
        "legendOrientation": "top",
        "legendType": "plain",
        "color_scheme": "kefu",
        "sort_series_type": "name",
        "truncate_metric": True,
    }


def _base_axis(time: str | None, grain: str) -> dict[str, Any]:
    return {
        "columnType": "BASE_AXIS",
        "expressionType": "SQL",
        "label": time,
        "sqlExpression": time,
        "timeGrain": GRAINS[grain],
    }


def _target(kpi: Kpi, chart: Band | Lines | Xmr, language: str) -> list[dict[str, Any]]:
    if kpi.target is None or isinstance(chart, Lines):
        return []
    value = kpi.target / metrics.SCALES[chart.unit] if chart.unit else kpi.target
    return [
        {
            "name": f"{_TARGET[language]} {_number(value, kpi, chart.unit, language)}",
            "annotationType": "FORMULA",
            "value": f"{value:g}",
            "style": "dashed",
            "color": GREY,
            "width": 1,
            "opacity": "",
            "show": True,
            "showLabel": False,
            "showMarkers": False,
            "hideLine": False,
            "sourceType": "",
            "overrides": {"time_range": None},
        }
    ]


def _number(value: float, kpi: Kpi, scale: str | None, language: str) -> str:
    if kpi.unit == "percent":
        return f"{100 * value:g}%"
    word = metrics.UNIT_WORDS.get(scale or kpi.unit)
    return f"{value:g} {word[language]}" if word else f"{value:g}"


def _headroom(top: int) -> int:
    """A scale on which bars reach a quarter of the height at most, and which does not change with every case.

    Superset draws as many ticks as the other axis has: multiples of 840 divide evenly by 3 to 8.
    """
    step = 840
    if 4 * top <= step:
        return max(4, 4 * top)
    while True:
        for factor in (1, 2, 3, 5):
            if factor * step >= 4 * top:
                return factor * step
        step *= 10


def _named(template: str, kpis: dict[str, Kpi], language: str) -> str:
    """Put a KPI's name for ``@name(kpi)``."""
    return _NAME.sub(lambda match: kpis[match[1]].name[language], template)


def _repeat(template: str, kpis: list[Kpi], language: str) -> str:
    """Repeat what stands between ``<!-- each -->`` and ``<!-- end -->`` for every KPI, with its name and target."""
    head, _, rest = template.partition("<!-- each -->")
    if not rest:
        return template
    block, _, tail = rest.partition("<!-- end -->")
    blocks = []
    for kpi in kpis:
        scale = metrics.axis(kpi) is not None
        blocks.append(
            block.replace("@kpi", kpi.id)
            .replace("@name", kpi.name[language])
            .replace("@basis", kpi.date_basis[language])
            .replace("@scale", "yes" if scale else "")
            .replace("@interval", "yes" if kpi.low_sql else "")
            .replace("@has_target", "yes" if kpi.target is not None and kpi.direction in ("up", "down") else "")
            .replace("@target", str(metrics.place_of_target(kpi)))
        )
    return head + "".join(blocks) + _repeat(tail, kpis, language)

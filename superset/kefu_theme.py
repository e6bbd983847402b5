"""How Kefu looks in Superset: two themes, two colour schemes, and what a tile may contain.

`superset_config.py` imports the names in ``__all__``. Nothing is downloaded: Superset bundles Inter, and the machine
brings the Chinese font (Debian: fonts-noto-cjk). Blue is better, orange is worse, grey is ordinary, on either ground.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from flask import Flask

__all__ = [
    "APP_NAME",
    "ENABLE_UI_THEME_ADMINISTRATION",
    "EXTRA_CATEGORICAL_COLOR_SCHEMES",
    "EXTRA_SEQUENTIAL_COLOR_SCHEMES",
    "FLASK_APP_MUTATOR",
    "HTML_SANITIZATION_SCHEMA_EXTENSIONS",
    "KEFU_CONTENT_SECURITY_POLICY",
    "KEFU_FEATURE_FLAGS",
    "LANGUAGES",
    "STORE_CACHE_KEYS_IN_METADATA_DB",
    "THEME_DARK",
    "THEME_DEFAULT",
]

APP_NAME = "Kefu"
LANGUAGES = {"en": {"flag": "us", "name": "English"}, "zh": {"flag": "cn", "name": "简体中文"}}

KEFU_FEATURE_FLAGS = {
    "CSS_TEMPLATES": True,
    "DRILL_TO_DETAIL": True,
    "EMBEDDED_SUPERSET": False,
}

# A theme saved in the browser would win over this file, and two people would see two Kefus.
ENABLE_UI_THEME_ADMINISTRATION = False

# A publication invalidates exactly the keys of our datasets (kefu.dashboards.refresh).
STORE_CACHE_KEYS_IN_METADATA_DB = True

FONT = "Inter, 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', system-ui, sans-serif"

# Mid-tones, since a series keeps its colour in both themes: at least 3 : 1 on white and on the dark ground.
BLUE, ORANGE, GREY, TEAL, VIOLET, OCHRE = "#2F7DC1", "#D5622A", "#7C8896", "#2A9187", "#8B6FC0", "#B07F1E"

EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "kefu",
        "label": "Kefu",
        "description": "Blue first; orange last, it means a signal.",
        "isDefault": True,
        "colors": [BLUE, TEAL, VIOLET, OCHRE, GREY, ORANGE],
    }
]
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [
    {
        "id": "kefu_worse",
        "label": "Kefu: low is worse",
        "description": "",
        "isDiverging": False,
        "isDefault": True,
        "colors": ["#B4481A", "#E08A52", "#F0C9A8", "#DCE6EF", "#C3D7EA"],
    }
]

# Everything comes from this server. Handlebars compiles its templates in the browser, hence 'unsafe-eval'.
KEFU_CONTENT_SECURITY_POLICY = {
    "base-uri": ["'self'"],
    "default-src": ["'self'"],
    "img-src": ["'self'", "blob:", "data:"],
    "worker-src": ["'self'", "blob:"],
    "connect-src": ["'self'"],
    "object-src": "'none'",
    "style-src": ["'self'", "'unsafe-inline'"],
    "font-src": ["'self'", "data:"],
    "script-src": ["'self'", "'strict-dynamic'", "'unsafe-eval'"],
}


_LINES = ("line", "smooth", "step", "bar", "scatter")


def _logo(ink: str, accent: str) -> str:
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 92 24'>"
        "<path d='M2 3h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-9l-5 5v-5h-2a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2z' "
        f"fill='{accent}'/><text x='29' y='18' font-family='Inter,sans-serif' font-size='19' font-weight='600' "
        f"fill='{ink}'>Kefu</text></svg>"
    )
    return "data:image/svg+xml," + quote(svg)


def _theme(algorithm: str, *, ground: str, tile: str, ink: str, muted: str, line: str, primary: str) -> dict[str, Any]:
    """A complete Superset theme from six colours; Superset replaces its own theme by it, it does not merge."""
    axis = {
        "axisLine": {"lineStyle": {"color": line}},
        "axisLabel": {"color": muted, "fontSize": 11, "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": line, "opacity": 0.6}},
    }
    # Room for the legend above and the name of the time axis below.
    lines = {"grid": {"top": 44, "bottom": 30, "left": 8, "right": 16, "containLabel": True}}
    timelines = (
        "mixed_timeseries",
        "echarts_area",
        "echarts_timeseries",
        *(f"echarts_timeseries_{kind}" for kind in _LINES),
    )
    return {
        "algorithm": algorithm,
        "token": {
            "brandAppName": APP_NAME,
            "brandLogoAlt": APP_NAME,
            "brandLogoUrl": _logo(ink, primary),
            "brandLogoHeight": "22px",
            "brandLogoMargin": "15px 0",
            "brandLogoHref": "/",  # without it the login page stays blank
            "brandIconMaxWidth": 92,
            "brandSpinnerUrl": None,
            "brandSpinnerSvg": None,
            "transitionTiming": 0.3,
            "fontFamily": FONT,
            "fontFamilyCode": "'IBM Plex Mono', 'Courier New', monospace",
            "fontUrls": [],
            "fontSize": 14,
            "fontSizeXS": "8",
            "fontSizeXXL": "28",
            "fontWeightNormal": "400",
            "fontWeightLight": "300",
            "fontWeightBold": "700",
            "fontWeightStrong": "600",
            "colorPrimary": primary,
            "colorLink": primary,
            "colorInfo": primary,
            "colorSuccess": BLUE,  # never red against green
            "colorWarning": OCHRE,
            "colorError": ORANGE,
            "colorBgBase": tile,
            "colorBgLayout": ground,
            "colorBgContainer": tile,
            "colorTextBase": ink,
            "colorBorder": line,
            "colorBorderSecondary": line,
            "colorEditorSelection": line,
            "borderRadius": 4,
        },
        "echartsOptionsOverrides": {
            "textStyle": {"fontFamily": FONT, "color": muted},
            # For the charts that do not say their type, heatmaps among them; Superset leaves 60 px above those.
            "grid": {"top": 8, "bottom": 8, "left": 8, "right": 8, "containLabel": True},
            "xAxis": {**axis, "splitLine": {"show": False}},
            "yAxis": axis,
            "legend": {
                "textStyle": {"color": muted, "fontSize": 12},
                "itemWidth": 14,
                "itemHeight": 8,
                "selector": False,
                "left": 0,
            },
        },
        "echartsOptionsOverridesByChartType": dict.fromkeys(timelines, lines),
    }


THEME_DEFAULT = _theme(
    "default",
    ground="#F4F5F7",
    tile="#FFFFFF",
    ink="#1C2530",
    muted="#5A6673",
    line="#DDE2E8",
    primary="#1F6BAE",
)
THEME_DARK = _theme(
    "dark",
    ground="#10151B",
    tile="#182029",
    ink="#E8ECF1",
    muted="#A3AFBC",
    line="#303B47",
    primary="#6AAAE6",
)

# Tiles draw whiskers and sparklines as SVG with classes: no inline style, no script.
_SHAPE = [
    *("className", "role", "ariaLabel", "viewBox", "preserveAspectRatio", "points", "d", "width", "height"),
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx"),
]
HTML_SANITIZATION_SCHEMA_EXTENSIONS = {
    "tagNames": ["svg", "g", "line", "rect", "circle", "polyline", "path"],
    "attributes": {"*": _SHAPE},
}


def FLASK_APP_MUTATOR(app: Flask) -> None:  # noqa: N802 - Superset's name for it
    """Put our own head in front of Superset's: it sends neither a viewport nor the page's language."""
    from jinja2 import ChoiceLoader, FileSystemLoader

    templates = Path(__file__).resolve().parent / "templates"
    app.jinja_loader = ChoiceLoader([FileSystemLoader(templates), app.jinja_loader])

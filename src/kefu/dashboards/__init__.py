"""Superset's dashboards as code: compiled from superset/source and the KPI catalogue, imported over REST.

`check` walks everything offline, `refresh` shows what is published now, `screenshot` takes a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from kefu.settings import Settings

if TYPE_CHECKING:
    from kefu.dashboards.sync import Refreshed


def functions_sql() -> str:
    """The SQL functions that write numbers, for `kefu.warehouse.prepare`."""
    return files("kefu.dashboards").joinpath("functions.sql").read_text(encoding="utf-8")


def refresh(settings: Settings, say: Callable[[str], None] = lambda line: None) -> Refreshed:
    """Bring Superset to what the source and the published data say; see `kefu.dashboards.sync`."""
    from kefu.dashboards import sync

    return sync.refresh(settings, say)


def check(project: Path) -> list[str]:
    """Everything wrong with the dashboards of a project, in words, offline; empty when nothing is."""
    from kefu.dashboards import validate

    return validate.problems(project)


def screenshot(
    settings: Settings,
    slug: str,
    path: Path,
    width: int = 1440,
    height: int = 900,
    *,
    dark: bool = False,
    whole: bool = False,
) -> None:
    """A picture of a page as the executive sees it; see `kefu.dashboards.browser`."""
    from kefu.dashboards import browser

    browser.screenshot(settings, slug, path, width, height, dark=dark, whole=whole)

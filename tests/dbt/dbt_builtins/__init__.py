"""What sqlfluff's own imitation of dbt lacks for our macros: ``adapter.dispatch``, ``target`` and ``flags``.

The catalogue stands in for itself with the first KPI of each table: of a hundred the style is the same.

Named by ``library_path`` in ``[tool.sqlfluff]``. With it the style of the models is checked without a warehouse and
without dbt; the real dbt compiles them in the tests beside this folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

ENGINE = "postgres"


@pass_context
def _dispatch(context: Context, name: str, macro_namespace: str | None = None) -> Callable[..., str]:
    """The engine's own version of a macro; it stands in the file of the macro that asks."""
    macro: Callable[..., str] = context[f"{ENGINE}__{name}"]
    return macro


adapter: Any = SimpleNamespace(dispatch=_dispatch)
target: Any = SimpleNamespace(type=ENGINE, name="slot_a", schema="staging")
flags: Any = SimpleNamespace(FULL_REFRESH=False)


def kpi_parts() -> list[dict[str, Any]]:
    """Of the generated macro of that name the first KPI of each table."""
    macro = Path(__file__).resolve().parents[3] / "dbt_project" / "macros" / "generated" / "kpi_parts.sql"
    text = macro.read_text(encoding="utf-8")
    kpis = json.loads(text[text.index("return(") + len("return(") : text.rindex("])") + 1].replace(": none", ": null"))
    return list({kpi["table"]: kpi for kpi in reversed(kpis)}.values())

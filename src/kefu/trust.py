"""How far a KPI's numbers can be trusted (D01): the weighted share of rules that hold where they come from.

Where they come from is its own table, the marts and kpis that is made of, and what landed from the sources whose rows
it counts. Each was last looked at by some check; what that found is what counts, also if the check came after the
publication: numbers that stay on the page because newer ones failed are trusted less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kefu import catalogue, kpi, publish, warehouse
from kefu.errors import KefuError
from kefu.kpi import Question
from kefu.settings import Settings

COLUMNS = ["kpi", "value", "numerator", "denominator", "n", "is_trusted", "broken", "unit"]
# A rule that stops a publication weighs three times one that warns.
WEIGHTS = {"critical": 3, "warning": 1, "info": 0}
LIMIT = 0.95  # below it nobody should act on the number
_NAMED = re.compile(r"'((?:kpi|fct|dim)_\w+)'")

_LAST = """
    select c.table_name, c.rule, c.severity, c.ok
    from control.checks as c
    inner join (
        select edge, subject, max(checked_at) as checked_at from control.checks
        where subject = any(%(subjects)s) group by edge, subject
    ) as latest using (edge, subject, checked_at)
"""


def trust(settings: Settings, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One row a KPI, the least trusted first: ``value`` is ``numerator`` over ``denominator``, weights of the rules
    that hold and of all; ``n`` rules, ``broken`` those that do not hold, ``is_trusted`` at 95 % or more.

    ``names``: of these only (default: of all). Value and is_trusted are None where no rule was ever checked.
    Raises KefuError: no such KPI; nothing published.
    """
    kpis = [catalogue.get(settings.project, name) for name in names or catalogue.load(settings.project)]
    current = publish.status(settings).current
    if current is None:
        raise KefuError("Nothing has been published yet.", do="Run `kefu run`, or `kefu demo` for an invented centre.")
    upstream = lineage(settings.project)
    with warehouse.connect(settings, "analyst") as reader:
        sources = {one.id: _sources(settings, one, reader) for one in kpis}
    slot = f"slot {current.slot}"
    subjects = [slot, *{f"raw_{source}" for found in sources.values() for source in found}]
    with warehouse.connect(settings) as connection:
        checks = connection.execute(_LAST, {"subjects": subjects}).fetchall()
    rows = []
    for one in kpis:
        tables = {one.table, *upstream.get(one.table, ())}
        schemas = {f"raw_{source}" for source in sources[one.id]}
        rows.append(
            {"kpi": one.id}
            | _score([check for check in checks if _is_of(check[0], tables, schemas)])
            | {"unit": "percent"}
        )
    return sorted(rows, key=lambda row: (row["value"] is None, row["value"], row["kpi"]))


def lineage(project: Path) -> dict[str, set[str]]:
    """Every model of marts and kpis -> those of marts and kpis its rows are made of, at whatever distance.

    Read from the text of the models, which name each other in quotes. dbt's own lineage also holds whom a model tells
    that something has changed; that is an order of work, not where numbers come from.
    """
    folder = project / "dbt_project" / "models"
    texts = {
        path.stem: path.read_text(encoding="utf-8")
        for part in ("marts", "kpis")
        for path in (folder / part).rglob("*.sql")
    }
    direct = {
        name: {found for found in _NAMED.findall(_without_comments(text)) if found in texts}
        for name, text in texts.items()
    }
    found: dict[str, set[str]] = {}

    def above(name: str) -> set[str]:
        if name not in found:
            found[name] = set()
            for parent in direct[name] - {name}:
                found[name] |= {parent, *above(parent)}
        return found[name]

    for name in direct:
        above(name)
    return found


def _without_comments(text: str) -> str:
    """Comments hold the order of models (``depends_on``), the configuration whom they tell of changes."""
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{\{\s*config\(.*?\)\s*\}\}", "", text, flags=re.DOTALL)
    return re.sub(r"--.*", "", text)


def _sources(settings: Settings, one: catalogue.Kpi, reader: Any) -> set[str]:
    """The sources whose rows a KPI counts."""
    if "source" not in one.dimensions:
        return {source.name for source in settings.sources.values()}
    rows = kpi.ask(settings, Question(one.id, by=("source",)), reader)
    return {row["source"] for row in rows if row["n"] or row["numerator"]}


def _is_of(table: str, tables: set[str], schemas: set[str]) -> bool:
    schema, _, name = table.partition(".")
    return name in tables if schema.startswith(("marts", "kpis")) else schema in schemas


def _score(checks: Sequence[tuple[str, str, str, bool]]) -> dict[str, Any]:
    weighed = [(WEIGHTS[severity], ok) for _, _, severity, ok in checks]
    every = sum(weight for weight, _ in weighed)
    held = sum(weight for weight, ok in weighed if ok)
    value = held / every if every else None
    return {
        "value": value,
        "numerator": held,
        "denominator": every,
        "n": len(checks),
        "is_trusted": None if value is None else value >= LIMIT,
        "broken": "; ".join(sorted({f"{table}: {rule}" for table, rule, _, ok in checks if not ok})),
    }


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """One line: how many KPIs are below the limit."""
    doubtful = sum(row["is_trusted"] is False for row in rows)
    unknown = sum(row["is_trusted"] is None for row in rows)
    said = f"{doubtful} of {len(rows)} KPIs below {LIMIT:.0%}: better not acted on" if doubtful else ""
    return "; ".join(filter(None, (said, f"{unknown} never checked" if unknown else ""))) or "All can be trusted."

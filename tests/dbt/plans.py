"""How Postgres went about the statements of a build: every plan, with the rows that passed through it, from its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from psycopg import sql

from kefu import warehouse
from kefu.settings import Settings
from kefu.stack import state

Plan = dict[str, Any]

# What Postgres' own module auto_explain is asked for: each statement of dbt, as JSON, with the rows of each step.
ASKED = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}
MANY = 20_000  # fewer comparisons are no matter, however they come about
CALENDAR = {"dim_date"}  # has as many rows as there are days, however many tickets


class Comparison(NamedTuple):
    """A join that held rows against each other one by one."""

    statement: str
    compared: int
    rows: int


@contextmanager
def watched(settings: Settings) -> Iterator[list[tuple[str, Plan]]]:
    """Statements dbt runs in the database while the context lasts, with their plans; the list is filled at its end."""
    log = state.log_file(settings, "postgres")
    role = sql.SQL("alter role transformer in database {} ").format(sql.Identifier(settings.warehouse.database))
    found: list[tuple[str, Plan]] = []
    with warehouse.connect(settings, "admin", autocommit=True) as connection:
        for name, value in ASKED.items():
            connection.execute(role + sql.SQL("set {} = {}").format(_name(name), sql.Literal(value)))
        began = log.stat().st_size
        try:
            yield found
        finally:
            connection.execute(role + sql.SQL("reset all"))
            with log.open("rb") as file:
                file.seek(began)
                text = file.read().decode(errors="replace")
    mark = re.escape(f"transformer@{settings.warehouse.database} ")
    for match in re.finditer(rf"{mark}LOG:  duration: .* plan:\n((?:\t.*\n)+)", text):
        told = json.loads(match.group(1))
        found.append((_statement(told["Query Text"]), told["Plan"]))


def one_by_one(seen: list[tuple[str, Plan]]) -> list[Comparison]:
    """Joins that compared many times as many rows as went in and came out: their work grows with the square."""
    found = [
        Comparison(statement, compared, rows)
        for statement, plan in seen
        for compared, rows in _repeated(plan)
        if compared > MANY and compared > 30 * rows
    ]
    return sorted(set(found), key=lambda comparison: -comparison.compared)


def _repeated(plan: Plan) -> Iterator[tuple[int, int]]:
    """Of every step that does something anew for each row: the rows it held against it, and those in and out of it."""
    parts = {part["Parent Relationship"]: part for part in plan.get("Plans", ())}
    if plan["Node Type"] == "Nested Loop" and parts["Inner"]["Actual Loops"] > 1:
        outer, inner = parts["Outer"], parts["Inner"]
        thrown_away = plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"]
        once = inner["Actual Rows"] if inner["Node Type"] != "Index Scan" else 0
        rows = outer["Actual Rows"] * outer["Actual Loops"] + once + plan["Actual Rows"] * plan["Actual Loops"]
        if set(_relations(inner)) != CALENDAR:
            yield round(max(thrown_away, _taken_up(inner))), round(rows)
    for part in plan.get("Plans", ()):
        if part["Parent Relationship"] == "SubPlan" and part["Actual Loops"] > 1:
            yield round(_taken_up(part)), round((1 + part["Actual Rows"]) * part["Actual Loops"])
        yield from _repeated(part)


def _taken_up(step: Plan, is_below: bool = False) -> float:
    """The most rows a repeated step, or one below it, took up in all; of what an index finds below, those in vain."""
    vain = step.get("Rows Removed by Filter", 0)
    by_index = step["Node Type"].startswith(("Index", "Bitmap"))
    taken = vain if is_below and by_index else step["Actual Rows"] + vain
    counts = not is_below or "Scan" in step["Node Type"]
    below = [_taken_up(part, is_below=True) for part in step.get("Plans", ())]
    return max([taken * step["Actual Loops"] if counts else 0, *below])


def _relations(plan: Plan) -> Iterator[str]:
    """What a plan reads: tables, and common table expressions by their names."""
    if name := plan.get("Relation Name") or plan.get("CTE Name"):
        yield name
    for part in plan.get("Plans", ()):
        yield from _relations(part)


def _statement(query: str) -> str:
    """The model or test a statement is for, by the comment dbt puts before it, or the statement."""
    node = re.search(r'"node_id": "\w+\.kefu\.([\w.]+)"', query)
    return node.group(1) if node else " ".join(query.split())[:200]


def _name(setting: str) -> sql.Composable:
    return sql.SQL(".").join(map(sql.Identifier, setting.split(".")))

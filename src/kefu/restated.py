"""How much published values moved afterwards (D05): each day as it was first reported and as it is reported now.

A day counts as reported once it is over where the centre is: what was published during it was not meant to be final.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from kefu import history, kpi, warehouse
from kefu.kpi import Question
from kefu.settings import Settings

COLUMNS = [
    "kpi", "day", "publication", "published_at", "first_value", "first_n", "value", "n", "difference", "size", "unit",
]  # fmt: skip
SCALES = {"percent": (100, "points"), "points": (1, "points")}  # shares move by percentage points


def restated(
    settings: Settings, name: str, first: date | None = None, last: date | None = None
) -> list[dict[str, Any]]:
    """One row a reporting day: first reported and present value, ``difference`` (now less then) and its ``size``.

    Where only one of the two has a value, difference and size are None. Raises KefuError: no such KPI; nothing
    published.
    """
    with warehouse.connect(settings, "analyst") as reader:
        then = dict(_first_reported(settings, reader, name, first, last))
        now = {row["from"]: row for row in kpi.ask(settings, Question(name, first, last, grain="day"), reader)}
    rows = []
    for day in sorted(then):
        publication, was = then[day]
        is_now = now.get(day, {})
        before, after = was["value"], is_now.get("value")
        scale, unit = SCALES.get(was["unit"], (1, was["unit"]))
        moved = None if before is None or after is None else scale * (after - before)
        if before is None and after is None:
            moved = 0
        rows.append(
            {
                "kpi": name,
                "day": day,
                "publication": publication.publication_id,
                "published_at": publication.published_at,
                "first_value": before,
                "first_n": was["n"],
                "value": after,
                "n": is_now.get("n"),
                "difference": moved,
                "size": None if moved is None else abs(moved),
                "unit": unit,
            }
        )
    return rows


def _first_reported(
    settings: Settings, reader: psycopg.Connection[Any], name: str, first: date | None, last: date | None
) -> Iterator[tuple[date, tuple[history.Published, dict[str, Any]]]]:
    """Each day with the first publication made after it was over, and what that said."""
    zone = ZoneInfo(settings.reporting_zone)
    reported: date | None = None
    for publication in history.publications(reader):
        over = publication.as_of_at.replace(tzinfo=UTC).astimezone(zone).date() - timedelta(days=1)
        if reported is not None and over <= reported:
            continue
        start = max(filter(None, (first, reported and reported + timedelta(days=1))), default=None)
        end = min(filter(None, (last, over)))
        reported = over
        if start is not None and start > end:
            continue
        question = Question(name, start, end, grain="day", as_reported=publication.published_at)
        for row in kpi.ask(settings, question, reader):
            yield row["from"], (publication, row)


def summary(rows: list[dict[str, Any]]) -> str:
    """One line: how many days moved, and by how much on average."""
    sizes = [row["size"] for row in rows if row["size"] is not None]
    moved = sum(row["size"] != 0 for row in rows)
    if not sizes:
        return "No day has been reported twice."
    mean = sum(sizes) / len(sizes)
    by = f"by {mean:g} {rows[0]['unit']} on average over all days"
    return f"{moved} of {len(rows)} days have moved since they were first reported, {by}"

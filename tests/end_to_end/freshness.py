"""How old the newest thing known of each source was at the end of every day, from the facts that KPIs count."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from tests.end_to_end.independent import frame

# Frames whose rows say when it happened (`at`).
OF = ("arrivals", "created", "replied", "solved", "resolved", "turns", "answers", "evaluations")


def ages(frames: Mapping[str, pd.DataFrame], zone: ZoneInfo, as_of: datetime) -> pd.DataFrame:
    """One row a source and day, from the source's first one to that of the as-of time."""
    moments: dict[str, list[int]] = {}
    for name in OF:
        for source, at in zip(frames[name].source, frames[name]["at"], strict=True) if name in frames else ():
            moments.setdefault(source, []).append(math.floor(at.timestamp()))
    return frame(
        (row for source, found in moments.items() for row in _days(source, sorted(found), zone, as_of)),
        ("date", "source", "age"),
    )


def _days(source: str, moments: list[int], zone: ZoneInfo, as_of: datetime) -> Iterator[dict[str, Any]]:
    now = as_of.timestamp()
    day = datetime.fromtimestamp(moments[0], zone).date()
    while day <= as_of.astimezone(zone).date():
        midnight = datetime.combine(day + timedelta(days=1), time(), zone).timestamp()
        newest = moments[min(bisect_left(moments, midnight), bisect_right(moments, now)) - 1]
        yield {"date": day, "source": source, "age": math.floor(min(midnight, now)) - newest}
        day += timedelta(days=1)

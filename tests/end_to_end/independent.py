"""The KPIs computed a second time, with pandas on plain rows, sharing no code and no SQL with the models.

``Facts`` are what any source tells, one row a thing; `answers` forms a KPI from them at a grain and by dimensions.
Definitions are those of docs/kpis.md, written down again on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

Z = 1.959963984540054


@dataclass(frozen=True)
class Facts:
    """Frames, each with `date` (reporting day of the booking) and dimension columns.

    contacts: source channel queue team answered abandoned wait [s] transferred (None: not recorded); offered ones only
    legs: source channel queue team talk [s] hold [s] wrap [s] (None: not measured)
    created, replied, solved, resolved: source channel team priority seconds; solved also reopened, one_touch,
        reassignments (None: not recorded)
    piles: source channel team priority open, one row a day and combination (end of day)
    answers: source channel team survey segment metric (csat, nps) positive score group
    invitations: source channel team survey segment answered; delivered ones only
    issues: source channel team queue contacts channels due resolved final fcr
    linkable: source channel team queue linked, one row a contact of a customer
    """

    contacts: pd.DataFrame
    legs: pd.DataFrame
    created: pd.DataFrame
    replied: pd.DataFrame
    solved: pd.DataFrame
    resolved: pd.DataFrame
    piles: pd.DataFrame
    answers: pd.DataFrame
    invitations: pd.DataFrame
    issues: pd.DataFrame = field(default_factory=pd.DataFrame)
    linkable: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Answer:
    """One row of an answer, with the interval's ends."""

    value: float | None
    numerator: float
    n: float
    low: float | None
    high: float | None


Group = pd.DataFrame
Formula = Callable[[Group], Answer]


def count(frame: Group) -> Answer:
    """A full count."""
    return Answer(float(len(frame)), len(frame), len(frame), None, None)


def share(numerator: pd.Series, denominator: pd.Series) -> Answer:
    """A share with its Wilson interval; both are boolean series, or counts."""
    x, n = int(numerator.sum()), int(denominator.sum())
    if n == 0:
        return Answer(None, x, 0, None, None)
    p = x / n
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Answer(p, x, n, max(0.0, middle - half), min(1.0, middle + half))


def mean(values: pd.Series) -> Answer:
    """A mean with its normal interval; missing values are left out."""
    known = values.dropna()
    n, total = len(known), sum(known)
    total = int(total) if float(total).is_integer() else float(total)
    if n == 0:
        return Answer(None, total, 0, None, None)
    if n < 2:
        return Answer(total / n, total, n, None, None)
    half = Z * float(known.astype(float).std(ddof=1)) / math.sqrt(n)
    return Answer(total / n, total, n, total / n - half, total / n + half)


def nps(groups: pd.Series) -> Answer:
    """Net promoter score with the adjusted-Wald interval: 3/4 of an answer more for each end, 3 more in all."""
    n, up, down = len(groups), int((groups == "promoter").sum()), int((groups == "detractor").sum())
    if n == 0:
        return Answer(None, 0, 0, None, None)
    m, p, d = n + 3, up + 0.75, down + 0.75
    score = (p - d) / m
    half = Z * math.sqrt(((p + d) / m - score * score) / m)
    low, high = max(-100.0, 100 * (score - half)), min(100.0, 100 * (score + half))
    return Answer(100 * (up - down) / n, up - down, n, low, high)


def _short(frame: Group) -> pd.Series:
    return frame.abandoned & (frame.wait < frame.short)


# KPI: which frame, and the formula over its rows.
KPIS: dict[str, tuple[str, Formula]] = {
    "offered": ("contacts", count),
    "answered": ("contacts", lambda f: count(f[f.answered])),
    "answer_rate": ("contacts", lambda f: share(f.answered, ~_short(f))),
    "abandon_rate": ("contacts", lambda f: share(f.abandoned & ~_short(f), ~_short(f))),
    "short_abandon_rate": ("contacts", lambda f: share(_short(f), f.offered)),
    "service_level": (
        "contacts",
        lambda f: share(f.answered & (f.wait <= 20), f.answered | (f.abandoned & ~_short(f))),
    ),
    "average_speed_of_answer": ("contacts", lambda f: mean(f.wait[f.answered])),
    "average_abandon_wait": ("contacts", lambda f: mean(f.wait[f.abandoned & ~_short(f)])),
    "average_handle_time": ("legs", lambda f: mean(f.talk + f.hold.fillna(0) + f.wrap.fillna(0))),
    "average_talk_time": ("legs", lambda f: mean(f.talk)),
    "average_wrap_time": ("legs", lambda f: mean(f.wrap)),
    "transfer_rate": (
        "contacts",
        lambda f: share(
            f.answered & f.transferred.notna() & (f.transferred == True),  # noqa: E712 (None is a third value)
            f.answered & f.transferred.notna(),
        ),
    ),
    "tickets_created": ("created", count),
    "tickets_solved": ("solved", count),
    "first_reply_time": ("replied", lambda f: mean(f.seconds)),
    "first_resolution_time": ("solved", lambda f: mean(f.seconds)),
    "full_resolution_time": ("resolved", lambda f: mean(f.seconds)),
    "reopen_rate": ("solved", lambda f: share(f.reopened == True, f.reopened.notna())),  # noqa: E712
    "one_touch_rate": ("solved", lambda f: share(f.one_touch == True, f.one_touch.notna())),  # noqa: E712
    "reassignments": ("solved", lambda f: mean(f.reassignments)),
    "backlog": ("piles", lambda f: _last_day(f)),
    "first_contact_resolution": ("issues", lambda f: share(f.fcr & f.final, f.resolved & f.final)),
    "repeat_contact_rate": ("issues", lambda f: share(f.contacts - 1, f.contacts)),
    "contacts_per_issue": ("issues", lambda f: mean(f.contacts)),
    "resolution_rate": ("issues", lambda f: share(f.resolved & f.due, f.due)),
    "channel_switch_rate": ("issues", lambda f: share(f.channels > 1, f.channels > 0)),
    "customer_link_rate": ("linkable", lambda f: share(f.linked, f.linked | True)),
    "csat": ("answers", lambda f: share(f.positive[f.metric == "csat"], f.metric == "csat")),
    "csat_mean": ("answers", lambda f: mean(f.score[f.metric == "csat"])),
    "nps": ("answers", lambda f: nps(f.group[f.metric == "nps"])),
    "response_rate": ("invitations", lambda f: share(f.answered, f.delivered)),
}


def _last_day(frame: Group) -> Answer:
    last = frame[frame.date == frame.date.max()]
    return Answer(float(last.open.sum()), int(last.open.sum()), int(last.open.sum()), None, None)


def answers(facts: Facts, kpi: str, grain: str = "total", by: Iterable[str] = ()) -> dict[tuple[Any, ...], Answer]:
    """The answer rows of a KPI: (start of the period, *dimension values) to its numbers."""
    name, formula = KPIS[kpi]
    frame: pd.DataFrame = getattr(facts, name)
    dimensions = list(by)
    if frame.empty:
        return {}
    dates = pd.to_datetime(frame.date)
    period = {
        "total": lambda: pd.Series([None] * len(frame), index=frame.index),
        "day": lambda: dates,
        "week": lambda: dates - pd.to_timedelta(dates.dt.day_of_week, unit="D"),
        "month": lambda: dates.dt.to_period("M").dt.start_time,
    }[grain]()
    keyed = frame.assign(period=period.map(lambda day: None if pd.isna(day) else pd.Timestamp(day).date()))
    found: dict[tuple[Any, ...], Answer] = {}
    for key, group in keyed.groupby(["period", *dimensions], dropna=False, sort=True):
        first, *rest = key
        found[(None if pd.isna(first) else first, *rest)] = formula(group)
    return found


def frame(rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """Rows as a frame that has its columns even when there are none."""
    return pd.DataFrame(list(rows), columns=list(columns))

"""``kefu explain``: why two published definitions of a KPI give two numbers, contact by contact.

Every contact is in exactly one class (answered within the target, short abandon, …). A definition counts some
classes above the line and some below it. Going from one definition to the other, the classes they treat otherwise
change sides one after the other; each step says how many contacts moved and what the value became.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from kefu import catalogue, warehouse
from kefu.catalogue import Kpi
from kefu.errors import KefuError
from kefu.settings import Settings


@dataclass(frozen=True)
class Step:
    """One class that the two definitions treat otherwise; ``value`` is the KPI once it has changed sides."""

    name: str
    contacts: int
    before: str  # numerator and denominator, denominator only, left out
    after: str
    value: float | None


@dataclass(frozen=True)
class Explanation:
    """The way from one definition to the other. ``alike`` are the classes both treat the same, with their contacts.

    The contacts of ``steps`` and ``alike`` together are all there were.
    """

    kpi: str
    from_profile: str
    to_profile: str
    from_value: float | None
    to_value: float | None
    steps: tuple[Step, ...]
    alike: tuple[tuple[str, int, str], ...]

    def contacts(self) -> int:
        """All contacts, whatever became of them."""
        return sum(step.contacts for step in self.steps) + sum(contacts for _, contacts, _ in self.alike)


PLACES = {
    (True, True): {"en": "counted, as met", "zh": "计入，达标"},
    (False, True): {"en": "counted, as missed", "zh": "计入，未达标"},
    (True, False): {"en": "above the line only", "zh": "仅计入分子"},
    (False, False): {"en": "left out", "zh": "不计"},
}


def explain(
    settings: Settings,
    name: str,
    *,
    from_profile: str = catalogue.PROFILE,
    to_profile: str,
    first: date | None = None,
    last: date | None = None,
    source: str | None = None,
    language: str = "en",
) -> Explanation:
    """Account for the difference of two definitions over reporting days (both ends included).

    Raises KefuError: unknown KPI or profile, or definitions that are no counts of the same contacts.
    """
    kpi = catalogue.get(settings.project, name)
    start, end = kpi.under(from_profile), kpi.under(to_profile)
    if not (start.classes and end.classes):
        explained = [one.id for one in catalogue.load(settings.project).values() if one.classes and one.profiles]
        raise KefuError(
            f"{kpi.id} under {from_profile} and {to_profile} is no count of the same contacts.",
            expected=f"one of {', '.join(explained)}",
        )
    counted = _count(settings, start, first, last, source)
    sides = {one: _places(start)[one] for one in start.classes}
    steps = []
    for one, words in start.classes.items():
        before, after = _places(start)[one], _places(end)[one]
        if before == after:
            continue
        sides[one] = after
        steps.append(
            Step(
                words[language], counted[one], PLACES[before][language], PLACES[after][language], _value(counted, sides)
            )
        )
    alike = tuple(
        (words[language], counted[one], PLACES[_places(start)[one]][language])
        for one, words in start.classes.items()
        if _places(start)[one] == _places(end)[one]
    )
    values = (_value(counted, _places(start)), _value(counted, _places(end)))
    return Explanation(kpi.id, from_profile, to_profile, *values, tuple(steps), alike)


def _places(kpi: Kpi) -> dict[str, tuple[bool, bool]]:
    """Of each class, whether it is in the numerator and in the denominator."""
    return {one: (one in kpi.numerator_classes, one in kpi.denominator_classes) for one in kpi.classes}


def _value(counted: dict[str, int], sides: dict[str, tuple[bool, bool]]) -> float | None:
    above = sum(counted[one] for one, (is_above, _) in sides.items() if is_above)
    below = sum(counted[one] for one, (_, is_below) in sides.items() if is_below)
    return above / below if below else None


def _count(settings: Settings, kpi: Kpi, first: date | None, last: date | None, source: str | None) -> dict[str, int]:
    query = sql.SQL("""
        select {counts} from kpis.{table}
        where
            (%(first)s::date is null or service_date >= %(first)s::date)
            and (%(last)s::date is null or service_date <= %(last)s::date)
            and (%(source)s::text is null or source = %(source)s::text)
    """).format(
        counts=sql.SQL(", ").join(
            sql.SQL("coalesce(sum({}), 0)::bigint").format(sql.Identifier(one)) for one in kpi.classes
        ),
        table=sql.Identifier(kpi.table),
    )
    with warehouse.connect(settings, "analyst") as connection:
        row = connection.execute(query, {"first": first, "last": last, "source": source}).fetchone()
    assert row is not None
    return dict(zip(kpi.classes, row, strict=True))


HEADS = {
    "en": ("step", "contacts", "before", "after", "value", "start", "end", "treated alike", "all contacts"),
    "zh": ("步骤", "联络数", "之前", "之后", "数值", "起点", "终点", "处理相同", "全部联络"),
}


def rows(told: Explanation, language: str = "en") -> list[dict[str, str | int | float | None]]:
    """The explanation as a table: where it starts, each step, where it ends, what did not move, and all contacts."""
    step, contacts, before, after, value, start, end, same, everything = HEADS[language]

    def row(
        name: str, count: int | None, was: str | None, becomes: str | None, number: float | None
    ) -> dict[str, str | int | float | None]:
        return {step: name, contacts: count, before: was, after: becomes, value: number}

    return [
        row(f"{start}: {told.from_profile}", None, None, None, told.from_value),
        *(row(one.name, one.contacts, one.before, one.after, one.value) for one in told.steps),
        row(f"{end}: {told.to_profile}", None, None, None, told.to_value),
        *(row(f"{name} ({same})", count, place, place, None) for name, count, place in told.alike),
        row(everything, told.contacts(), None, None, None),
    ]

"""Every golden case through the real models: the numbers and rows are those worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from kefu import catalogue, golden, kpi, warehouse
from kefu.edge_rules import RULES
from kefu.errors import KefuError
from kefu.golden import Case, ExpectedKpi, ExpectedRow, Golden
from kefu.settings import project_root
from tests.golden import telling
from tests.golden.conftest import Told
from tests.golden.telling import Centre

CASES = golden.load(project_root())
GROUPS = 3  # each costs a build

Tell = Callable[[Golden], Told]


@pytest.mark.slow
@pytest.mark.parametrize("one", [pytest.param(one, id=f"{one.id}: {one.case.title.en}") for one in CASES])
def test_what_a_story_must_come_to(told: Tell, one: Golden) -> None:
    there = told(one)
    centre = there.centres[one.id]
    wrong = [line for expected in one.case.expect.kpis for line in kpi_problems(there, centre, expected)]
    wrong += [line for expected in one.case.expect.rows for line in row_problems(there, centre, expected)]
    assert wrong == [], f"{one.case.title.en}\n" + "\n".join(wrong)


def kpi_problems(told: Told, centre: Centre, expected: ExpectedKpi) -> list[str]:
    """Where `kefu kpi` differs from what was worked out."""
    known = catalogue.get(told.settings.project, expected.kpi)
    if "team" not in known.dimensions:
        return [f"{expected.kpi} cannot be asked for one story: it has no dimension team; expect rows instead"]
    teams = [expected.team] if expected.team else centre.case.story.teams()
    question = kpi.Question(
        expected.kpi,
        first=expected.first,
        last=expected.last,
        profile=expected.profile,
        where=(("team", tuple(centre.team_id(team) for team in teams)),),
        as_reported=told.first_published_at if expected.reported == "first" else None,
    )
    rows = kpi.ask(told.settings, question)
    if len(rows) != 1:
        return [f"{expected.kpi}: nothing at all was counted"]
    [row] = rows
    scale = 100 if known.unit == "points" else 1
    value = expected.value
    if expected.numerator is not None:
        value = scale * expected.numerator / expected.denominator if expected.denominator else None
        sides = {"numerator": expected.numerator, "denominator": expected.denominator}
    else:
        sides = {"numerator": expected.value}
    if expected.value is not None and value is not None and abs(expected.value - value) > 1e-9:
        return [f"{expected.kpi}: {expected.value} is not {expected.numerator} / {expected.denominator}"]
    if expected.low is not None:  # by hand to four decimals
        row |= {end: row[end] if row[end] is None else round(row[end], 4) for end in ("low", "high")}
        sides |= {"low": expected.low, "high": expected.high}
    return [
        f"{expected.kpi}{f' of {expected.team}' if expected.team else ''}: {what} is {row[what]}, by hand {by_hand}"
        for what, by_hand in {"value": value, **sides}.items()
        if row[what] != by_hand
    ]


def row_problems(told: Told, centre: Centre, expected: ExpectedRow) -> list[str]:
    """Where a row of a table differs from what was worked out."""
    schema = "canonical" if expected.table.startswith("canonical_") else "marts"
    schema = "kpis" if expected.table.startswith("kpi_") else schema
    which = {name: stored(centre, name, value) for name, value in expected.where.items()}
    if expected.call:
        source = "exports" if expected.call in {one.call for one in centre.case.story.exported_calls} else "asterisk"
        which["interaction_id"] = f"{source}-{centre.golden.id}-{expected.call}"
    if expected.ticket:
        which["ticket_id"] = f"zendesk-{centre.ticket(expected.ticket)}"
    if expected.invitation:
        which["invitation_id"] = f"qualtrics-EMD_golden-{centre.golden.id}-{expected.invitation}"
    columns = list(expected.is_ or {"*": None})
    query = sql.SQL("select {} from {} where {}").format(
        sql.SQL(", ").join(sql.Identifier(name) if name != "*" else sql.SQL("1") for name in columns),
        sql.Identifier(schema, expected.table.removeprefix("canonical_")),
        sql.SQL(" and ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in which),
    )
    with warehouse.connect(told.settings, "transformer") as connection:
        rows = connection.execute(query, list(which.values())).fetchall()
    what = f"{expected.table} {', '.join(str(value) for value in which.values())}"
    if expected.is_ is None:
        return [f"{what}: there is such a row"] if rows else []
    if len(rows) != 1:
        return [f"{what}: {len(rows)} rows instead of one"]
    return [
        f"{what}: {name} is {found}, by hand {by_hand}"
        for (name, by_hand), found in zip(expected.is_.items(), rows[0], strict=True)
        if plain(found) != stored(centre, name, by_hand)
    ]


def stored(centre: Centre, column: str, value: Any) -> Any:
    """A value of a story as it stands in the warehouse: its names, its local times."""
    if isinstance(value, datetime):
        return centre.utc(value).replace(tzinfo=None)
    if isinstance(value, str) and value != "none":
        if column.endswith("team_id"):
            return centre.team_id(value)
        if column.endswith("queue_id"):
            return f"asterisk-{centre.system_name(value)}"
    return value


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


# --- the files themselves --------------------------------------------------------------------------------------------


def test_the_cases_nobody_can_do_without_are_there_once_each() -> None:
    numbers = [one.case.case for one in CASES if one.case.case is not None]
    assert sorted(numbers) == list(range(1, 25))


def test_every_edge_rule_has_a_case() -> None:
    shown = {rule for one in CASES for rule in one.case.rules}
    assert shown == set(RULES)


def test_stories_share_few_warehouses() -> None:
    assert len({telling.group_of(one.case) for one in CASES}) <= GROUPS


def test_every_kpi_named_is_in_the_catalogue(project: Path) -> None:
    known = catalogue.load(project)
    named = {expected.kpi for one in CASES for expected in one.case.expect.kpis}
    assert named <= set(known)


def test_a_story_ends_before_its_as_of_time() -> None:
    for one in CASES:
        moments = [event.at for ticket in one.case.story.tickets for event in ticket.events]
        moments += [call.arrives for call in (*one.case.story.calls, *one.case.story.exported_calls)]
        moments += [invitation.sent for invitation in one.case.story.surveys]
        centre = Centre(one)
        # a thing after the as-of time may be told, to show that it is not there; not all of it
        assert min(map(centre.utc, moments)) < telling.as_of(one.case), one.id


WRONG = {
    "an unknown word": ("rules: [E01]", "rules: [E01]\nrulez: [E02]", "rulez: Extra inputs are not permitted"),
    "an unknown rule": ("rules: [E01]", "rules: [E99]", "rules: no such edge rule: E99"),
    "an answer without talk": ("3, then: hangs_up", "3, answered_by: Ann, then: caller_ends", "needs talks"),
    "a team that is not in it": ("offered, value: 1}", "offered, value: 1, team: billing}", "no team billing"),
    "half a ratio": ("{kpi: offered, value: 1}", "{kpi: answer_rate, numerator: 1}", "numerator and denominator come"),
    "a value of nothing": (
        "{kpi: offered, value: 1}",
        "{kpi: answer_rate, numerator: 0, denominator: 0, value: 0}",
        "nothing divided by 0",
    ),
    "no YAML": ("story:", "story: [", "is no YAML"),
}  # fmt: skip
RIGHT = """
title: {en: "One", zh: "一"}
rules: [E01]
story:
  calls:
    - call: one
      arrives: 2026-03-02 10:00:00
      visits: [{queue: returns, waits: 3, then: hangs_up}]
expect:
  kpis: [{kpi: offered, value: 1}]
"""


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_told_what_is_wrong(what: str, tmp_path: Path) -> None:
    path = tmp_path / "01_wrong.yaml"
    path.write_text(RIGHT, encoding="utf-8")
    assert isinstance(golden.read(path), Case)
    right, wrong, message = WRONG[what]
    assert right in RIGHT
    path.write_text(RIGHT.replace(right, wrong), encoding="utf-8")
    with pytest.raises(KefuError, match=message) as caught:
        golden.read(path)
    assert "01_wrong.yaml" in str(caught.value)


def test_all_wrong_files_are_listed_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "golden"
    folder.mkdir(parents=True)
    for name in ("01_one.yaml", "01_again.yaml", "no number.yaml"):
        (folder / name).write_text(RIGHT, encoding="utf-8")
    (folder / "02_two.yaml").write_text(RIGHT.replace("[E01]", "[E99]"), encoding="utf-8")
    with pytest.raises(KefuError) as caught:
        golden.load(tmp_path)
    for part in ("the number 1 is taken", "no number.yaml: the name of a case", "02_two.yaml: rules"):
        assert part in str(caught.value)


def test_a_local_time_means_the_centres_zone_and_an_offset_means_itself() -> None:
    [one] = [one for one in CASES if one.case.case == 6]
    centre = Centre(one)
    assert centre.utc(datetime(2026, 10, 24, 23, 58)) == datetime(2026, 10, 24, 21, 58, tzinfo=UTC)
    assert centre.utc(datetime.fromisoformat("2026-10-25T02:30:00+01:00")) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

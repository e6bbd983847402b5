"""The build under way: one at a time, one as-of time, its parameters as data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kefu import control, warehouse
from kefu.errors import KefuError
from kefu.settings import Parameters, Settings


@pytest.fixture
def prepared(warehouse: Settings) -> Settings:
    control.prepare(warehouse)
    return warehouse


def test_before_the_first_build_there_is_none(warehouse: Settings) -> None:
    with pytest.raises(KefuError, match="Nothing has been built yet"):
        control.current_build(warehouse)
    control.prepare(warehouse)
    with pytest.raises(KefuError, match="Nothing has been built yet"):
        control.current_build(warehouse)


def test_preparing_twice_changes_nothing(prepared: Settings) -> None:
    build = control.begin_build(prepared, "a")
    control.prepare(prepared)
    assert control.current_build(prepared) == build


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 3, 31, 16, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_the_as_of_time_is_naive_utc_to_the_second(prepared: Settings, instant: datetime) -> None:
    control.begin_build(prepared, "b", instant)
    current = control.current_build(prepared)
    assert (current.slot, current.as_of_at) == ("b", datetime(2026, 3, 31, 16))


def test_a_build_carries_the_parameters_and_teams_of_the_configuration(prepared: Settings) -> None:
    parameters = Parameters(
        reopen_window_days=3,
        public_promises=("zendesk-2", "kefu-standard"),
        first_level_teams=("returns",),
        case_mix=("priority", "channel"),
    )
    control.begin_build(prepared.model_copy(update={"parameters": parameters}), "a")
    control.begin_build(prepared.model_copy(update={"parameters": parameters}), "a")  # the second replaces the first
    with warehouse.connect(prepared) as connection:
        single = [name for name in Parameters.model_fields if name not in Parameters.lists()]
        rows = connection.execute(f"select reporting_zone, {', '.join(single)} from control.build").fetchall()
        teams = connection.execute("select source, member, team_id, team_en, team_zh from control.teams").fetchall()
        names = connection.execute("select parameter, named_id from control.names").fetchall()
    assert rows == [(prepared.reporting_zone, *(getattr(parameters, name) for name in single))]
    assert sorted(names) == [
        ("case_mix", "channel"),
        ("case_mix", "priority"),
        ("first_level_teams", "returns"),
        ("public_promises", "kefu-standard"),
        ("public_promises", "zendesk-2"),
    ]
    assert sorted(teams) == [
        ("asterisk", "returns", "returns", "Returns", "退换组"),
        ("qualtrics", "Returns", "returns", "Returns", "退换组"),
        ("zendesk", "Returns", "returns", "Returns", "退换组"),
    ]


def test_a_build_is_built_and_then_checked(prepared: Settings) -> None:
    build = control.begin_build(prepared, "a")
    assert not (build.is_built or build.is_checked)
    control.mark(prepared, build, "built")
    assert control.current_build(prepared).is_built
    assert not control.current_build(prepared).is_checked
    control.mark(prepared, build, "checked")
    assert control.current_build(prepared).is_checked


def test_a_build_that_was_overtaken_cannot_be_marked(prepared: Settings) -> None:
    slow = control.begin_build(prepared, "a")
    control.begin_build(prepared, "a")
    with pytest.raises(KefuError, match="Another build began"):
        control.mark(prepared, slow, "built")
    assert not control.current_build(prepared).is_built


def test_customers_keep_their_pseudonyms_from_build_to_build(prepared: Settings) -> None:
    keys = []
    for _ in range(2):
        control.begin_build(prepared, "a")
        with warehouse.connect(prepared) as connection:
            keys += connection.execute("select customer_key from control.build").fetchone() or ()
    assert keys[0] == keys[1]
    assert len(keys[0]) >= 20


def finish(settings: Settings, build: control.Build) -> None:
    control.mark_ledger(settings, build)
    control.mark(settings, build, "built")


def test_after_a_full_build_that_died_everything_is_made_again(prepared: Settings) -> None:
    as_of = datetime(2026, 4, 1, tzinfo=UTC)
    for slot in "ab":
        finish(prepared, control.begin_build(prepared, slot, as_of))
    assert str(control.begin_build(prepared, "a", as_of).scope) == "nothing has changed"
    control.begin_build(prepared, "a", as_of, full=True)  # and dies
    for slot in "ba":
        scope = control.begin_build(prepared, slot, as_of).scope
        assert scope.full_ledger and scope.full_marts
    finish(prepared, control.begin_build(prepared, "a", as_of))
    scope = control.begin_build(prepared, "b", as_of).scope
    assert not scope.full_ledger and scope.full_marts  # made from the ledger before


def test_what_was_due_stays_due_until_its_slot_is_built(prepared: Settings) -> None:
    as_of = datetime(2026, 4, 1, tzinfo=UTC)
    finish(prepared, control.begin_build(prepared, "a", as_of))
    with warehouse.connect(prepared, "transformer") as connection:
        connection.execute(
            "insert into control.due values"
            " ('a', 'm', 'ticket', 't', '2026-04-02'), ('a', 'm', 'ticket', 't', '2026-04-09')"
        )

    def listed() -> int:
        with warehouse.connect(prepared, "transformer") as connection:
            row = connection.execute("select count(*) from control.worklist where slot = 'a' and id = 't'").fetchone()
            assert row is not None
            return int(row[0])

    build = control.begin_build(prepared, "a", as_of + timedelta(days=3))
    assert listed() == 1
    with warehouse.connect(prepared, "transformer") as connection:
        connection.execute("delete from control.worklist")  # a full build of the other slot, say, that died
    build = control.begin_build(prepared, "a", as_of + timedelta(days=3))
    assert listed() == 1
    finish(prepared, build)
    control.begin_build(prepared, "a", as_of + timedelta(days=4))
    assert listed() == 0
    control.begin_build(prepared, "a", as_of + timedelta(days=9))
    assert listed() == 1

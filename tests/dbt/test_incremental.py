"""However a history comes in, in whatever batches, order and versions: building what changed equals building it all."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta

import history
import plans
import pytest
import story

from kefu import control, pipeline, publish, simulator, transform, warehouse
from kefu.settings import Parameters, Settings, SourceSettings
from kefu.simulator.world import TEAM
from kefu.simulator.zendesk import PUBLIC_POLICY, group_id

pytestmark = pytest.mark.slow

NewWarehouse = Callable[..., Settings]
LEDGER = ["canonical"]
EXTRACTED = {
    "zendesk": "zendesk", "asterisk": "asterisk", "qualtrics": "qualtrics", "workforce": "files", "quality": "files"
}  # fmt: skip
KINDS = {**EXTRACTED, "bank": "files"}
BATCHES = 4
NAMED = Parameters(
    public_promises=(f"zendesk-{PUBLIC_POLICY}",),
    first_level_teams=("returns", f"zendesk-{group_id(TEAM['orders'])}"),
    teams_outside_service=(f"zendesk-{group_id(TEAM['payments'])}",),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> simulator.Summary:
    """Three weeks of a small simulated centre."""
    folder = tmp_path_factory.mktemp("incremental")
    return simulator.write(folder / "world", seed=3, start=date(2026, 3, 2), end=date(2026, 3, 23), scale=0.08)


@pytest.fixture(scope="module")
def past(world: simulator.Summary, new_warehouse: NewWarehouse) -> dict[str, dict[str, list[history.Row]]]:
    """What the centre's systems and exports would have left in raw, and another file source's rows beside it."""
    from kefu.emulators import serve

    folder = world.directory.parent
    with serve.running(world.directory) as vendors:
        options: dict[str, dict[str, object]] = {
            "zendesk": {
                "base_url": f"{vendors.url}/zendesk",
                "email": "agent@example.com",
                "start_date": "2026-03-01",
            },
            "asterisk": {"path": str(world.directory / "asterisk" / "queue_log*")},
            "qualtrics": {
                "base_url": f"{vendors.url}/qualtrics",
                "surveys": [world.survey_id],
                "questions": {
                    "QID1": {"metric": "csat", "scale": "five_point"},
                    "QID2": {"metric": "nps", "scale": "eleven_point"},
                    "QID4": {"metric": "fcr", "scale": "yes_no"},
                },
            },
            "workforce": {"mapping": ["world/workforce/plan.yml", "world/workforce/activity.yml"]},
            "quality": {"mapping": ["world/quality/evaluations.yml", "world/quality/items.yml"]},
            "bank": {"mapping": "bank.yml"},
        }
        sources = {name: SourceSettings(name=name, kind=KINDS[name], options=said) for name, said in options.items()}
        secrets = [f"SOURCES__{name}__API_TOKEN={serve.TEST_TOKEN}\n" for name in ("ZENDESK", "QUALTRICS")]
        (folder / ".env").write_text("".join(secrets), encoding="utf-8")
        settings = new_warehouse(sources=sources, config=folder / "kefu.toml")
        pipeline.extract(list(EXTRACTED), settings=settings)
    with warehouse.connect(settings, "loader") as connection:
        story.insert(connection, story.files())
        story.insert(connection, history.callbacks(world.now, 30))
        story.insert(connection, history.chats(world.now, 300))
        tickets = [number for (number,) in connection.execute("select id from raw_zendesk.tickets order by id")]
        story.insert(connection, history.voices(world.now, 60, tickets))
    return {source: history.read(settings, source, kind) for source, kind in KINDS.items()}


def build(settings: Settings, as_of: datetime, *, full: bool = False) -> control.Build:
    current = control.begin_build(settings, publish.target_slot(settings), as_of, full=full)
    transform.build(settings, current)
    for moment in ("built", "checked"):
        control.mark(settings, current, moment)
    return current


@pytest.mark.parametrize("seed", [1, 2])
def test_building_what_changed_equals_building_everything(
    seed: int, past: dict[str, dict[str, list[history.Row]]], world: simulator.Summary, new_warehouse: NewWarehouse
) -> None:
    chance = random.Random(seed)
    files = [name for name, kind in KINDS.items() if kind == "files"]
    settings = new_warehouse(
        sources={name: SourceSettings(name=name, kind="files", options={"mapping": "bank.yml"}) for name in files},
        parameters=NAMED,
    )
    pipeline.prepare(settings)
    dealt = {source: history.batches(rows, KINDS[source], BATCHES, chance) for source, rows in past.items()}
    began = world.now - timedelta(days=18)
    moments = [*sorted(began + chance.random() * (world.now - began) for _ in range(BATCHES - 1)), world.now]
    built, stored = [], {}
    for number, as_of in enumerate(moments):
        for source in chance.sample(sorted(KINDS), len(KINDS)):
            history.deliver(settings, source, KINDS[source], dealt[source][number])
        with plans.watched(settings) as of_changes:
            current = build(settings, as_of)
        publish.publish(settings, current.slot, as_of=current.as_of_at)
        built.append(current)
        stored[number] = relations(settings, current.slot)
    for source, kind in KINDS.items():
        come, was = history.read(settings, source, kind), past[source]
        assert {name: sorted(map(repr, rows)) for name, rows in come.items()} == {
            name: sorted(map(repr, rows)) for name, rows in was.items()
        }
    assert [build.scope.full_marts for build in built] == [True, True, False, False], [str(b.scope) for b in built]
    assert not built[1].scope.full_ledger
    assert stored[3] == stored[1], "what changed goes into the tables there are; what stands on them stays"
    step_by_step = compared(settings, current.slot)
    assert len(step_by_step["marts.fct_leg_shares"]) > 100  # chats at once there are
    with plans.watched(settings) as of_everything:
        again = build(settings, moments[-1], full=True)
    assert again.scope.full_ledger and again.slot != current.slot
    at_once = compared(settings, again.slot)
    assert set(step_by_step) == set(at_once)
    differing = {
        table: (sorted(set(step_by_step[table]) - set(rows))[:3], sorted(set(rows) - set(step_by_step[table]))[:3])
        for table, rows in at_once.items()
        if step_by_step[table] != rows
    }
    assert differing == {}, "\n".join(f"{table}: {few}" for table, few in differing.items())
    for seen in (of_changes, of_everything):
        assert len({statement for statement, _ in seen}) > 100
        assert not plans.one_by_one(seen), plans.one_by_one(seen)


def relations(settings: Settings, slot: str) -> dict[str, int]:
    """Every table, view and index of the ledger and of a slot, and which one it is."""
    with warehouse.connect(settings) as connection:
        found = connection.execute(
            "select c.relname, c.oid::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = any(%s) and c.relkind in ('r', 'v', 'i')",
            [["canonical", f"marts_{slot}", f"kpis_{slot}"]],
        ).fetchall()
    return dict(found)


def compared(settings: Settings, slot: str) -> dict[str, list[str]]:
    """Every table of the ledger and of a slot with its rows, under the name readers know it by."""
    schemas = ["canonical", f"marts_{slot}", f"kpis_{slot}"]
    return {table.replace(f"_{slot}.", "."): rows for table, rows in history.content(settings, schemas)}

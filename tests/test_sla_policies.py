"""The SLA policies of kefu.toml: what they may say, and what is written of them for the models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from kefu import control, sla_policies, warehouse
from kefu.errors import KefuError
from kefu.schedules import EVER, FOR_EVER
from kefu.settings import Settings, load_settings

NewWarehouse = Callable[..., Settings]

STANDARD = 'id = "standard"\nclock = "business"\ntargets = { first_reply = "4h" }\n'
TEAM = '[[teams]]\nid = "returns"\nname = { en = "Returns", zh = "退换组" }\n'


def settings_of(folder: Path, text: str) -> Settings:
    path = folder / "kefu.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_a_target_is_a_duration_for_all_or_by_priority(tmp_path: Path) -> None:
    text = (
        '[[sla_policies]]\nid = "x"\nclock = "calendar"\n[sla_policies.targets]\nnext_reply = "45s"\n'
        'agent_work = { urgent = "30m", any = "4 h" }\n'
    )
    [policy] = settings_of(tmp_path, text).sla_policies
    assert policy.targets == {"next_reply": {"any": 45}, "agent_work": {"urgent": 1800, "any": 14_400}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('id = "Standard"', "sla_policies.0.id: "),
        ('clock = "wall"', "sla_policies.0.clock: "),
        ("targets = {}", "sla_policies.0.targets: "),
        ('targets = { smile = "4h" }', "sla_policies.0.targets.smile"),
        ('targets = { first_reply = "2d" }', "sla_policies.0.targets: first_reply: '2d' is no duration"),
        ("targets = { first_reply = 4 }", "sla_policies.0.targets: first_reply: expected a duration"),
        ('targets = { first_reply = { High = "4h" } }', "sla_policies.0.targets: first_reply: 'High' is no priority"),
        ('teams = ["other"]', "sla_policies: 'standard' is for teams other (there are: returns)"),
        ('sources = ["bank"]', "sla_policies: 'standard' is for sources bank (there are: none)"),
        ("lunch = 1", "sla_policies.0.lunch: there is no such setting"),
    ],
)
def test_a_mistake_names_its_entry(tmp_path: Path, text: str, says: str) -> None:
    key = text.split(" ")[0]
    kept = "".join(f"{line}\n" for line in STANDARD.splitlines() if not line.startswith(key))
    with pytest.raises(KefuError) as caught:
        settings_of(tmp_path, f"{TEAM}[[sla_policies]]\n{kept}{text}")
    lines = [line.removeprefix("  - ") for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert lines and all(line.startswith(says) for line in lines), lines


def test_versions_of_a_policy_begin_at_different_times(tmp_path: Path) -> None:
    twice = f"[[sla_policies]]\n{STANDARD}"
    with pytest.raises(KefuError, match="'standard' has 2 versions without valid_from"):
        settings_of(tmp_path, 2 * twice)
    with pytest.raises(KefuError, match="'standard' has two versions valid from 2026-01-01 00:00:00Z"):
        settings_of(tmp_path, twice + 2 * f"{twice}valid_from = 2026-01-01\n")


def test_what_the_models_read(new_warehouse: NewWarehouse, tmp_path: Path) -> None:
    given = settings_of(
        tmp_path,
        f'reporting_zone = "Asia/Shanghai"\n{TEAM}[[sla_policies]]\n{STANDARD}teams = ["returns"]\n'
        'channels = ["email", "web"]\n'
        '[[sla_policies]]\nid = "rest"\nclock = "calendar"\ntargets = { resolution = { high = "1h" } }\n'
        f"[[sla_policies]]\n{STANDARD}valid_from = 2026-04-01\n",
    )
    names = ("reporting_zone", "teams", "sla_policies")
    made = new_warehouse(**{name: getattr(given, name) for name in names})
    control.prepare(made)
    edit = datetime(2026, 3, 31, 16)
    with warehouse.connect(made) as connection:
        sla_policies.write(connection, made)
        mark = sla_policies.described(connection)
        sla_policies.write(connection, made)
        assert sla_policies.described(connection) == mark

        def rows(table: str) -> list[tuple[object, ...]]:
            return sorted(connection.execute(f"select * from control.{table}".encode()), key=str)

        assert [(row[0], row[1], row[2], row[5]) for row in rows("sla_policies")] == [
            ("rest", EVER, FOR_EVER, 2), ("standard", EVER, edit, 1), ("standard", edit, FOR_EVER, 1)
        ]  # fmt: skip
        assert rows("sla_targets") == [
            ("rest", EVER, "resolution", "high", 3600, False),
            ("standard", EVER, "first_reply", "any", 14_400, True),
            ("standard", edit, "first_reply", "any", 14_400, True),
        ]
        assert [row[2:] for row in rows("sla_conditions")] == [
            ("channel", "email"), ("channel", "web"), ("team", "returns")
        ]  # fmt: skip
        sla_policies.write(connection, made.model_copy(update={"sla_policies": made.sla_policies[:1]}))
        assert sla_policies.described(connection) != mark

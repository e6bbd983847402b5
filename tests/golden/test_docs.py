"""`dbt docs generate` works, and every column the database really has is described."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kefu import golden, transform
from kefu.settings import project_root
from tests.golden.conftest import Told


@pytest.mark.slow
def test_every_column_there_is_is_described(told: Callable[[golden.Golden], Told]) -> None:
    centre = told(next(one for one in golden.load(project_root()) if not one.case.parameters))
    status, lines = transform.run_dbt(centre.settings, "a", ["docs", "generate", "--no-compile"])
    assert status == 0, "\n".join(lines)
    folder = centre.settings.home / "dbt" / "slot_a"
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    catalog: dict[str, Any] = json.loads((folder / "catalog.json").read_text(encoding="utf-8"))
    models = {id_: node for id_, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")}
    assert set(models) - set(catalog["nodes"]) == set(), "in the project, not in the database"
    undescribed = [
        f"{node['name']}.{column}"
        for id_, node in models.items()
        for column in catalog["nodes"][id_]["columns"]
        if not node["columns"].get(column, {}).get("description", "").strip()
    ]
    assert undescribed == []

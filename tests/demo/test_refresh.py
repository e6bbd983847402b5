"""Bringing Superset to the source and to the published data: what it does, what it leaves alone, who may do what."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu import dashboards
from kefu.dashboards import compiler, rest
from kefu.errors import KefuError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(demo_stack: Any) -> rest.Client:
    """Superset's REST API as its administrator."""
    return rest.Client(rest.server(demo_stack.settings))


def everything(client: rest.Client) -> dict[tuple[str, str], tuple[int, str]]:
    """Every page, chart and dataset: its id and when it last changed."""
    return {
        (kind, row["uuid"]): (row["id"], row["changed_on_utc" if kind != "dashboard" else "changed_on_delta_humanized"])
        for kind in ("dashboard", "chart", "dataset")
        for row in client.every(f"{kind}/")
    }


def test_a_second_refresh_imports_nothing_and_changes_nothing(demo_stack: Any, client: rest.Client) -> None:
    dashboards.refresh(demo_stack.settings)
    before = {key: found for key, found in everything(client).items() if key[0] != "dashboard"}
    again = dashboards.refresh(demo_stack.settings)
    assert (again.imported, again.removed, again.roles, again.tiles) == (False, (), (), 0)
    assert {key: found for key, found in everything(client).items() if key[0] != "dashboard"} == before


@pytest.fixture
def without_a_tile(demo_stack: Any, tmp_path: Path) -> Iterator[Any]:
    """Settings of the same stack whose project has one tile, its chart and one page less; put right afterwards."""
    project = demo_stack.settings.project
    shutil.copytree(project / "superset" / "source", tmp_path / "superset" / "source")
    shutil.copytree(project / "dbt_project", tmp_path / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    folder = tmp_path / "superset" / "source"
    page = yaml.safe_load((folder / "dashboards" / "tickets.yaml").read_text(encoding="utf-8"))
    page["rows"] = [row for row in page["rows"] if "reopen_band" not in row]
    (folder / "dashboards" / "tickets.yaml").write_text(yaml.safe_dump(page, allow_unicode=True), encoding="utf-8")
    (folder / "charts" / "reopen_band.yaml").unlink()
    (folder / "dashboards" / "satisfaction.yaml").unlink()
    yield demo_stack.settings.model_copy(update={"project": tmp_path})
    dashboards.refresh(demo_stack.settings)


def test_what_the_source_no_longer_has_is_gone_from_superset(
    demo_stack: Any, client: rest.Client, without_a_tile: Any
) -> None:
    dashboards.refresh(demo_stack.settings)
    before = everything(client)
    chart = ("chart", compiler.uid("chart", "reopen_band", "en"))
    page = ("dashboard", compiler.uid("dashboard", "satisfaction", "zh"))
    assert {chart, page} <= set(before)

    done = dashboards.refresh(without_a_tile)
    assert done.imported
    assert done.removed
    after = everything(client)
    assert not {chart, page} & set(after)
    tickets = client.get("dashboard/tickets-en/charts")["result"]
    assert "Do solved tickets come back?" not in {item["slice_name"] for item in tickets}

    dashboards.refresh(demo_stack.settings)
    again = everything(client)
    assert set(again) == set(before)
    kept = set(after) & set(before)
    assert {key: again[key][0] for key in kept} == {key: before[key][0] for key in kept}  # the rest kept its ids


def test_a_new_publication_reaches_the_tiles(demo_stack: Any, client: rest.Client) -> None:
    """The cache of the old numbers is dropped: Superset asks the warehouse again."""
    from kefu.stack import state

    dashboards.refresh(demo_stack.settings)
    [chart] = [row["id"] for row in client.every("chart/") if row["uuid"] == compiler.uid("chart", "contacts", "en")]
    client.get(f"chart/{chart}/data/")
    assert client.get(f"chart/{chart}/data/")["result"][0]["is_cached"]

    memory = state.folder(demo_stack.settings, "superset") / "dashboards.json"
    known = state.read_json(memory)
    state.write_whole(memory, json.dumps({**known, "publication": "an older one"}))
    done = dashboards.refresh(demo_stack.settings)
    assert not done.imported
    assert done.tiles > 20


def analyst(demo_stack: Any) -> rest.Client:
    """The analyst's session."""
    return rest.Client(rest.Server(demo_stack.superset_url, "analyst", demo_stack.passwords["analyst"]))


def sql_lab(client: rest.Client, database: int, sql: str) -> Any:
    """Run a statement in SQL Lab."""
    return client.post(
        "sqllab/execute/",
        {
            "database_id": database,
            "sql": sql,
            "client_id": f"t{abs(hash(sql)) % 10**9}",
            "runAsync": False,
            "queryLimit": 10,
        },
    )


def test_an_analyst_reads_marts_and_kpis_in_sql_lab_and_nothing_else(demo_stack: Any, client: rest.Client) -> None:
    databases = {row["database_name"]: row["id"] for row in client.every("database/")}
    mine = analyst(demo_stack)
    lab = databases[compiler.SQL_LAB]
    assert sql_lab(mine, lab, "select count(*) as n from kpis.kpi_tickets_daily")["data"][0]["n"] > 0
    assert sql_lab(mine, lab, "select count(*) as n from marts.dim_team")["data"][0]["n"] > 0
    for forbidden in ("control.build", "staging.stg_kefu__build", "kpis_a.kpi_weekly"):
        with pytest.raises(KefuError, match="permission denied"):
            sql_lab(mine, lab, f"select * from {forbidden}")
    with pytest.raises(KefuError, match=r"read-only|DML|not allowed"):
        sql_lab(mine, lab, "create table kpis.mine as select 1 as x")
    with pytest.raises(KefuError, match="access"):  # the connection behind the charts is not theirs
        sql_lab(mine, databases[compiler.DATABASE], "select * from marts.dim_team")


def test_an_executive_reads_pages_and_writes_nothing(demo_stack: Any, client: rest.Client) -> None:
    mine = rest.Client(rest.Server(demo_stack.superset_url, "executive", demo_stack.passwords["executive"]))
    assert mine.get("dashboard/director-en")["result"]["slug"] == "director-en"
    databases = {row["database_name"]: row["id"] for row in client.every("database/")}
    with pytest.raises(KefuError, match=r"40[13]"):
        sql_lab(mine, databases[compiler.SQL_LAB], "select 1")
    page = mine.get("dashboard/director-en")["result"]["id"]
    with pytest.raises(KefuError, match=r"40[13]"):
        mine.put(f"dashboard/{page}", {"dashboard_title": "Mine"})


def test_a_wrong_password_is_one_clear_message_without_it(demo_stack: Any) -> None:
    with pytest.raises(KefuError, match="refuses the user name or password") as error:
        rest.Client(rest.Server(demo_stack.superset_url, "admin", "not-the-password"))
    assert "not-the-password" not in str(error.value)


def test_a_server_that_does_not_answer_is_one_clear_message() -> None:
    with pytest.raises(KefuError, match="does not answer"):
        rest.Client(rest.Server("http://127.0.0.1:9", "admin", "x"))

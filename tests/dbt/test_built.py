"""The project against a warehouse it built: what is written down is what is there."""

from __future__ import annotations

from typing import Any

import pytest
from story import Told

from kefu import warehouse

pytestmark = pytest.mark.slow

# How information_schema spells the types of the contracts.
SPELLINGS = {"timestamp": "timestamp without time zone", "decimal": "numeric"}


@pytest.fixture(scope="module")
def columns(told: Told) -> dict[tuple[str, str], dict[str, str]]:
    """The columns and types of every relation of the layers, by schema and name."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    with warehouse.connect(told.settings) as connection:
        for schema, table, column, kind, precision, scale in connection.execute(
            "select table_schema, table_name, column_name, data_type, numeric_precision, numeric_scale"
            " from information_schema.columns where table_schema = any(%s) order by ordinal_position",
            [["staging", "canonical", "marts_a", "kpis_a"]],
        ):
            shown = f"numeric({precision},{scale})" if kind == "numeric" else kind
            found.setdefault((schema, table), {})[column] = shown
    return found


def built(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]


def test_every_model_is_in_its_layers_schema_and_nothing_else_is(
    manifest: dict[str, Any], columns: dict[tuple[str, str], dict[str, str]]
) -> None:
    assert {(node["schema"], node["alias"]) for node in built(manifest)} == set(columns)


def test_every_column_that_is_there_is_written_down_and_every_one_written_down_is_there(
    manifest: dict[str, Any], columns: dict[tuple[str, str], dict[str, str]]
) -> None:
    differing = {
        node["name"]: set(node["columns"]) ^ set(columns[node["schema"], node["alias"]])
        for node in built(manifest)
        if set(node["columns"]) != set(columns[node["schema"], node["alias"]])
    }
    assert differing == {}


def test_every_type_that_is_written_down_is_the_one_that_is_there(
    manifest: dict[str, Any], columns: dict[tuple[str, str], dict[str, str]]
) -> None:
    differing = []
    for node in built(manifest):
        for name, kind in columns[node["schema"], node["alias"]].items():
            declared = node["columns"][name]["data_type"]
            if declared is None:
                continue
            word, bracket, rest = declared.replace(", ", ",").partition("(")
            if SPELLINGS.get(word, word) + bracket + rest != kind:
                differing.append(f"{node['name']}.{name}: {declared} is {kind}")
    assert differing == []


def test_instants_are_naive_from_staging_on(columns: dict[tuple[str, str], dict[str, str]]) -> None:
    zoned = [
        f"{schema}.{table}.{column}"
        for (schema, table), kinds in columns.items()
        for column, kind in kinds.items()
        if kind == "timestamp with time zone" or kind in ("json", "jsonb", "ARRAY")
        if not table.endswith("__changes")  # the pipeline asks by raw's own stamp, through its index
    ]
    assert zoned == []


def test_readers_see_all_of_marts_and_kpis_and_nothing_before(
    told: Told, columns: dict[tuple[str, str], dict[str, str]]
) -> None:
    with warehouse.connect(told.settings, "analyst") as connection:
        visible = {
            (schema, table)
            for schema, table in connection.execute(
                "select table_schema, table_name from information_schema.tables where table_schema !~ '^(pg_|info)'"
            )
        }
    expected = {(schema.removesuffix("_a"), table) for schema, table in columns if schema in ("marts_a", "kpis_a")}
    assert {one for one in visible if one[0] != "kpis_history"} == expected | {("kpis", "publication")}


def test_what_customers_said_leads_to_them_and_stays_behind(told: Told) -> None:
    with warehouse.connect(told.settings, "analyst") as connection:
        said = connection.execute(
            "select items.feedback_id, items.channel, items.language, items.characters, items.ticket_id,"
            " items.customer_id is not null, items.customer_id = contacts.customer_id"
            " from marts.fct_feedback_items as items"
            " left join marts.fct_contacts as contacts on contacts.interaction_id = 'bank-b1' order by 1"
        ).fetchall()
        text = connection.execute("select string_agg(items::text, ' ') from marts.fct_feedback_items as items")
        assert "13800000003" not in text.fetchone()[0]
    assert said == [
        ("bank-v1", "other", "en", 22, None, True, True),
        ("bank-v2", "other", "en", 22, "zendesk-1", False, None),
        ("bank-v3", "social", "en", 22, None, True, False),
    ]


def test_what_each_model_did_is_on_record(told: Told, manifest: dict[str, Any]) -> None:
    with warehouse.connect(told.settings) as connection:
        rows = connection.execute("select model, status from control.model_runs where kind in ('model', 'seed')")
        runs = dict(rows.fetchall())
    assert runs == {node["name"]: "success" for node in built(manifest)}

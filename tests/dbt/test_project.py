"""The rules of the dbt project, from dbt's own manifest: who may read whom, what is written down, what is tested."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dialect import RESERVED

Manifest = dict[str, Any]

LAYERS = ("staging", "canonical", "marts", "kpis")
CONTRACTED = LAYERS[1:]

# What a layer may read; staging beyond it only what is its own source's.
READS = {
    "canonical": {"staging", "canonical"},
    "marts": {"canonical", "marts", "seeds", "snapshots"},
    "kpis": {"marts", "kpis"},
}
BUILD = "stg_kefu__build"  # the as-of time and the parameters: every layer reads them
CONTROL = "kefu"  # the source of what the pipeline tells the models: hooks read the worklist in every layer
FOR_THE_PIPELINE = ("__changes", "__references")  # staging models that the pipeline reads before a build


def layer(node: dict[str, Any]) -> str:
    """staging, canonical, marts or kpis of a model; seeds or snapshots."""
    parts = Path(node["original_file_path"]).parts
    return parts[1] if parts[0] == "models" else parts[0]


def of_type(manifest: Manifest, kind: str) -> list[dict[str, Any]]:
    return sorted(
        (node for node in manifest["nodes"].values() if node["resource_type"] == kind), key=lambda node: node["name"]
    )


@pytest.fixture(scope="session")
def models(manifest: Manifest) -> list[dict[str, Any]]:
    return of_type(manifest, "model")


@pytest.fixture(scope="session")
def built(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The models from canonical on."""
    return [model for model in models if layer(model) in CONTRACTED]


def stored(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that hold rows; a view is another look at what its tables hold."""
    return [model for model in models if model["config"]["materialized"] != "view"]


# --- who reads whom --------------------------------------------------------------------------------------------------


def test_the_project_has_models_in_every_layer_and_nowhere_else(models: list[dict[str, Any]]) -> None:
    assert {layer(model) for model in models} == set(LAYERS)


def test_a_layer_reads_only_the_one_below_and_itself(manifest: Manifest, models: list[dict[str, Any]]) -> None:
    breaches = [
        f"{model['name']} ({layer(model)}) reads {parent['name']} ({layer(parent)})"
        for model in models
        if layer(model) != "staging"
        for parent in (manifest["nodes"].get(id_) or manifest["sources"][id_] for id_ in model["depends_on"]["nodes"])
        if parent["name"] != BUILD
        and parent.get("source_name") != CONTROL
        and (parent["resource_type"] == "source" or layer(parent) not in READS[layer(model)])
    ]
    assert breaches == []


def test_no_view_from_the_ledger_on_stands_on_one_of_staging(manifest: Manifest, built: list[dict[str, Any]]) -> None:
    """Those of staging are made anew when a build reads other rows than the last; what stands on them goes."""
    breaches = [
        f"{model['name']} reads {manifest['nodes'][id_]['name']}"
        for model in built
        if model["config"]["materialized"] == "view"
        for id_ in model["depends_on"]["nodes"]
        if id_ in manifest["nodes"] and layer(manifest["nodes"][id_]) == "staging"
    ]
    assert breaches == []


def test_the_teams_of_the_organisation_are_read_by_the_ledger_alone(
    manifest: Manifest, models: list[dict[str, Any]]
) -> None:
    readers = {layer(model) for model in models if "model.kefu.stg_kefu__teams" in model["depends_on"]["nodes"]}
    assert readers == {"canonical"}


def test_a_staging_model_reads_only_its_own_source(manifest: Manifest, models: list[dict[str, Any]]) -> None:
    breaches = []
    for model in models:
        if layer(model) != "staging":
            continue
        own = Path(model["original_file_path"]).parts[2]
        for id_ in model["depends_on"]["nodes"]:
            if id_ in manifest["sources"]:
                read = manifest["sources"][id_]["source_name"]
            else:
                read = Path(manifest["nodes"][id_]["original_file_path"]).parts[2]
            if read not in (own, CONTROL) and manifest["nodes"].get(id_, {}).get("name") != BUILD:
                breaches.append(f"{model['name']} reads {id_}")
    assert breaches == []


def test_every_staging_model_and_every_declared_source_is_read(
    manifest: Manifest, models: list[dict[str, Any]]
) -> None:
    read = {id_ for model in models for id_ in model["depends_on"]["nodes"]}
    unread = {model["name"] for model in models if layer(model) == "staging" and model["unique_id"] not in read}
    assert {name for name in unread if not name.endswith(FOR_THE_PIPELINE)} == set()
    sources = {source["source_name"] for source in manifest["sources"].values()}
    assert sources == {manifest["sources"][id_]["source_name"] for id_ in read if id_ in manifest["sources"]}


# --- what is written down --------------------------------------------------------------------------------------------


def test_a_contract_is_enforced_from_the_ledger_on(built: list[dict[str, Any]]) -> None:
    assert [model["name"] for model in built if not model["config"]["contract"]["enforced"]] == []


def test_every_description_starts_with_the_grain(manifest: Manifest, models: list[dict[str, Any]]) -> None:
    described = [*models, *of_type(manifest, "seed"), *manifest["sources"].values()]
    grainless = [
        f"{node['name']}: {node['description']!r}"
        for node in described
        if not node["description"].startswith("One row per ")
    ]
    assert grainless == []


def test_every_source_is_described(manifest: Manifest) -> None:
    assert [s["name"] for s in manifest["sources"].values() if not s["source_description"].strip()] == []


def test_every_column_is_described(manifest: Manifest, models: list[dict[str, Any]]) -> None:
    undescribed = [
        f"{node['name']}.{column['name']}"
        for node in [*models, *of_type(manifest, "seed")]
        for column in node["columns"].values()
        if not column["description"].strip()
    ]
    columnless = [node["name"] for node in models if not node["columns"]]
    assert undescribed == []
    assert columnless == []


def test_every_column_from_the_ledger_on_has_a_type(built: list[dict[str, Any]]) -> None:
    untyped = [
        f"{m['name']}.{c['name']}" for m in built for c in m["columns"].values() if not (c["data_type"] or "").strip()
    ]
    assert untyped == []


def test_words_that_models_share_are_described_once(project: Path) -> None:
    written: Counter[tuple[str, str]] = Counter()
    for path in sorted((project / "dbt_project" / "models").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            for column in model.get("columns", []):
                if "doc(" not in column.get("description", ""):
                    written[column["name"], column.get("description", "")] += 1
    twice = [f"{name}: {text}" for (name, text), times in written.items() if times > 1]
    assert twice == [], "describe them in models/vocabulary.md"


def test_every_word_of_the_vocabulary_is_used(project: Path) -> None:
    folder = project / "dbt_project"
    words = re.findall(r"{% docs (\w+) %}", (folder / "models" / "vocabulary.md").read_text(encoding="utf-8"))
    used = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.yml"))
    assert [word for word in words if f'doc("{word}")' not in used and f"doc('{word}')" not in used] == []
    assert len(words) == len(set(words))


# --- what is tested --------------------------------------------------------------------------------------------------


def checks_of(manifest: Manifest, model: dict[str, Any]) -> list[dict[str, Any]]:
    return [test for test in of_type(manifest, "test") if test.get("attached_node") == model["unique_id"]]


def test_every_model_from_the_ledger_on_has_a_key_that_the_database_holds(built: list[dict[str, Any]]) -> None:
    keyless = []
    for model in stored(built):
        present = {
            column["name"]
            for column in model["columns"].values()
            if any(constraint["type"] == "not_null" for constraint in column["constraints"])
        }
        keys = [set(index["columns"]) for index in model["config"].get("indexes") or [] if index.get("unique")]
        if not any(key <= present for key in keys):
            keyless.append(model["name"])
    assert keyless == []


def test_every_seed_has_a_tested_key(manifest: Manifest) -> None:
    keyless = []
    for seed in of_type(manifest, "seed"):
        tests = checks_of(manifest, seed)
        present = {test["column_name"] for test in tests if test["test_metadata"]["name"] == "not_null"}
        keys = [{test["column_name"]} for test in tests if test["test_metadata"]["name"] == "unique"]
        keys += [
            set(test["test_metadata"]["kwargs"]["columns"])
            for test in tests
            if test["test_metadata"]["name"] == "unique_together"
        ]
        if not any(key <= present for key in keys):
            keyless.append(seed["name"])
    assert keyless == []


def test_what_is_made_anew_by_root_finds_the_rows_of_a_root_by_an_index(built: list[dict[str, Any]]) -> None:
    rootless, unindexed = [], []
    for model in built:
        root = model["config"]["meta"].get("root")
        if (model["config"]["materialized"] == "incremental") != bool(root):
            rootless.append(model["name"])
        elif root and not any(index["columns"][0] == root["column"] for index in model["config"]["indexes"]):
            unindexed.append(model["name"])
    assert rootless == []
    assert unindexed == []


def test_what_grows_with_history_is_incremental(built: list[dict[str, Any]]) -> None:
    facts = [model for model in stored(built) if model["name"].startswith("fct_") or "_daily" in model["name"]]
    assert [model["name"] for model in facts if model["config"]["materialized"] != "incremental"] == []


def lists_of_words(model: dict[str, Any]) -> dict[str, str]:
    """The condition that holds a column to a few words, by column."""
    return {
        column["name"]: constraint["expression"]
        for column in model["columns"].values()
        for constraint in column["constraints"]
        if constraint["type"] == "check" and constraint["expression"].startswith(f"{column['name']} in (")
    }


def test_a_word_of_the_ledger_that_is_one_of_a_few_is_held_to_them(built: list[dict[str, Any]]) -> None:
    words = {"channel", "direction", "status", "segment_type", "actor_kind", "created_by_kind", "metric", "to_status"}
    unheld = []
    for model in built:
        if layer(model) == "canonical":
            held = set(lists_of_words(model))
            unheld += [f"{model['name']}.{name}" for name in words & set(model["columns"]) - held]
    assert unheld == []


def test_no_list_of_known_words_has_unmapped_in_it(built: list[dict[str, Any]]) -> None:
    lists = [condition for model in built for condition in lists_of_words(model).values()]
    assert lists
    assert not any("unmapped" in condition for condition in lists)


def test_no_test_is_muted(manifest: Manifest) -> None:
    muted = [
        test["name"]
        for test in of_type(manifest, "test")
        if not test["config"]["enabled"] or test["config"]["severity"].lower() != "error" or test["config"]["where"]
    ]
    assert muted == []
    assert manifest["disabled"] == {}


# --- names -----------------------------------------------------------------------------------------------------------


def plural(word: str) -> bool:
    return word.endswith("s")


def test_models_are_called_by_their_layer(models: list[dict[str, Any]]) -> None:
    wrong = []
    for model in models:
        name, parts = model["name"], Path(model["original_file_path"]).parts
        fits = {
            "staging": name == BUILD or (name.startswith(f"stg_{parts[2]}__") and plural(name)),
            "canonical": name.startswith("canonical_") and plural(name),
            "marts": (name.startswith("fct_") and plural(name)) or (name.startswith("dim_") and not plural(name)),
            "kpis": name.startswith("kpi_"),
        }[layer(model)]
        if not (fits and Path(model["original_file_path"]).stem == name):
            wrong.append(model["original_file_path"])
    assert wrong == []


def test_columns_say_what_they_hold(built: list[dict[str, Any]]) -> None:
    wrong = []
    for model in built:
        for column in model["columns"].values():
            name, kind = column["name"], column["data_type"]
            fits = (
                re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) is not None
                and name not in RESERVED
                and name.endswith("_at") == (kind == "timestamp")
                and (not name.endswith("_date") or kind == "date")
                and name.startswith(("is_", "has_", "was_")) == (kind == "boolean")
                and (not name.endswith("_id") or kind == "text")
                and (not name.endswith("_seconds") or kind == "bigint")
                and not name.endswith("_rate")
            )
            if not fits:
                wrong.append(f"{model['name']}.{name} {kind}")
    assert wrong == []


def test_types_are_those_both_engines_have(built: list[dict[str, Any]]) -> None:
    allowed = re.compile(r"text|bigint|integer|boolean|date|timestamp|double precision|decimal\(\d+, ?\d+\)")
    kinds = {column["data_type"] for model in built for column in model["columns"].values()}
    assert [kind for kind in kinds if not allowed.fullmatch(kind)] == []


def test_singular_tests_and_unit_tests_are_called_by_what_they_assert(manifest: Manifest) -> None:
    singular = [test["name"] for test in of_type(manifest, "test") if not test.get("test_metadata")]
    assert singular
    assert [name for name in singular if not name.startswith("assert_")] == []
    units = [test["name"] for test in manifest["unit_tests"].values()]
    assert units
    # a sentence; and dbt makes relations of these names
    assert [name for name in units if name.count("_") < 3 or len(name) > 63] == []


def test_the_yaml_beside_the_models_is_called_after_its_folder_or_its_kpi_table(project: Path) -> None:
    wrong = []
    for path in (project / "dbt_project" / "models").rglob("*.yml"):
        names = {f"_{path.parent.name}__{what}.yml" for what in ("models", "sources", "unit_tests")}
        # a kpi table has a file of its own, with its metrics; what dashboards are made of shares one
        if path.parent.name == "kpis":
            names |= {f"_{table.stem}__unit_tests.yml" for table in path.parent.glob("kpi_*.sql")}
            names |= {f"{path.stem}.yml"} if path.with_suffix(".sql").exists() else {"_dashboards__models.yml"}
        if path.name not in names:
            wrong.append(str(path))
    assert wrong == []


# --- what models must not say ----------------------------------------------------------------------------------------

FORBIDDEN = {
    "::": "cast(x as type)",
    r"\bnow\s*\(": "build.as_of_at",
    r"\bcurrent_(date|time|timestamp)\b": "build.as_of_at",
    r"\blocal(time|timestamp)\b": "build.as_of_at",
    r"\b(clock|statement|transaction)_timestamp\b": "build.as_of_at",
    r"\brandom\s*\(": "nothing: same input, same output",
    r"\btimestamptz\b": "naive UTC; kf_utc converts",
    r"\bat time zone\b": "kf_utc, kf_local_from_utc",
    r"\bdistinct on\b": "row_number",
    r"\bgenerate_series\b": "kf_date_spine",
}
ENGINE = Path("macros", "engine")  # what differs between engines is written there, and only there


def sql_files(project: Path) -> Iterator[tuple[Path, str]]:
    """Models, macros and tests without their comments."""
    folder = project / "dbt_project"
    for place in ("models", "macros", "tests", "analyses", "snapshots"):
        for path in sorted((folder / place).rglob("*.sql")):
            text = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            yield path.relative_to(folder), re.sub(r"--.*", "", text)


def test_models_depend_on_no_clock_and_stay_in_the_dialect_of_both_engines(project: Path) -> None:
    found = [
        f"{path}: {match.group()!r}, write {instead}"
        for path, text in sql_files(project)
        if not path.is_relative_to(ENGINE)
        for pattern, instead in FORBIDDEN.items()
        for match in re.finditer(pattern, text, flags=re.IGNORECASE)
    ]
    assert found == []


def test_not_even_the_engine_macros_look_at_a_clock(project: Path) -> None:
    clocks = [pattern for pattern, instead in FORBIDDEN.items() if instead == "build.as_of_at"]
    found = [
        f"{path}: {pattern}"
        for path, text in sql_files(project)
        for pattern in clocks
        if re.search(pattern, text, flags=re.IGNORECASE)
    ]
    assert found == []


def test_no_model_names_a_schema_or_a_relation_itself(project: Path) -> None:
    found = [
        f"{path}: {match.group()}"
        for path, text in sql_files(project)
        if path.parts[0] in ("models", "tests")
        for match in re.finditer(r"\b(?:from|join)\s+\w+\.\w+", text, flags=re.IGNORECASE)
    ]
    assert found == []


def test_every_macro_of_the_engine_is_dispatched_or_common(project: Path) -> None:
    """A macro with an engine's own words must be `<engine>__<name>`, so that another engine can bring its own."""
    undispatched = []
    for path, text in sql_files(project):
        if path.is_relative_to(ENGINE):
            for name, body in re.findall(r"{% macro (\w+)\(.*?\) -?%}(.*?)endmacro", text, flags=re.DOTALL):
                special = any(
                    re.search(pattern, body, flags=re.IGNORECASE)
                    for pattern in (r"\bat time zone\b", r"\bjsonb\b", r"\bextract\(", r"\binterval '", " ~ '")
                )
                if special and not name.startswith("postgres__"):
                    undispatched.append(f"{path}: {name}")
    assert undispatched == []

"""docs/add-a-source.md: its tables follow the code, its examples do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kefu.files.entities import ENTITIES
from kefu.files.mapping import load_mapping
from kefu.files.reference import PAGE, filled
from kefu.files.schema import build_schema

from .conftest import Convert

FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
PROMISE = re.compile(r"<!-- (loads [^>]*?) -->\s*$")


def page(project: Path) -> str:
    return (project / PAGE).read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Language, content and the text before of every block."""
    found = []
    for match in FENCE.finditer(text):
        indent = len(match[1])
        content = "".join(line[indent:] for line in match[3].splitlines(keepends=True))
        found.append((match[2], content, text[: match.start()]))
    return found


def examples(text: str) -> list[tuple[str, str, str]]:
    """Mapping, sample and what is promised of it."""
    found, mapping = [], ""
    for language, content, before in blocks(text):
        if language == "yaml":
            mapping = content
        elif promise := PROMISE.search(before):
            found.append((mapping, content, promise[1]))
    return found


PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = examples(page(PROJECT)) if (PROJECT / PAGE).exists() else []


def test_the_tables_follow_the_code(project: Path) -> None:
    assert filled(page(project)) == page(project), "run python -m kefu.files.reference"


def test_every_entity_and_every_option_is_explained(project: Path) -> None:
    text = page(project)
    definitions = build_schema()
    names = [
        *ENTITIES,
        *definitions["properties"],
        *definitions["properties"]["file"]["properties"],
        *definitions["properties"]["time"]["properties"],
        *definitions["$defs"]["field"]["properties"],
        *definitions["$defs"]["calls"]["properties"],
    ]
    code = " ".join(content for _, content, _ in blocks(text))
    assert [
        name
        for name in names
        if not re.search(rf"\b{name}:", code) and not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", text)
    ] == []


def test_there_are_examples_to_run() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize(("mapping", "sample", "promise"), EXAMPLES, ids=[example[2] for example in EXAMPLES])
def test_an_example_does_what_it_says(convert: Convert, mapping: str, sample: str, promise: str) -> None:
    outcome = convert(mapping, sample)
    told = {verb: int(count) for verb, count in re.findall(r"(\w+) (\d+)", promise)}
    totals = {
        "loads": sum(account.loaded for account in outcome.accounts),
        "filters": sum(account.filtered for account in outcome.accounts),
        "quarantines": sum(account.quarantined for account in outcome.accounts),
        "merges": sum(account.merged for account in outcome.accounts),
        "sets": sum(
            rows
            for account in outcome.accounts
            for (what, _), (rows, _) in account.reasons.items()
            if what == "set_unknown"
        ),
    }
    assert {verb: count for verb, count in totals.items() if count} == told, outcome.rejects


def test_every_block_of_yaml_is_yaml(project: Path) -> None:
    for language, content, _ in blocks(page(project)):
        if language == "yaml":
            assert yaml.safe_load(content)


def test_every_mapping_on_the_page_is_valid(project: Path, tmp_path: Path) -> None:
    mappings = [
        content for language, content, _ in blocks(page(project)) if language == "yaml" and "entities:" in content
    ]
    assert len(mappings) >= 8
    for content in mappings:
        path = tmp_path / "mapping.yml"
        path.write_text(content, encoding="utf-8")
        load_mapping(path, project)

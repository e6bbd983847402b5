"""The suites as text: every rule is a sentence, every table of every source has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kefu import expectations
from kefu.sources import kinds

KINDS = ("zendesk", "asterisk", "qualtrics", "files")


def declared(project: Path, name: str) -> dict:
    return expectations._declared(project / "expectations" / name).SUITES


@pytest.mark.parametrize("name", [*(f"raw/{kind}.py" for kind in KINDS), "published.py"])
def test_every_rule_reads_as_a_sentence_and_none_is_said_twice(project: Path, name: str) -> None:
    for table, suite in declared(project, name).items():
        sentences = [rule.description for rule in suite]
        assert len(set(sentences)) == len(sentences), table
        for sentence in sentences:
            assert len(sentence.split()) > 2, sentence
            assert sentence[0].isupper(), sentence
            assert not sentence.endswith("."), sentence


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_a_source_lands_has_a_suite_from_its_key_to_how_much_is_kept(project: Path, kind: str) -> None:
    suites = declared(project, f"raw/{kind}.py")
    for table in kinds()[kind].tables:
        first, *_, last = suites[table.name]
        assert sorted(first.columns) == sorted(table.key), table.name
        if table.name != "file_reasons":  # a file corrected leaves no reasons
            assert last.share >= 0.5, table.name
    assert set(suites) == {table.name for table in kinds()[kind].tables}

"""Mappings: every mistake is told, with its line and what would be right, all in one message."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from kefu.errors import KefuError
from kefu.files.documents import read_document
from kefu.files.entities import ENTITIES, scales
from kefu.files.mapping import FileMapping, load_mapping
from kefu.files.schema import SCHEMA_FILE, build_schema


def load(tmp_path: Path, text: str, project: Path | None = None) -> FileMapping:
    path = tmp_path / "mapping.yml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return load_mapping(path, project)


def complaint(tmp_path: Path, text: str, project: Path | None = None) -> str:
    with pytest.raises(KefuError) as error:
        load(tmp_path, text, project)
    return str(error.value)


GOOD = """
time: {zone: UTC}
entities:
  calls:
    fields:
      call_id: id
      started_at: at
      outcome: {constant: answered}
"""


def test_the_shipped_schema_is_the_one_the_code_builds() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == build_schema(), "run python -m kefu.files.schema"


def test_the_schema_knows_every_entity_and_field() -> None:
    definitions = build_schema()["$defs"]
    for name, entity in ENTITIES.items():
        assert set(definitions[name]["properties"]["fields"]["properties"]) == set(entity.fields)


def test_every_mapping_of_the_documentation_is_valid(project: Path) -> None:
    paths = sorted((project / "docs" / "mappings").glob("*.yml"))
    assert len(paths) >= 4
    for path in paths:
        assert load_mapping(path, project).remarks == ()


def test_an_unknown_key_is_told_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    text = complaint(
        tmp_path,
        """
        tiem: {zone: UTC}
        entities:
          calls:
            fields:
              call_id: id
              started_at: {column: at, formt: D/M/YYYY}
              outcom: x
        """,
    )
    assert "line 2, tiem: there is no key 'tiem' here; did you mean 'time'?" in text
    assert (
        "line 7, entities.calls.fields.started_at.formt: there is no key 'formt' here; did you mean 'format'?" in text
    )
    assert "line 8, entities.calls.fields.outcom: there is no key 'outcom' here; did you mean 'outcome'?" in text
    assert "has 3 problems" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("      call_id: id\n", "'call_id' must be mapped: Tells calls apart"),
        ("      outcome: {constant: answered}\n", "'outcome' must be mapped"),
        ("time: {zone: UTC}\n", "which time zone is it in? Say time: {zone: Asia/Shanghai}"),
    ],
)
def test_what_must_be_there_is_missed(tmp_path: Path, change: str, told: str) -> None:
    assert change in GOOD
    assert told in complaint(tmp_path, GOOD.replace(change, ""))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("zone: UTC", "zone: Shanghai", "'Shanghai' is no IANA time zone; did you mean Asia/Shanghai?"),
        ("zone: UTC", "zone: UTC, repeated_hour: both", "expected one of earlier, later, quarantine, found 'both'"),
        ("zone: UTC", "zone: UTC, format: HH:mm", "holds no part|holds no date"),
        ("zone: UTC", "zone: UTC, clock_noise: soon", "'soon' is no length of time"),
        ("constant: answered", "constant: answerd", "'answerd' is none of answered | abandoned"),
        ("{constant: answered}", "{column: o, map: {A: answerd}}", "map gives 'answerd' is none of answered"),
        ("{constant: answered}", "{column: o, map: {A: answered}, otherwise: gone}", "otherwise gives 'gone'"),
        ("{constant: answered}", "{column: o, otherwise: failed}", "'otherwise' goes with 'map'"),
        ("{constant: answered}", "{column: o, constant: answered}", "column and constant cannot both be the source"),
        ("{constant: answered}", "{lower: true}", "where does the value come from?"),
        ("{constant: answered}", "{column: o, join: '-'}", "'join' goes with 'columns'"),
        ("{constant: answered}", "{time: o, date: d}", "'time' makes a moment"),
        ("{constant: answered}", "= if(o == 'A', 'answered'", "1 opening and 0 closing"),
        ("{constant: answered}", "= lowr(o)", "did you mean lower"),
        ("{constant: answered}", "{column: o, default: gone}", "'gone' is none of answered"),
        ("{constant: answered}", "{column: o, extract: '('}", "is not a valid pattern"),
        ("{constant: answered}", "{column: o, cases: [{constant: answered}]}", "'when' is missing"),
        ("{constant: answered}", "[answered]", "expected text or a number or true or false or a group of keys"),
        ("started_at: at", "started_at: {column: at, format: D/M}", "lacks the year"),
        ("started_at: at", "started_at: {time: at}", "'time' needs either 'date'"),
        ("started_at: at", "started_at: {time: at, after: queued_at}", "after: 'queued_at' is no field or named value"),
        ("started_at: at", "started_at: {time: at, date: d, format: D/M/YYYY}", "say date_format and time_format"),
        ("started_at: at", "started_at: {column: at, type: number}", "type: number, but started_at is a moment"),
        ("started_at: at", "started_at: {column: at, ambiguous: guess}", "expected one of quarantine, first, unknown"),
        ("started_at: at", "started_at: {column: at, ambiguous: {closest_to: x}}", "closest_to: 'x' is no field"),
        ("started_at: at", "started_at: = ended_at\n      ended_at: = started_at", "goes in a circle"),
        ("call_id: id", "call_id: id\n      talk_seconds: {column: t, format: hh}", "a duration is written as h:mm:ss"),
        ("call_id: id", "call_id: id\n      transfers: {column: t, decimal: ',', thousands: comma}", "the same mark"),
        ("  calls:", "  calls:\n    duplicates: newest", "expected one of quarantine, first, last, number"),
        ("call_id: id", "call_id: = field('nothing')", "there is no such field mapped here"),
        ("  calls:", "  call:", "there is no key 'call' here; did you mean 'calls'?"),
        ("entities:", "file: {delimiter: '||'}\nentities:", "neither one character nor one of"),
        ("entities:", "file: {encoding: utf-88}\nentities:", "is no encoding"),
        ("entities:", "file: {skip_lines: -1}\nentities:", "expected at least 0"),
        ("entities:", "file: {sheets: 1}\nentities:", "did you mean 'sheet'?"),
        ("entities:", "filters: [{name: x}]\nentities:", "say either drop or keep"),
        ("entities:", "filters: [{drop: a b}]\nentities:", "backticks"),
        ("entities:", "let: {a: b, b: a}\nentities:", "goes in a circle"),
        ("{constant: answered}", "{expression: if(a, b)}", "inside { } a formula with a comma needs quotes"),
        ("entities:", "let: {odd name: b}\nentities:", "is no name"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_would_be_right(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    text = complaint(tmp_path, GOOD.replace(old, new))
    assert any(part in text for part in told.split("|")), text
    assert "docs/add-a-source.md" in text and "mapping.yml" in text


def test_scales_are_those_of_the_seed(tmp_path: Path, project: Path) -> None:
    survey = GOOD[: GOOD.index("  calls")] + (
        "  survey_responses:\n    fields:\n      response_id: id\n      question: {constant: q}\n"
        "      metric: {constant: csat}\n"
    )
    told = complaint(tmp_path, survey, project)
    assert "a csat answer needs scale" in told and "a csat answer needs value" in told
    told = complaint(tmp_path, survey + "      scale: {constant: fivepoint}\n      value: v\n", project)
    assert "there is no scale 'fivepoint'" in told and "did you mean five_point?" in told
    assert "five_point" in scales(project)


def test_parts_of_one_entity_must_agree(tmp_path: Path) -> None:
    part = "- {name: %s, duplicates: %s, fields: {call_id: id, started_at: at, outcome: {constant: answered}}}"
    text = "time: {zone: UTC}\nentities:\n  calls:\n    " + "\n    ".join([part % ("a", "first"), part % ("a", "last")])
    told = complaint(tmp_path, text)
    assert "two parts have the same name" in told
    assert "different things about duplicates" in told


def test_a_name_that_means_a_field_and_a_column_is_remarked(tmp_path: Path) -> None:
    mapping = load(
        tmp_path, GOOD + "      queue: {column: queue, lower: true}\n      team: = upper(queue)\n      agent: = queue\n"
    )
    assert len(mapping.remarks) == 2
    assert "calls.team: 'queue' is the mapped field there, not the column" in mapping.remarks[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("a: b: c", "is not valid YAML"),
        ("a: `b`", "double quotes"),
        ("a: {b: least(c, 'd')}", "a formula with a comma needs quotes"),
        ("just text", "expected keys such as"),
        ("entities: {}\nentities: {}", "has the key 'entities' twice"),
        ("[1]: 2", "a key that is not a word"),
    ],
)
def test_what_is_no_mapping_at_all_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert told in complaint(tmp_path, text)


def test_a_missing_mapping_and_one_in_another_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(KefuError, match="no mapping file"):
        load_mapping(tmp_path / "nothing.yml")
    (tmp_path / "m.yml").write_bytes("description: é".encode("latin-1"))
    with pytest.raises(KefuError, match="not UTF-8"):
        load_mapping(tmp_path / "m.yml")


def test_yaml_words_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "m.yml"
    path.write_text(
        "map: {NO: no, 12:30: x, 2024-01-01: y, 1: one, true: t, ~: n, 007: bond}\n"
        "values: [no, 12:30, 0o7, 1e3, 7, 0.5, 010]\n"
        "base: &base {a: 1, b: 2}\nover: {<<: *base, b: 3}\n",
        encoding="utf-8",
    )
    content = read_document(path).content
    assert content["map"] == {
        "NO": "no", "12:30": "x", "2024-01-01": "y", "1": "one", "true": "t", "~": "n", "007": "bond",
    }  # fmt: skip
    assert content["values"] == ["no", "12:30", "0o7", "1e3", 7, 0.5, "010"]
    assert content["over"] == {"a": 1, "b": 3}


def test_the_digest_follows_the_meaning_not_the_comments(tmp_path: Path) -> None:
    first = load(tmp_path, GOOD).digest
    assert load(tmp_path, "# a comment\n" + GOOD).digest == first
    assert load(tmp_path, GOOD.replace("UTC", "Asia/Tokyo")).digest != first

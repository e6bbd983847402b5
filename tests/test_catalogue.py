"""The KPI catalogue: complete in both languages, sound, and nothing that follows from it has drifted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from kefu import catalogue, cli, definitions, yaml_files
from kefu.catalogue import Kpi
from kefu.errors import KefuError

# What the service centre is promised; a KPI that is lost must not pass unnoticed.
PROMISED = """
offered answered answer_rate abandon_rate short_abandon_rate service_level average_speed_of_answer average_abandon_wait
average_handle_time average_talk_time average_wrap_time transfer_rate tickets_created tickets_solved first_reply_time
first_resolution_time full_resolution_time reopen_rate one_touch_rate reassignments backlog
sla_attainment sla_time_over update_punctuality csat csat_mean nps
response_rate
"""
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture(scope="module")
def kpis(project: Path) -> dict[str, Kpi]:
    return catalogue.load(project)


# --- complete --------------------------------------------------------------------------------------------------------


def test_the_catalogue_holds_every_kpi_promised(kpis: dict[str, Kpi]) -> None:
    assert set(PROMISED.split()) - set(kpis) == set()


def test_every_kpi_speaks_english_and_chinese(kpis: dict[str, Kpi]) -> None:
    for one in kpis.values():
        for text in (one.name, one.description, one.date_basis):
            assert set(text) == {"en", "zh"}
            assert text["en"].strip() and not CHINESE.search(text["en"]), one.id
            assert CHINESE.search(text["zh"]), one.id


def test_names_of_units_directions_and_intervals_are_in_both_languages() -> None:
    for words in (catalogue.UNIT_NAMES, catalogue.DIRECTION_NAMES, catalogue.INTERVAL_NOTES):
        for text in words.values():
            assert set(text) == {"en", "zh"}
            assert CHINESE.search(text["zh"]) and not CHINESE.search(text["en"])


def test_no_two_kpis_share_a_code_or_a_name(kpis: dict[str, Kpi]) -> None:
    for word in (lambda one: one.code, lambda one: one.name["en"], lambda one: one.name["zh"]):
        said = [word(one) for one in kpis.values()]
        assert len(said) == len(set(said))


def test_every_kpi_says_what_a_reader_needs_to_judge_it(kpis: dict[str, Kpi]) -> None:
    for one in kpis.values():
        assert one.unit in catalogue.UNIT_NAMES, one.id
        assert one.direction in catalogue.DIRECTION_NAMES, one.id
        assert one.group in ("telephony", "tickets", "issues", "satisfaction", "quality", "workforce", "trust"), one.id
        assert one.owner and one.source and one.since and one.version >= 1, one.id
        assert one.minimum_n >= 1, one.id
        assert one.grains == catalogue.GRAINS, one.id
        assert {"executive", "manager", "analyst"} >= set(one.roles) > set(), one.id
        # a source is late for every team alike
        assert ("team" in one.dimensions) != (one.id == "freshness"), one.id
        # whoever works on two channels at a time is busy once: an agent's second belongs to none
        # by channel, which is in the case mix, everything is as was to be expected
        without = one.group == "workforce" or one.id in ("concurrency", "freshness", "adjusted_csat")
        assert ("channel" in one.dimensions) != without, one.id
        low, high = one.valid_range
        assert low is None or high is None or low <= high, one.id  # equal: it must be just that
        if one.target is not None:
            assert (low is None or low <= one.target) and (high is None or one.target <= high), one.id


def test_the_unit_the_interval_and_the_range_of_a_kpi_fit(kpis: dict[str, Kpi]) -> None:
    for one in kpis.values():
        expected = {
            "share": {"percent"},
            "nps": {"points"},
            "none": {"count", "seconds", "ratio", "days"},
            "mean": {"seconds", "score", "ratio"},
            "percentile": {"seconds"},
            "ratio": {"percent", "index", "per_hour"},
            "weighted": {"percent"},
            "adjusted": {"percent"},
            "kappa": {"kappa"},
            "patience": {"seconds"},
        }
        assert one.unit in expected[one.interval], one.id
        assert (one.unit == "percent") <= (one.valid_range == (0, 1)), one.id
        assert (one.unit == "kappa") <= (one.valid_range == (-1, 1)), one.id
        assert (one.unit == "points") <= (one.valid_range == (-100, 100)), one.id
        has_interval = one.interval != "none"
        assert (one.low_sql is not None) == (one.high_sql is not None) == has_interval, one.id


def test_edge_rules_are_those_of_the_register(kpis: dict[str, Kpi]) -> None:
    for one in kpis.values():
        assert [rule for rule in one.edge_rules if not re.fullmatch(r"E\d\d", rule)] == [], one.id


# --- sound -----------------------------------------------------------------------------------------------------------


def test_the_sql_of_a_kpi_reads_columns_of_its_table_and_nothing_else(project: Path, kpis: dict[str, Kpi]) -> None:
    columns = {}
    for table in {one.table for one in kpis.values()}:
        contract = yaml_files.read(project / f"dbt_project/models/kpis/{table}.yml")
        columns[table] = {column["name"] for column in contract["models"][0]["columns"]}
    for one in kpis.values():
        fragments = [one.value_sql, one.numerator_sql, one.denominator_sql, one.n_sql, one.low_sql, one.high_sql]
        for fragment in filter(None, fragments):
            tree = sqlglot.parse_one(f"select {fragment}", dialect="postgres")
            # an ordered-set aggregate of a schema is a column to the parser, one without a name
            named = {column.name for column in tree.find_all(exp.Column) if isinstance(column.this, exp.Identifier)}
            assert named <= columns[one.table], one.id
            assert not list(tree.find_all(exp.Select))[1:], one.id


def test_a_ratio_is_never_divided_by_zero(kpis: dict[str, Kpi]) -> None:
    for one in kpis.values():
        tree = sqlglot.parse_one(f"select {one.value_sql}", dialect="postgres")
        for division in tree.find_all(exp.Div):
            assert isinstance(division.expression, exp.Nullif), one.id


def test_an_unknown_kpi_is_told_which_are_near(project: Path) -> None:
    with pytest.raises(KefuError, match="no KPI called 'anser_rate'") as caught:
        catalogue.get(project, "anser_rate")
    assert "answer_rate" in str(caught.value)


# --- broken definitions ----------------------------------------------------------------------------------------------

Copy = Callable[..., Path]


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Iterator[Copy]:
    """The parts of the project the catalogue knows, with words replaced in one of its files."""
    number = 0

    def make(file: str = "", *replacements: tuple[str, str]) -> Path:
        nonlocal number
        number += 1
        root = tmp_path / f"project_{number}"
        for part in ("dbt_project/models/kpis", "dbt_project/macros/generated", "docs", "tests/golden"):
            shutil.copytree(project / part, root / part)
        for old, new in replacements:
            path = root / file
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return root

    yield make


TELEPHONY = "dbt_project/models/kpis/kpi_telephony_hourly.yml"


def test_everything_that_is_wrong_with_the_definitions_is_said_at_once(copy: Copy) -> None:
    root = copy(
        TELEPHONY,
        ("            owner: service-operations\n", ""),
        ("            code: A02\n", ""),
        ("            interval: share\n", "            interval: guess\n"),
    )
    with pytest.raises(KefuError) as caught:
        catalogue.load(root)
    lines = [line for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert lines == [
        "  - kpi_telephony_hourly.yml: metric offered: owner is missing",
        "  - kpi_telephony_hourly.yml: metric answered: code is missing",
        "  - kpi_telephony_hourly.yml: metric answer_rate: interval 'guess' is none of share, mean, nps, ratio, "
        "percentile, patience, weighted, adjusted, kappa, none",
    ]


@pytest.mark.parametrize(
    ("dimensions", "says"),
    [("[source, colour]", "unknown dimensions: colour"), ("[source, survey]", "has no column survey_id")],
)
def test_a_dimension_the_table_does_not_have_is_refused(copy: Copy, dimensions: str, says: str) -> None:
    root = copy(TELEPHONY, ("dimensions: [source, channel, team, queue]", f"dimensions: {dimensions}"))
    with pytest.raises(KefuError, match=says):
        catalogue.load(root)


def test_a_partner_that_is_no_kpi_is_found(copy: Copy) -> None:
    root = copy(TELEPHONY, ("partners: []", "partners: [gone]"))
    with pytest.raises(KefuError, match="its partner gone is no KPI"):
        catalogue.load(root)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('zh: "进线量"', 'zh: ""'), "zh"),
        (('zh: "进线量"', 'fr: "Appels"'), "zh"),
        (('en: "Offered contacts"', 'en: ""'), "en"),
        (("unit: count", "unit: calls"), "unit 'calls'"),
        (("direction: info", "direction: sideways"), "direction 'sideways'"),
    ],
)
def test_a_definition_that_readers_could_not_read_is_refused(copy: Copy, change: tuple[str, str], says: str) -> None:
    with pytest.raises(KefuError, match="metric offered") as caught:
        catalogue.load(copy(TELEPHONY, change))
    assert says in str(caught.value)


def test_a_project_without_kpis_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(KefuError, match="no KPI"):
        catalogue.load(tmp_path)


# --- drift -----------------------------------------------------------------------------------------------------------


def test_nothing_has_drifted(project: Path) -> None:
    assert catalogue.check(project) == []


def test_a_changed_definition_shows_in_everything_generated_from_it(copy: Copy) -> None:
    root = copy(TELEPHONY, ('en: "Offered contacts"', 'en: "Contacts offered"'))
    drift = catalogue.check(root)
    assert {line.split(" ")[0] for line in drift} == {"docs/kpis.md", "dbt_project/macros/generated/kpi_parts.sql"}
    assert all("make generate" in line for line in drift)


@pytest.mark.parametrize("file", ["docs/kpis.md", "dbt_project/macros/generated/kpi_parts.sql"])
def test_an_edit_by_hand_is_found(copy: Copy, file: str) -> None:
    root = copy()
    with (root / file).open("a", encoding="utf-8") as text:
        text.write("by hand\n")
    assert [line.split(" ")[0] for line in catalogue.check(root)] == [file]
    (root / file).unlink()
    assert [line.split(" ")[0] for line in catalogue.check(root)] == [file]


def test_generating_puts_it_right_and_then_changes_nothing(copy: Copy) -> None:
    root = copy("docs/kpis.md", ("Answer rate", "Rate of answers"))
    assert catalogue.generate(root) == [root / "docs" / "kpis.md"]
    assert catalogue.check(root) == []
    assert catalogue.generate(root) == []


def test_the_document_offers_a_way_between_definitions_where_they_count_the_same_contacts(project: Path) -> None:
    text = (project / "docs" / "kpis.md").read_text(encoding="utf-8")
    offered = set(re.findall(r"`kefu explain (\w+) --to-profile NAME`", text))
    assert {"service_level", "reopen_rate", "csat"} <= offered
    # no two counts of classes, but two sums of seconds
    assert not {"average_handle_time", "average_hold_time", "first_reply_time"} & offered


EARLIER = """
      - name: answer_rate_v1
        type: ratio
        label: "Answer rate, version 1"
        numerator: answered
        denominator: offered_without_short
        config:
          meta:
            version_of: answer_rate
            definition: {version: 1, since: 2026-11-22, source: "the first one"}
      - name: answer_rate
"""
ANSWER_RATE = """label: "Answer rate"
        numerator: answered
        denominator: offered_without_short
"""
OTHERWISE = (ANSWER_RATE, ANSWER_RATE.replace("offered_without_short", "offered"))


def test_a_formula_does_not_change_under_its_version(copy: Copy, project: Path) -> None:
    root = copy(TELEPHONY, OTHERWISE)
    before = (root / "docs" / "kpis.md").read_bytes()
    with pytest.raises(KefuError, match="answer_rate, profile kefu, version 1 has another formula: .* version 2"):
        catalogue.generate(root)
    assert (root / "docs" / "kpis.md").read_bytes() == before
    # unless somebody says that no number changes
    assert root / "docs" / "kpis.md" in catalogue.generate(root, same_numbers=True)
    assert catalogue.generate(root) == []


def test_a_new_version_stands_beside_the_one_before(copy: Copy) -> None:
    path = copy(TELEPHONY, OTHERWISE) / TELEPHONY
    text = path.read_text(encoding="utf-8")
    head, rate, rest = text.partition("      - name: answer_rate\n")
    rest = rest.replace("version: 1\n", "version: 2\n", 1)
    path.write_text(head + rate + rest, encoding="utf-8")
    root = path.parents[3]
    with pytest.raises(KefuError, match="answer_rate, profile kefu, version 1 is gone: keep it beside"):
        catalogue.generate(root)
    path.write_text(head + EARLIER.lstrip("\n") + rest, encoding="utf-8")
    catalogue._load.cache_clear()
    assert root / "docs" / "kpis.md" in catalogue.generate(root)
    known = catalogue.load(root)["answer_rate"]
    assert [one.version for one in known.definitions()] == [2, 1]
    # and the page it wrote holds both to what they are
    page = (root / "docs" / "kpis.md").read_text(encoding="utf-8")
    told = definitions.recorded(page)
    assert [told["answer_rate", "kefu", one.version] for one in known.definitions()] == [
        one.value_sql for one in known.definitions()
    ]


def test_the_document_tells_the_formula_of_every_version(project: Path, kpis: dict[str, Kpi]) -> None:
    page = (project / "docs" / "kpis.md").read_text(encoding="utf-8")
    assert definitions.recorded(page) == {
        (one.id, one.profile, one.version): one.value_sql for kpi in kpis.values() for one in kpi.definitions()
    }


def test_the_document_tells_every_kpi_in_both_languages(project: Path, kpis: dict[str, Kpi]) -> None:
    text = (project / "docs" / "kpis.md").read_text(encoding="utf-8")
    for one in kpis.values():
        section = text.partition(f"\n## {one.id}\n")[2].partition("\n## ")[0]
        assert one.name["zh"] in section and one.description["zh"] in section
        assert one.name["en"] in section and one.description["en"] in section
        assert one.value_sql in section


# --- the command -----------------------------------------------------------------------------------------------------


def kefu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_command_lists_the_kpis_in_either_language(
    capsys: pytest.CaptureFixture[str], kpis: dict[str, Kpi]
) -> None:
    for language in ("en", "zh"):
        status, out, _ = kefu(capsys, "catalogue", "--language", language, "--format", "json")
        assert status == 0
        listed = {row["kpi"]: row for row in json.loads(out)}
        assert {name: row["name"] for name, row in listed.items()} == {
            name: one.name[language] for name, one in kpis.items()
        }
        assert listed["answer_rate"]["unit"] == catalogue.UNIT_NAMES["percent"][language]
    _, out, _ = kefu(capsys, "catalogue", "-l", "zh")
    assert len(out.splitlines()) == len(kpis) + 1


def test_the_command_checks_for_drift(
    capsys: pytest.CaptureFixture[str], copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kefu(capsys, "catalogue", "--check")[0] == 0
    root = copy(TELEPHONY, ("target: 0.8", "target: 0.7"))
    monkeypatch.setenv("KEFU_PROJECT", str(root))
    status, out, err = kefu(capsys, "catalogue", "--check")
    assert (status, out) == (1, "")
    assert "drifted" in err and "docs/kpis.md" in err and "make generate" in err
    status, out, _ = kefu(capsys, "generate")
    assert out.splitlines() == ["generate: docs/kpis.md", "generate: dbt_project/macros/generated/kpi_parts.sql"]
    assert kefu(capsys, "catalogue", "--check")[0] == 0

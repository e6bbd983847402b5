"""`kefu kpi`: the shape of its answers and what it says to questions that cannot be answered.

That the numbers are right is shown in tests/dbt; here the published tables are filled by hand.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from kefu import catalogue, cli, kpi, warehouse, yaml_files
from kefu.errors import KefuError
from kefu.kpi import Question
from kefu.settings import Settings

COLUMNS = "kpi profile version from to {} value numerator denominator n low high unit"


def publish(settings: Settings, project: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """Make a kpi table as its contract says and fill it: what a row does not name is 'x', 0 or no moment."""
    contract = yaml_files.read(project / f"dbt_project/models/kpis/{table}.yml")
    columns = {column["name"]: column["data_type"] for column in contract["models"][0]["columns"]}
    name = sql.Identifier("kpis", table)
    with warehouse.connect(settings) as connection:
        connection.execute(
            sql.SQL("create table {} ({})").format(
                name, sql.SQL(", ").join(sql.Identifier(c) + sql.SQL(" " + kind) for c, kind in columns.items())
            )
        )
        for row in rows:
            assert set(row) <= set(columns)
            full = {c: row.get(c, {"text": "x", "timestamp": None}.get(kind, 0)) for c, kind in columns.items()}
            connection.execute(
                sql.SQL("insert into {} values ({})").format(name, sql.SQL(", ").join(sql.Placeholder() for _ in full)),
                list(full.values()),
            )


# Sunday 1 March 2026, Monday the 2nd, Tuesday the 3rd, and Wednesday 1 April
CALLS = [
    {"service_date": date(2026, 3, 1), "team_id": "returns", "channel": "voice", "offered": 1, "short_abandoned": 1},
    {"service_date": date(2026, 3, 2), "team_id": "returns", "channel": "voice", "offered": 10, "answered": 8},
    {"service_date": date(2026, 3, 2), "team_id": "loans", "channel": "chat", "offered": 4, "answered": 3},
    {"service_date": date(2026, 3, 3), "team_id": "loans", "channel": "chat", "offered": 6, "answered": 6},
    {"service_date": date(2026, 4, 1), "team_id": "loans", "channel": "chat", "offered": 2, "answered": 1},
]
BACKLOG = [
    {"service_date": date(2026, 3, 2) + timedelta(days=day), "team_id": team, "open_tickets": pile}
    for team, piles in {"returns": [3, 2, 5], "loans": [1, 1, 0]}.items()
    for day, pile in enumerate(piles)
]


@pytest.fixture(scope="module")
def published(new_warehouse: Callable[..., Settings], project: Path) -> Settings:
    """A warehouse whose kpi tables hold CALLS and BACKLOG, and one empty answer each of the others."""
    settings = new_warehouse()
    publish(settings, project, "kpi_telephony_hourly", [{"source": "asterisk", **row} for row in CALLS])
    publish(settings, project, "kpi_backlog_daily", [{"source": "zendesk", **row} for row in BACKLOG])
    others = {one.table for one in catalogue.load(project).values()} - {"kpi_telephony_hourly", "kpi_backlog_daily"}
    for table in sorted(others):
        publish(settings, project, table, [{"service_date": date(2026, 3, 2)}])
    return settings


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    published: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """`kefu` on the warehouse: its exit status, what it printed and what it complained about."""
    (tmp_path / "kefu.toml").write_text(f'[warehouse]\ndatabase = "{published.warehouse.database}"\n', encoding="utf-8")
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    monkeypatch.setenv("KEFU_HOME", str(published.home))

    def kefu(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    yield kefu


# --- the shape of an answer ------------------------------------------------------------------------------------------


def test_an_answer_has_exactly_these_columns_in_this_order(run: Run) -> None:
    _, out, _ = run("kpi", "answer_rate", "--format", "csv")
    assert out.splitlines()[0].split(",") == COLUMNS.format("").split()
    _, out, _ = run("kpi", "answer_rate", "--by", "team,channel", "--format", "csv")
    assert out.splitlines()[0].split(",") == COLUMNS.format("team channel").split()
    _, out, _ = run("kpi", "answer_rate", "--by", "channel", "--format", "json")
    assert list(json.loads(out)[0]) == COLUMNS.format("channel").split()
    _, out, _ = run("kpi", "answer_rate", "--by", "channel")
    assert out.splitlines()[0].split() == COLUMNS.format("channel").split()


def test_the_three_formats_say_the_same(run: Run) -> None:
    question = ("kpi", "answer_rate", "--grain", "day", "--by", "team")
    status, as_json, _ = run(*question, "--format", "json")
    assert status == 0
    rows = json.loads(as_json)
    _, as_csv, _ = run(*question, "--format", "csv")
    read = list(csv.DictReader(io.StringIO(as_csv)))
    assert read == [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    _, as_table, _ = run(*question)
    assert len(as_table.splitlines()) == len(rows) + 1
    assert "80.0 %" in as_table


def test_a_share_is_between_0_and_1_with_its_parts_and_its_interval(published: Settings) -> None:
    [row] = kpi.ask(published, Question("answer_rate"))
    interval = {"low": row.pop("low"), "high": row.pop("high")}
    assert row == {
        "kpi": "answer_rate", "profile": "kefu", "version": 1,
        "from": date(2026, 3, 1), "to": date(2026, 4, 1),
        "value": 18 / 22, "numerator": 18, "denominator": 22, "n": 22, "unit": "percent",
    }  # fmt: skip
    assert 0 < interval["low"] < 18 / 22 < interval["high"] < 1


def test_a_full_count_has_no_denominator_and_no_interval(published: Settings) -> None:
    [row] = kpi.ask(published, Question("offered"))
    assert (row["value"], row["numerator"], row["n"], row["unit"]) == (23, 23, 23, "count")
    assert row["denominator"] is row["low"] is row["high"] is None


def test_nothing_of_nothing_is_no_value_and_never_zero(published: Settings, run: Run) -> None:
    # the one contact of the first of March was a short abandon
    [row] = kpi.ask(published, Question("answer_rate", last=date(2026, 3, 1)))
    assert (row["numerator"], row["denominator"]) == (0, 0)
    assert row["value"] is row["low"] is row["high"] is None
    _, out, _ = run("kpi", "answer_rate", "--to", "2026-03-01")
    assert " ".join(out.splitlines()[1].split()) == "answer_rate kefu 1 2026-03-01 2026-03-01 – 0 0 0 – – percent"
    _, out, _ = run("kpi", "answer_rate", "--to", "2026-03-01", "--format", "csv")
    assert out.splitlines()[1] == "answer_rate,kefu,1,2026-03-01,2026-03-01,,0,0,0,,,percent"


def test_every_kpi_answers_by_each_of_its_dimensions(published: Settings, project: Path) -> None:
    for name, one in catalogue.load(project).items():
        for by in ((), *((dimension,) for dimension in one.dimensions)):
            rows = kpi.ask(published, Question(name, grain="month", by=by))
            assert rows, name
            assert all(list(row) == kpi.columns(by) for row in rows)


# --- periods ---------------------------------------------------------------------------------------------------------


def periods(settings: Settings, name: str = "offered", **question: Any) -> list[tuple[str, str, float]]:
    rows = kpi.ask(settings, Question(name, **question))
    return [(str(row["from"]), str(row["to"]), row["value"]) for row in rows]


def test_the_total_covers_what_was_asked_for_or_all_there_is(published: Settings) -> None:
    assert periods(published) == [("2026-03-01", "2026-04-01", 23)]
    assert periods(published, first=date(2026, 2, 1), last=date(2026, 3, 2)) == [("2026-02-01", "2026-03-02", 15)]
    assert periods(published, first=date(2026, 3, 3)) == [("2026-03-03", "2026-04-01", 8)]


def test_a_day_a_week_from_monday_and_a_month_are_whole_periods(published: Settings) -> None:
    assert periods(published, grain="day") == [
        ("2026-03-01", "2026-03-01", 1),
        ("2026-03-02", "2026-03-02", 14),
        ("2026-03-03", "2026-03-03", 6),
        ("2026-04-01", "2026-04-01", 2),
    ]
    assert periods(published, grain="week") == [
        ("2026-02-23", "2026-03-01", 1),
        ("2026-03-02", "2026-03-08", 20),
        ("2026-03-30", "2026-04-05", 2),
    ]
    assert periods(published, grain="month") == [("2026-03-01", "2026-03-31", 21), ("2026-04-01", "2026-04-30", 2)]


def test_a_period_cut_by_the_question_says_so(published: Settings) -> None:
    assert periods(published, grain="week", first=date(2026, 3, 3), last=date(2026, 3, 31)) == [
        ("2026-03-03", "2026-03-08", 6)
    ]
    assert periods(published, grain="month", first=date(2026, 3, 2), last=date(2026, 4, 1)) == [
        ("2026-03-02", "2026-03-31", 20),
        ("2026-04-01", "2026-04-01", 2),
    ]


def test_a_stock_is_that_of_the_last_day_and_adds_up_over_teams(published: Settings) -> None:
    assert periods(published, "backlog", grain="day") == [
        ("2026-03-02", "2026-03-02", 4),
        ("2026-03-03", "2026-03-03", 3),
        ("2026-03-04", "2026-03-04", 5),
    ]
    assert periods(published, "backlog") == [("2026-03-02", "2026-03-04", 5)]
    assert periods(published, "backlog", last=date(2026, 3, 3)) == [("2026-03-02", "2026-03-03", 3)]


# --- parts -----------------------------------------------------------------------------------------------------------


def test_rows_come_by_period_and_then_by_dimension(published: Settings) -> None:
    rows = kpi.ask(published, Question("offered", grain="month", by=("team", "channel")))
    assert [(str(row["from"]), row["team"], row["channel"], row["value"]) for row in rows] == [
        ("2026-03-01", "loans", "chat", 10),
        ("2026-03-01", "returns", "voice", 11),
        ("2026-04-01", "loans", "chat", 2),
    ]


def test_the_parts_of_a_total_are_those_of_its_dimensions(published: Settings) -> None:
    [whole] = kpi.ask(published, Question("answer_rate"))
    parts = kpi.ask(published, Question("answer_rate", by=("team",)))
    for part in ("numerator", "denominator", "n"):
        assert sum(row[part] for row in parts) == whole[part]


def test_one_source_is_asked_for_alone(published: Settings) -> None:
    assert periods(published, source="asterisk") == [("2026-03-01", "2026-04-01", 23)]
    assert kpi.ask(published, Question("offered", source="bank")) == []


# --- what cannot be answered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["servce_level"], ["There is no KPI called 'servce_level'.", "perhaps service_level", "kefu catalogue"]),
        (["zzz"], ["There is no KPI called 'zzz'.", "kefu catalogue"]),
        (["offered", "--by", "priority"], ["offered cannot be split by priority.", "of source, channel, team, queue"]),
        (["offered", "--by", "team,priority,x"], ["offered cannot be split by priority, x."]),
        (["offered", "--by", "team,team"], ["A dimension is named twice.", "team,team"]),
        (["offered", "--grain", "hour"], ["There is no grain 'hour'.", "one of total, day, week, month"]),
        (["offered", "--profile", "genesys"], ["offered has no profile 'genesys'.", "kefu"]),
        (["offered", "--from", "yesterday"], ["'yesterday' is no day.", "2026-03-31", "--from"]),
        (["offered", "--to", "2026-02-30"], ["'2026-02-30' is no day.", "--to"]),
        (["offered", "--from", "2026-03-02", "--to", "2026-03-01"], ["The period ends before it begins."]),
    ],
)
def test_a_question_that_cannot_be_answered_gets_one_clear_message(
    run: Run, arguments: list[str], says: list[str]
) -> None:
    status, out, err = run("kpi", *arguments)
    assert status == 1
    assert out == ""
    assert err.startswith("kefu: ")
    assert "Traceback" not in err
    for words in says:
        assert words in err


def test_an_unknown_format_is_a_mistake_of_usage(run: Run) -> None:
    status, _, err = run("kpi", "offered", "--format", "xml")
    assert status == 2
    assert "xml" in err


@pytest.mark.parametrize(("style", "left"), [("csv", 1), ("json", 1), ("table", 1)])
def test_no_data_is_an_empty_answer_and_a_word_about_it(run: Run, style: str, left: int) -> None:
    status, out, err = run("kpi", "offered", "--from", "2030-01-01", "--format", style)
    assert status == 0
    assert len(out.splitlines()) == left
    assert err == "There is no data for this question.\n"


def test_before_anything_is_published_the_way_there_is_named(new_warehouse: Callable[..., Settings]) -> None:
    with pytest.raises(KefuError, match="Nothing has been published yet") as caught:
        kpi.ask(new_warehouse(), Question("offered"))
    assert "kefu run" in str(caught.value)


def test_it_asks_as_an_analyst_who_sees_only_what_is_published(published: Settings) -> None:
    with warehouse.connect(published, "analyst") as connection:
        user = connection.execute("select current_user, current_setting('transaction_read_only')").fetchone()
    assert user == ("analyst", "on")

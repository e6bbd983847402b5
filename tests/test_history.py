"""As it was reported: every number readers ever saw can be asked for again, to the last digit.

The KPI tables are filled by hand after their contracts, so that whatever the catalogue holds is tried.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import sql

from kefu import catalogue, cli, control, history, kpi, publish, restated, yaml_files
from kefu import warehouse as database
from kefu.errors import KefuError
from kefu.kpi import Question
from kefu.settings import Settings

MONDAY = date(2026, 3, 2)
ZONE_MIDNIGHT = datetime(2026, 3, 9, 16, tzinfo=UTC)  # the end of Monday 9 March in Asia/Shanghai
TEAMS = ("returns", "loans", "none")

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def centre(warehouse: Settings) -> Settings:
    """A warehouse that has published nothing yet."""
    control.prepare(warehouse)
    publish.prepare(warehouse)
    return warehouse


def contracts(project: Path) -> dict[str, dict[str, str]]:
    """The columns and types of every table the catalogue speaks of."""
    wanted = {one.table for one in catalogue.load(project).values()}
    found = {}
    for path in (project / "dbt_project" / "models" / "kpis").glob("*.yml"):
        for model in yaml_files.read(path).get("models", ()):
            if model["name"] in wanted:
                found[model["name"]] = {column["name"]: column["data_type"] for column in model["columns"]}
    assert set(found) == wanted
    return found


def invented(project: Path, seed: int = 1, days: int = 9) -> Rows:
    """Rows for every table: a day and team each, any numbers."""
    chance = random.Random(seed)

    def value(column: str, kind: str) -> Any:
        if kind == "text":
            return chance.choice("xyz")
        if kind == "boolean":
            return chance.random() < 0.5
        if kind in ("date", "timestamp"):
            return MONDAY
        return chance.randrange(1, 1000) if not kind.startswith("decimal(18") else chance.random()

    rows: Rows = {}
    for table, columns in contracts(project).items():
        rows[table] = [
            {
                **{column: value(column, kind) for column, kind in columns.items()},
                "service_date": MONDAY + timedelta(days=day),
                **({"team_id": team} if "team_id" in columns else {}),
            }
            for day in range(days)
            for team in TEAMS
        ]
    return rows


def publication(
    settings: Settings, rows: Rows, *, as_of: datetime = ZONE_MIDNIGHT, types: dict[str, str] | None = None
) -> datetime:
    """Build the rows into the slot nobody reads and publish them; an instant at which readers saw them."""
    current = control.begin_build(settings, publish.target_slot(settings), as_of)
    with database.connect(settings) as connection:
        for table, columns in contracts(settings.project).items():
            name = sql.Identifier(f"kpis_{current.slot}", table)
            there = list(rows[table][0]) if rows[table] else list(columns)
            kinds = {column: (types or {}).get(column, columns.get(column, "bigint")) for column in there}
            connection.execute(sql.SQL("drop table if exists {} cascade").format(name))
            connection.execute(
                sql.SQL("create table {} ({})").format(
                    name,
                    sql.SQL(", ").join(sql.Identifier(column) + sql.SQL(f" {kind}") for column, kind in kinds.items()),
                )
            )
            with connection.cursor() as cursor:
                cursor.executemany(
                    sql.SQL("insert into {} values ({})").format(
                        name, sql.SQL(", ").join(sql.Placeholder() for _ in there)
                    ),
                    [list(row.values()) for row in rows[table]],
                )
    control.mark(settings, current, "built")
    control.mark(settings, current, "checked")
    publish.publish(settings, current.slot, as_of=as_of)
    return now(settings)


def now(settings: Settings) -> datetime:
    """The server's clock, which says when something was published."""
    with database.connect(settings) as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
    assert row
    return row[0]


def everything(settings: Settings, as_reported: datetime | None = None) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Every KPI under every definition, in total and by day and first dimension."""
    found = {}
    with database.connect(settings, "analyst") as reader:
        for one in catalogue.load(settings.project).values():
            for defined in one.definitions():
                for grain, by in (("total", ()), ("day", defined.dimensions[:1])):
                    question = Question(
                        one.id, grain=grain, by=by, profile=defined.profile, version=defined.version,
                        as_reported=as_reported,
                    )  # fmt: skip
                    found[one.id, defined.profile, str(defined.version), grain] = kpi.ask(settings, question, reader)
    return found


def restate(rows: Rows, seed: int = 2) -> Rows:
    """The same rows after late data: some other numbers, one row gone, one more."""
    chance = random.Random(seed)
    later: Rows = {}
    for table, listed in rows.items():
        changed = [dict(row) for row in listed]
        for row in chance.sample(changed, 3):
            for column, value in row.items():
                if isinstance(value, int) and not isinstance(value, bool):
                    row[column] = value + chance.randrange(1, 9)
        gone = changed.pop(chance.randrange(len(changed)))
        changed.append({**gone, "service_date": MONDAY + timedelta(days=40)})
        later[table] = changed
    return later


def test_what_was_published_can_be_asked_for_to_the_last_digit(centre: Settings, project: Path) -> None:
    rows = invented(project)
    first = publication(centre, rows)
    was = everything(centre)
    second = publication(centre, restate(rows))
    became = everything(centre)
    third = publication(centre, restate(restate(rows), seed=3))
    assert everything(centre, first) == was
    assert everything(centre, second) == became
    assert everything(centre, third) == everything(centre)
    assert all(was[key] != became[key] for key in was if key[-1] == "total" and was[key][0]["n"]), (
        "nothing was restated"
    )


def test_a_roll_back_is_a_publication_like_any_other(centre: Settings, project: Path) -> None:
    rows = invented(project)
    publication(centre, rows)
    was = everything(centre)
    second = publication(centre, restate(rows))
    became = everything(centre)
    publish.rollback(centre)
    assert everything(centre) == everything(centre, now(centre)) == was
    assert everything(centre, second) == became


def test_history_grows_with_what_changes(centre: Settings, project: Path) -> None:
    rows = invented(project)
    publication(centre, rows)
    publication(centre, rows)
    later = {table: [dict(row) for row in listed] for table, listed in rows.items()}
    later["kpi_backlog_daily"][4]["open_tickets"] += 1
    publication(centre, later)
    with database.connect(centre, "analyst") as connection:
        grown = connection.execute(
            "select rows_added, rows_closed from kpis_history.publications order by publication_id"
        ).fetchall()
    assert grown == [(sum(map(len, rows.values())), 0), (0, 0), (1, 1)]


def test_a_history_from_before_days_had_digests_goes_on(centre: Settings, project: Path) -> None:
    rows = invented(project)
    first = publication(centre, rows)
    was = everything(centre)
    with database.connect(centre) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'kpis_history'"
                " and starts_with(table_name, 'kpi_')"
            )
        ]
        for table in tables:
            name = sql.Identifier("kpis_history", table)
            connection.execute(sql.SQL("alter table {} add column row_hash uuid").format(name))
            connection.execute(sql.SQL("update {} as kept set row_hash = md5(kept::text)::uuid").format(name))
            connection.execute(sql.SQL("alter table {} alter column row_hash set not null").format(name))
        connection.execute("drop table kpis_history.days")
    later = {table: [dict(row) for row in listed] for table, listed in rows.items()}
    gone = later["kpi_freshness"].pop()["service_date"]
    later["kpi_freshness"] = [row for row in later["kpi_freshness"] if row["service_date"] != gone]
    later["kpi_backlog_daily"][4]["open_tickets"] += 1
    publication(centre, later)
    publication(centre, later)
    assert everything(centre, first) == was
    with database.connect(centre) as connection:
        grown = connection.execute(
            "select rows_added, rows_closed from kpis_history.publications order by publication_id"
        ).fetchall()
        [(digests,)] = connection.execute("select count(*) from kpis_history.days").fetchall()
    assert grown[1:] == [(1, 1 + len(TEAMS)), (0, 0)]
    assert digests == sum(len({row["service_date"] for row in listed}) for listed in later.values())


def test_tables_may_gain_and_lose_columns_and_change_their_types(centre: Settings, project: Path) -> None:
    rows = invented(project)
    first = publication(centre, rows)
    was = everything(centre)
    more = {table: [{**row, "brand_new": 7} for row in listed] for table, listed in rows.items()}
    second = publication(centre, more)
    assert everything(centre, second) == everything(centre) == was
    third = publication(centre, restate(rows), types={"offered": "numeric(20,0)", "team_id": "varchar(40)"})
    assert everything(centre, third) == everything(centre)
    assert everything(centre, first) == everything(centre, second) == was
    fourth = publication(centre, rows)
    assert everything(centre, fourth) == was
    with database.connect(centre, "analyst") as connection:
        number = history.published(connection, second)
        relation = history.relation(connection, number, "kpi_backlog_daily")
        assert connection.execute(sql.SQL("select distinct brand_new from {}").format(relation)).fetchall() == [(7,)]


def test_what_is_not_published_is_not_remembered(
    centre: Settings, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = invented(project)
    publication(centre, rows)
    was = everything(centre)

    def fails(*_: object) -> None:
        raise KefuError("the disk is full")

    monkeypatch.setattr(history, "_define", fails)
    with pytest.raises(KefuError, match="disk is full"):
        publication(centre, restate(rows))
    monkeypatch.undo()
    assert everything(centre) == everything(centre, now(centre)) == was
    with database.connect(centre) as connection:
        [(publications, kept)] = connection.execute(
            "select (select count(*) from control.publications), (select count(*) from kpis_history.publications)"
        ).fetchall()
    assert (publications, kept) == (1, 1)


# --- definitions -----------------------------------------------------------------------------------------------------

NEW_VERSION = """
      - name: abandon_rate_v1
        type: ratio
        label: "Abandon rate, version 1"
        numerator: abandoned
        denominator: offered
        config:
          meta:
            version_of: abandon_rate
            description: {en: "Over all offered contacts.", zh: "以全部进线量为分母。"}
            definition: {version: 1, since: 2026-11-22, source: "first definition"}
"""


@pytest.fixture
def redefined(project: Path, tmp_path: Path) -> Path:
    """The project with another definition of the abandon rate, the former one kept as version 1."""
    root = tmp_path / "project"
    shutil.copytree(project / "dbt_project" / "models" / "kpis", root / "dbt_project" / "models" / "kpis")
    path = root / "dbt_project" / "models" / "kpis" / "kpi_telephony_hourly.yml"
    content = yaml_files.read(path)
    metrics = content["models"][0]["metrics"]
    rate = next(metric for metric in metrics if metric["name"] == "abandon_rate")
    rate["config"]["meta"]["definition"]["version"] = 2
    metrics += yaml.safe_load(NEW_VERSION)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return root


def test_an_earlier_version_is_computed_on(centre: Settings, redefined: Path) -> None:
    settings = centre.model_copy(update={"project": redefined})
    rows = invented(redefined)
    publication(settings, rows)
    now_, before = (kpi.ask(settings, Question("abandon_rate", version=version)) for version in (2, 1))
    assert kpi.ask(settings, Question("abandon_rate")) == now_
    assert (now_[0]["version"], before[0]["version"]) == (2, 1)
    calls = rows["kpi_telephony_hourly"]
    offered, short, abandoned = (
        sum(row[column] for row in calls) for column in ("offered", "short_abandoned", "abandoned")
    )
    assert before[0]["value"] == abandoned / offered
    assert now_[0]["value"] == abandoned / (offered - short)
    with pytest.raises(KefuError, match="has no version 3"):
        kpi.ask(settings, Question("abandon_rate", version=3))
    page = catalogue.documentation(catalogue.load(redefined).values())
    assert "Over all offered contacts." in page and "`kefu kpi abandon_rate --version N`" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1, since", "version: 2, since", "version 2 of abandon_rate is there twice, or not before 2"),
        ("version_of: abandon_rate", "version_of: no_such", "there is no metric no_such"),
    ],
)
def test_a_version_of_nothing_or_not_before_is_refused(
    project: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    root = tmp_path / "project"
    shutil.copytree(project / "dbt_project" / "models" / "kpis", root / "dbt_project" / "models" / "kpis")
    path = root / "dbt_project" / "models" / "kpis" / "kpi_telephony_hourly.yml"
    content = yaml_files.read(path)
    rate = next(metric for metric in content["models"][0]["metrics"] if metric["name"] == "abandon_rate")
    rate["config"]["meta"]["definition"]["version"] = 2
    content["models"][0]["metrics"] += yaml.safe_load(NEW_VERSION.replace(old, new))
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(KefuError, match=message):
        catalogue.load(root)


def test_a_number_of_then_is_formed_as_it_was_then(centre: Settings, project: Path, redefined: Path) -> None:
    rows = invented(project)
    first = publication(centre, rows)
    was = everything(centre)
    later = centre.model_copy(update={"project": redefined})
    publication(later, rows)
    [row] = kpi.ask(later, Question("abandon_rate", as_reported=first))
    assert (row["version"], row["value"]) == (1, was["abandon_rate", "kefu", "1", "total"][0]["value"])
    [row] = kpi.ask(later, Question("abandon_rate"))
    assert row["version"] == 2
    with pytest.raises(KefuError, match="was no KPI then") as caught:
        kpi.ask(later, Question("abandon_rate", version=2, as_reported=first))
    assert "kefu version 1" in str(caught.value)


# --- how long, who, and what one is told -----------------------------------------------------------------------------


def test_nothing_older_than_wanted_is_kept(centre: Settings, project: Path) -> None:
    rows = invented(project)
    first = publication(centre, rows)
    second = publication(centre, restate(rows))
    became = everything(centre)
    with database.connect(centre) as connection:
        for table in ("control.publications", "kpis_history.publications"):
            connection.execute(f"update {table} set published_at = published_at - interval '40 days'")
    brief = centre.model_copy(update={"as_reported_days": 30})
    third = publication(brief, restate(restate(rows), seed=3))
    # what was visible thirty days ago was the second
    assert everything(brief, second - timedelta(days=40)) == everything(brief, third - timedelta(days=30)) == became
    with pytest.raises(KefuError, match="is not known"):
        kpi.ask(brief, Question("offered", as_reported=first - timedelta(days=40)))
    with database.connect(centre) as connection:
        [(stale,)] = connection.execute(
            "select count(*) from kpis_history.kpi_backlog_daily where to_publication <= 2"
        ).fetchall()
    assert stale == 0


def test_before_the_first_publication_there_is_nothing_to_report(centre: Settings, project: Path) -> None:
    before = now(centre)
    with pytest.raises(KefuError, match="no publication is kept"):
        kpi.ask(centre, Question("offered", as_reported=before))
    publication(centre, invented(project))
    with pytest.raises(KefuError, match="the first publication kept is of"):
        kpi.ask(centre, Question("offered", as_reported=before))


@pytest.fixture
def kefu(
    centre: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[str, str]]]:
    """The command on this warehouse: what it prints and what it says beside."""
    (tmp_path / "kefu.toml").write_text(
        f'reporting_zone = "Asia/Shanghai"\n[warehouse]\ndatabase = "{centre.warehouse.database}"\n', encoding="utf-8"
    )
    monkeypatch.setenv("KEFU_CONFIG", str(tmp_path / "kefu.toml"))
    monkeypatch.setenv("KEFU_HOME", str(centre.home))

    def run(*arguments: str) -> tuple[str, str]:
        with pytest.raises(SystemExit):
            cli.main(arguments)
        said = capsys.readouterr()
        return said.out, said.err

    yield run


def test_the_command_answers_as_reported(centre: Settings, project: Path, kefu: Callable[..., tuple[str, str]]) -> None:
    rows = invented(project)
    first = publication(centre, rows)
    was, _ = kefu("kpi", "service_level", "--by", "team", "--format", "csv")
    publication(centre, restate(rows))
    is_now, _ = kefu("kpi", "service_level", "--by", "team", "--format", "csv")
    then, _ = kefu("kpi", "service_level", "--by", "team", "--format", "csv", "--as-reported", first.isoformat())
    assert then == was != is_now
    today = first.astimezone(UTC).date() + timedelta(days=1)
    assert kefu("kpi", "service_level", "--by", "team", "--format", "csv", "--as-reported", str(today))[0] == is_now
    for wrong, words in (("soon", "no day and no instant"), ("2020-01-01", "is not known")):
        assert words in kefu("kpi", "service_level", "--as-reported", wrong)[1]


def test_how_far_each_day_moved_is_told(centre: Settings, project: Path, kefu: Callable[..., tuple[str, str]]) -> None:
    rows = invented(project, days=9)  # 2 to 10 March; the tenth is not over
    for row in rows["kpi_telephony_hourly"]:
        row |= {"answered": 8, "offered": 10, "short_abandoned": 0}
    publication(centre, rows)
    for row in rows["kpi_telephony_hourly"]:
        if row["service_date"] == date(2026, 3, 4) and row["team_id"] == "returns":
            row |= {"answered": 5}
        if row["service_date"] == date(2026, 3, 10):
            row |= {"answered": 1}
    publication(centre, rows, as_of=ZONE_MIDNIGHT + timedelta(days=1))
    told = {row["day"]: row for row in restated.restated(centre, "answer_rate")}
    assert sorted(told) == [MONDAY + timedelta(days=day) for day in range(9)]
    # 24 of 30, and then 21 of 30: ten points less
    fourth = told[date(2026, 3, 4)]
    assert (fourth["first_value"], fourth["value"], fourth["publication"]) == (0.8, 0.7, 1)
    assert fourth["size"] == pytest.approx(10)
    # the day that was not over was first reported by the second publication
    assert (told[date(2026, 3, 10)]["publication"], told[date(2026, 3, 10)]["size"]) == (2, 0)
    assert sum(row["size"] != 0 for row in told.values()) == 1
    out, said = kefu("restated", "answer_rate", "--format", "csv")
    assert len(out.splitlines()) == 2 and "2026-03-04" in out
    assert "1 of 9 days have moved" in said

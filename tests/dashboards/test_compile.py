"""The dashboards as they are written and as Superset gets them: offline, without a server or a database."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kefu import catalogue, dashboards
from kefu.dashboards import charts, compiler, datasets, facts
from kefu.dashboards import source as sources
from kefu.dashboards.source import Dashboard, Text, Window
from kefu.errors import KefuError

PAGES = ("director", "satisfaction", "telephony", "tickets")


@pytest.fixture(scope="module")
def bundle(project: Path) -> dict[str, dict[str, Any]]:
    """Everything compiled, without facts."""
    return compiler.assets(project)


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """A project that a test may break: the source of the dashboards and the models they rest on."""
    shutil.copytree(project / "superset" / "source", tmp_path / "superset" / "source")
    for part in ("models", "seeds", "macros"):
        shutil.copytree(project / "dbt_project" / part, tmp_path / "dbt_project" / part)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    """Change one place of a file; it must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_dashboards_of_this_project_are_clean(project: Path) -> None:
    assert dashboards.check(project) == []


def test_there_are_four_pages_in_two_languages_each_also_for_narrow_screens(bundle: dict[str, dict[str, Any]]) -> None:
    slugs = {body["slug"] for path, body in bundle.items() if path.startswith("dashboards/")}
    expected = {f"{page}{shape}-{language}" for page in PAGES for shape in ("", "-phone") for language in ("en", "zh")}
    assert slugs == expected


def test_compiling_again_gives_the_same(project: Path, bundle: dict[str, dict[str, Any]]) -> None:
    assert compiler.assets(project) == bundle


def test_both_languages_have_the_same_tiles_metrics_and_sql(bundle: dict[str, dict[str, Any]]) -> None:
    def plain(sql: str) -> str:
        words = re.sub(r"_(en|zh)\b", "", sql)
        return re.sub(r"'[^']*'", "''", words)  # what stands in quotes is a word of a language

    english = [path for path in bundle if path.endswith("_en.yaml")]
    assert english
    for path in english:
        one, other = bundle[path], bundle[path.replace("_en.yaml", "_zh.yaml")]
        if path.startswith("datasets/"):
            assert plain(one["sql"]) == plain(other["sql"])
            for mine, theirs in zip(one["metrics"], other["metrics"], strict=True):
                assert mine["metric_name"] == theirs["metric_name"]
                assert mine["d3format"] == theirs["d3format"]
                assert plain(mine["expression"]) == plain(theirs["expression"])
        if path.startswith("dashboards/"):
            layout = [
                [
                    (key, item.get("meta", {}).get("width"))
                    for key, item in body["position"].items()
                    if isinstance(item, dict)
                ]
                for body in (one, other)
            ]
            assert layout[0] == layout[1]
        assert one["uuid"] != other["uuid"]


def widths(page: dict[str, Any]) -> dict[str, int]:
    """How wide each tile of a page is."""
    return {key: item["meta"]["width"] for key, item in page["position"].items() if key.startswith("CHART-")}


def test_every_chart_asks_only_for_saved_metrics_and_carries_its_query(bundle: dict[str, dict[str, Any]]) -> None:
    saved = {
        body["uuid"]: {metric["metric_name"] for metric in body["metrics"]}
        for path, body in bundle.items()
        if path.startswith("datasets/")
    }
    for path, body in bundle.items():
        if not path.startswith("charts/"):
            continue
        context = json.loads(body["query_context"])
        asked = [metric for query in context["queries"] for metric in query["metrics"] or []]
        assert all(isinstance(metric, str) for metric in asked), f"{path} has a formula of its own"
        assert set(asked) <= saved[body["dataset_uuid"]]
        params = body["params"]
        drawn = [*params.get("metrics", []), *params.get("metrics_b", []), *filter(None, [params.get("metric")])]
        assert set(drawn) == set(asked)


def test_a_metric_is_the_formula_of_the_catalogue(project: Path, bundle: dict[str, dict[str, Any]]) -> None:
    kpis = catalogue.load(project)
    found: dict[str, str] = {}
    for path, body in bundle.items():
        if path.startswith("datasets/") and "weekly" not in path:
            found |= {metric["metric_name"]: metric["expression"] for metric in body["metrics"]}
    for kpi in kpis.values():
        assert found[kpi.id] == kpi.value_sql
        assert found[f"{kpi.id}__n"] == kpi.n_sql
        assert found.get(f"{kpi.id}__yhat_lower") == kpi.low_sql
        assert found.get(f"{kpi.id}__yhat_upper") == kpi.high_sql


def test_every_ratio_on_a_page_shows_its_interval_and_its_n(project: Path) -> None:
    source, kpis = sources.load(project / "superset" / "source"), catalogue.load(project)
    for name, chart in source.charts.items():
        if isinstance(chart, sources.Heatmap | sources.Xmr | sources.Tile):
            continue  # a heatmap has a cell, an XmR chart its process limits, a tile its own words
        asked = charts.used_metrics(chart, kpis)
        ratios = [kpi for kpi in getattr(chart, "kpis", [getattr(chart, "kpi", "")]) if kpis[kpi].low_sql]
        for kpi in ratios:
            assert (
                any(metric.startswith(kpi) and "yhat_lower" in metric for metric in asked)
                or f"{kpi}__range_words" in asked
            ), name
        if ratios:
            assert any(metric.endswith(("__n", "__range_words")) for metric in asked), name


def test_the_configuration_may_hide_more_than_the_definitions_do(project: Path) -> None:
    kpi = catalogue.load(project)["service_level"]
    assert f"{kpi.n_sql} < {kpi.minimum_n} " in str(compiler.assets(project))
    assert f"{kpi.n_sql} < {kpi.minimum_n} " in str(
        compiler.assets(project, dataclasses.replace(charts.NO_FACTS, minimum_n=2))
    )
    stricter = str(compiler.assets(project, dataclasses.replace(charts.NO_FACTS, minimum_n=60)))
    assert f"{kpi.n_sql} < 60 " in stricter
    assert f"{kpi.n_sql} < {kpi.minimum_n} " not in stricter


def test_a_cell_of_a_heatmap_with_too_few_cases_stays_empty(project: Path, bundle: dict[str, dict[str, Any]]) -> None:
    kpi = catalogue.load(project)["service_level"]
    [query] = json.loads(bundle["charts/missed_hours_zh.yaml"]["query_context"])["queries"]
    assert query["extras"]["having"] == f"{kpi.n_sql} >= {kpi.minimum_n}"


def test_a_filter_acts_only_on_tiles_that_have_its_column(project: Path, bundle: dict[str, dict[str, Any]]) -> None:
    source = sources.load(project / "superset" / "source")
    page = bundle["dashboards/director_en.yaml"]
    numbers = {
        item["meta"]["chartId"]: key.removeprefix("CHART-")
        for key, item in page["position"].items()
        if key.startswith("CHART-")
    }
    assert len(set(numbers)) == len(source.dashboards["director"].tiles())
    channel = next(item for item in page["metadata"]["native_filter_configuration"] if item["name"] == "Channel")
    deaf = {numbers[number] for number in channel["scope"]["excluded"]}
    assert {"scorecard", "headline_director", "service_level_xmr"} <= deaf
    assert not deaf & {"satisfaction_band", "backlog_by_team", "missed_hours"}


def test_with_one_language_no_page_links_to_a_twin(project: Path) -> None:
    alone = compiler.assets(project, languages=["zh"])
    assert not [path for path in alone if path.endswith("_en.yaml")]
    assert "director-en" not in alone["charts/headline_director_zh.yaml"]["params"]["handlebarsTemplate"]
    both = compiler.assets(project)["charts/headline_director_zh.yaml"]["params"]["handlebarsTemplate"]
    assert "/superset/dashboard/{{page}}-en/" in both


def test_the_narrow_page_has_one_tile_a_row_and_leaves_out_what_needs_width(project: Path) -> None:
    page = sources.load(project / "superset" / "source").dashboards["director"]
    narrow = compiler.narrow(page)
    assert all(len(row) == 1 for row in narrow.rows)
    assert set(page.tiles()) - set(narrow.tiles()) == {"missed_hours"}


BROKEN = {
    "a KPI that is none": ("charts/contacts.yaml", "answered]", "answerd]", "answerd is no KPI of the catalogue"),
    "a KPI of another table": ("charts/contacts.yaml", "answered]", "backlog]", "dataset telephony has no backlog"),
    "a dimension of another table": ("charts/queues.yaml", "by: queue", "by: priority", "has no column priority"),
    "a dataset that is none": ("charts/waits.yaml", "dataset: telephony", "dataset: phones", "no dataset phones"),
    "a tile that is none": ("dashboards/tickets.yaml", "resolution:", "resolutions:", "there is no chart resolutions"),
    "a row that leaves a gap": ("dashboards/tickets.yaml", "[6, 40]", "[5, 40]", "is 11 columns wide, not 12"),
    "a column that is none": ("datasets/scorecard.yaml", "weeks_drawn, points", "weeks_seen, points", "weeks_seen"),
    "a table that is none": ("datasets/scorecard.yaml", "kpis.kpi_scorecard", "kpis.scorecards", "kpis.scorecards"),
    "a column too many": ("datasets/headline.yaml", "columns:\n", "columns:\n  more: text\n", "columns differ: more"),
    "a condition on nothing": ("charts/teams.yaml", "team_id <> 'all'", "squad <> 'all'", "squad"),
    "a template beyond its tile": ("templates/headline.html", "{{detail}}", "{{details}}", "shows details"),
    "a name of no KPI": ("templates/teams.html", "@name(csat)", "@name(cast)", "cast is no KPI"),
    "a colour of nothing": ("colours.yaml", "[average_wrap_time]", "[nobody]", "no chart draws nobody"),
    "English in a Chinese title": ("charts/waits.yaml", "等待多久？", "等待 wait 多久？", "foreign words: wait"),
    "a key that is none": ("dimensions.yaml", "key: segment", "key: sector", "no column sector"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN)
def test_what_leads_nowhere_is_said(copy: Path, broken: str) -> None:
    file, old, new, says = BROKEN[broken]
    replace(copy / "superset" / "source" / file, old, new)
    problems = dashboards.check(copy)
    assert any(says in problem for problem in problems), problems


def test_what_nobody_uses_is_said(copy: Path) -> None:
    source = copy / "superset" / "source"
    shutil.copy(source / "charts/waits.yaml", source / "charts/spare.yaml")
    shutil.copy(source / "datasets/tickets.yaml", source / "datasets/spare.yaml")
    (source / "templates/spare.html").write_text("<p></p>", encoding="utf-8")
    problems = dashboards.check(copy)
    for says in ("charts/spare.yaml: no dashboard", "datasets/spare.yaml: no chart", "templates/spare.html: no chart"):
        assert any(says in problem for problem in problems), problems


def test_all_problems_are_in_one_answer(copy: Path) -> None:
    source = copy / "superset" / "source"
    replace(source / "charts/contacts.yaml", "answered]", "answerd]")
    replace(source / "dashboards/tickets.yaml", "[6, 40]", "[5, 40]")
    (source / "templates/spare.html").write_text("<p></p>", encoding="utf-8")
    assert len(dashboards.check(copy)) >= 3


@pytest.mark.slow
def test_a_model_that_loses_a_column_breaks_the_check(copy: Path) -> None:
    replace(copy / "dbt_project/models/kpis/_dashboards__models.yml", "- name: weeks_drawn", "- name: weeks_in_line")
    assert any("weeks_drawn" in problem for problem in dashboards.check(copy))


MALFORMED = {
    "title: {en: Only English}\nkind: tile\n": "title.zh: Field required",
    "kind: pie\n": "pie",
    # YAML cuts this SQL at its comma, and what is left over would be lost.
    "title: {en: A, zh: 甲}\nkind: xmr\ndataset: weekly\nkpi: csat\nwhere: {nullif(a, 0)}\n": "where: Input should be",
    "title: {en: A, zh: 甲}\nkind: xmr\ndataset: weekly\nkpi: csat\nformula: 1\n": "formula: unknown key",
    "title: {en: A, zh: 甲}\ntitle: {en: B, zh: 乙}\n": "'title' stands twice",
    "title: [": "while parsing",
}


@pytest.mark.parametrize("text", MALFORMED)
def test_a_chart_that_is_not_well_formed_is_refused(copy: Path, text: str) -> None:
    (copy / "superset/source/charts/broken.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(KefuError, match="problem") as error:
        sources.load(copy / "superset" / "source")
    assert "charts/broken.yaml" in str(error.value)
    assert MALFORMED[text] in str(error.value)


def test_a_page_of_whole_weeks_ends_with_the_last_one_and_any_other_with_yesterday() -> None:
    wednesday = date(2026, 11, 25)
    assert window("week", 26, wednesday, last=wednesday) == ("2026-05-25", "2026-11-23")
    assert window("day", 13, wednesday, last=wednesday) == ("2026-08-24", "2026-11-25")
    assert window("week", 1, date(2026, 11, 23), last=date(2026, 11, 22)) == ("2026-11-16", "2026-11-23")


def test_old_data_open_where_they_end() -> None:
    assert window("day", 4, date(2026, 11, 25), last=date(1999, 12, 31)) == ("1999-11-29", "2000-01-01")
    begin, end = window("week", 2, date(2026, 11, 25), last=date(1999, 12, 29))
    assert (begin, end) == ("1999-12-20", "2000-01-03")


def window(until: str, weeks: int, as_of: date, *, last: date) -> tuple[str, str]:
    """The days a page opens with."""
    text = Text(en="A", zh="甲")
    page = Dashboard.model_validate(
        {"title": text, "about": text, "owner": "nobody", "window": Window(weeks=weeks, until=until), "rows": []}  # type: ignore[arg-type]
    )
    return facts._window(page, as_of, [last])


@pytest.mark.parametrize("top", [1, 3, 50, 209, 210, 700, 12_345, 4_000_000])
def test_the_bars_of_n_stay_in_the_lowest_quarter(top: int) -> None:
    scale = charts._headroom(top)
    assert scale >= 4 * top
    assert scale <= 4 * top * 4 or scale == 840
    if scale > 840:
        assert all(scale % ticks == 0 for ticks in range(3, 9))


def test_every_column_has_the_type_the_models_promise(project: Path, bundle: dict[str, dict[str, Any]]) -> None:
    known = {kind for columns in datasets.tables(project).values() for kind in columns.values()}
    assert known <= {
        "TEXT",
        "BIGINT",
        "INTEGER",
        "NUMERIC",
        "DATE",
        "TIMESTAMP",
        "TIMESTAMPTZ",
        "BOOLEAN",
        "DOUBLE PRECISION",
    }
    days = {column["column_name"]: column for column in bundle["datasets/Kefu/telephony_en.yaml"]["columns"]}
    assert days["service_date"]["is_dttm"]
    assert days["offered"]["type"] == "BIGINT"
    assert not days["offered"]["groupby"]
    assert days["team"]["groupby"]


@pytest.fixture(scope="module")
def theme(project: Path) -> Any:
    """superset/kefu_theme.py."""
    spec = importlib.util.spec_from_file_location("kefu_theme", project / "superset" / "kefu_theme.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_colours_of_the_pages_are_those_of_the_theme(project: Path, theme: Any) -> None:
    scheme = theme.EXTRA_CATEGORICAL_COLOR_SCHEMES[0]["colors"]
    assert list(compiler.SCHEME) == scheme
    assert set(compiler.TEAM_COLOURS) <= set(scheme)
    used = {colour.hex for colour in sources.load(project / "superset" / "source").colours.values()}
    assert used - {"#9AA4B0"} <= set(scheme)


def test_every_colour_can_be_seen_on_both_grounds(theme: Any) -> None:
    grounds = [theme.THEME_DEFAULT["token"]["colorBgBase"], theme.THEME_DARK["token"]["colorBgBase"]]
    for colour, ground in itertools.product(compiler.SCHEME, grounds):
        assert contrast(colour, ground) >= 3, f"{colour} on {ground}"
    for look in (theme.THEME_DEFAULT, theme.THEME_DARK):
        assert contrast(look["token"]["colorTextBase"], look["token"]["colorBgBase"]) >= 7
        assert contrast(look["echartsOptionsOverrides"]["textStyle"]["color"], look["token"]["colorBgBase"]) >= 4.5


def contrast(one: str, two: str) -> float:
    """The contrast ratio of two colours, as WCAG has it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_nothing_on_a_page_comes_from_elsewhere(project: Path, theme: Any) -> None:
    allowed = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "'strict-dynamic'", "blob:", "data:"}
    for directive, places in theme.KEFU_CONTENT_SECURITY_POLICY.items():
        assert set([places] if isinstance(places, str) else places) <= allowed, directive
    for path in (project / "superset").rglob("*.html"):
        assert "http://" not in path.read_text(encoding="utf-8").replace("http-equiv", "")

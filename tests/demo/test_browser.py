"""Every page in a real browser, as the executive sees it: drawn, whole, in the right language, with SQL's numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from kefu import warehouse
from kefu.dashboards import browser, compiler, datasets
from kefu.dashboards import source as sources
from kefu.dashboards.source import Source
from kefu.dashboards.validate import LATIN_IN_CHINESE
from kefu.errors import KefuError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PAGES = ("director", "telephony", "tickets", "satisfaction")
LANGUAGES = ("en", "zh")
CARD = (".kf-name", ".kf-value", ".kf-verdict", ".kf-note")
FORBIDDEN = re.compile(r"\bNaN\b|\bnull\b|\bundefined\b|\{\{|\}\}|@\{|\[object")

# Whether each tile of the page shows something: text with a digit, or a canvas with more than its ground on it.
DRAWN = """() => [...document.querySelectorAll("[data-test='dashboard-component-chart-holder']")].map(tile => {
    const canvas = tile.querySelector('canvas');
    let colours = 0;
    if (canvas && canvas.width && canvas.height) {
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let place = 0; place < pixels.length; place += 4 * 7) seen.add(pixels.slice(place, place + 3).join());
        colours = seen.size;
    }
    const body = tile.querySelector('.slice_container, .chart-container') || tile;
    const title = tile.querySelector("[data-test='editable-title'], .header-title");
    return {
        title: title ? title.innerText || title.value || '' : '',
        text: body.innerText,
        colours,
        error: !!tile.querySelector(".ant-alert-error, [data-test='error-boundary'], .ant-empty"),
    };
})"""
# Text of ours that its tile cuts off.
CUT = """() => [...document.querySelectorAll('.kf-head, .kf-cards')].flatMap(part => {
    const holder = part.closest("[data-test='dashboard-component-chart-holder']").getBoundingClientRect();
    const bottom = Math.max(...[...part.querySelectorAll('*')].map(node => node.getBoundingClientRect().bottom));
    return bottom > holder.bottom ? [part.className + ': ' + Math.round(bottom - holder.bottom) + ' px'] : [];
})"""


@pytest.fixture(scope="module")
def source(demo_stack: Any) -> Source:
    """What was written by hand."""
    return sources.load(demo_stack.settings.project / "superset" / "source")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    with browser.browser() as running:
        yield running


@pytest.fixture(scope="module")
def visits(demo_stack: Any, chromium: Browser) -> Iterator[Callable[..., browser.Visit]]:
    """The executive, logged in once for each language, width and theme."""
    with ExitStack() as open_visits:
        known: dict[str, browser.Visit] = {}

        def of(**options: Any) -> browser.Visit:
            key = repr(sorted({"language": "en", **options}.items()))
            if key not in known:
                known[key] = open_visits.enter_context(
                    browser.visit(
                        chromium, demo_stack.superset_url, "executive", demo_stack.passwords["executive"], **options
                    )
                )
            return known[key]

        yield of


@pytest.fixture
def executive(visits: Callable[..., browser.Visit], request: pytest.FixtureRequest) -> browser.Visit:
    """A visit of the executive; the test's parameters choose language, width and theme."""
    options = getattr(request, "param", {})
    visit = visits(**options)
    visit.page.set_viewport_size({"width": options.get("width", 1440), "height": 900})
    visit.errors.clear()
    return visit


def rows(stack: Any, query: str) -> list[dict[str, Any]]:
    """What the role behind the charts reads."""
    with warehouse.connect(stack.settings, "dashboard") as connection:
        cursor = connection.execute(query.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def tiles(page: Page) -> list[dict[str, Any]]:
    """What each tile shows."""
    found: list[dict[str, Any]] = page.evaluate(DRAWN)
    return found


@dataclass(frozen=True)
class Shown:
    """A page as the executive saw it."""

    title: str
    language: str
    filters: list[str]
    header: tuple[str, str, str]  # answer, detail, as of
    cards: list[list[str]]  # name, value, verdict and notes
    menu: str
    edits: int  # buttons to change the page
    asked: list[dict[str, Any]]  # of Superset, for the charts
    tiles: list[dict[str, Any]]
    text: str
    cut: list[str]
    errors: list[str]


@pytest.fixture(scope="module")
def shown(visits: Callable[..., browser.Visit], source: Source) -> Callable[[str, str], Shown]:
    """``shown("director", "en")``: the page, drawn for the first who asks; drawing takes the browser ten seconds."""

    @cache
    def of(name: str, language: str) -> Shown:
        visit = visits(language=language)
        visit.page.set_viewport_size({"width": 1440, "height": 900})
        visit.errors.clear()
        asked: list[dict[str, Any]] = []

        def note(request: Any) -> None:
            if "chart/data" in request.url:
                asked.append(json.loads(request.post_data or "{}"))

        visit.page.on("request", note)
        page = visit.open(compiler.slug(name, language), tiles=len(source.dashboards[name].tiles()))
        visit.page.remove_listener("request", note)
        parts = [page.locator(part).inner_text() for part in (".kf-answer", ".kf-detail", ".kf-asof")]
        filters = page.locator("[data-test='filter-control-name']").all_inner_texts()
        cards = [
            [text.strip() for part in CARD for text in card.locator(part).all_inner_texts()]
            for card in page.locator(".kf-card").all()
        ]
        menu = page.locator("header, .ant-menu").first.inner_text()
        edits = page.locator("[data-test='edit-dashboard-button'], [aria-label='Edit dashboard']").count()
        visit.grow()
        return Shown(
            title=page.title(),
            language=page.evaluate("document.documentElement.lang"),
            filters=filters,
            header=(parts[0], parts[1].strip(), parts[2]),
            cards=cards,
            menu=menu,
            edits=edits,
            asked=asked,
            tiles=tiles(page),
            text=page.locator("body").inner_text(),
            cut=page.evaluate(CUT),
            errors=list(visit.errors),
        )

    return of


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_tile_of_a_page_is_drawn_with_a_number_and_no_error(
    shown: Callable[[str, str], Shown], source: Source, name: str, language: str
) -> None:
    page = shown(name, language)
    assert len(page.tiles) == len(source.dashboards[name].tiles())
    for tile in page.tiles:
        assert not tile["error"], tile
        assert re.search(r"\d", tile["text"]) or tile["colours"] > 3, f"{tile['title']} is empty"
    assert not FORBIDDEN.search(page.text), FORBIDDEN.findall(page.text)
    assert page.cut == []
    assert page.language == language
    assert page.errors == []


@pytest.mark.parametrize("name", PAGES)
def test_a_chinese_page_has_no_english_title(shown: Callable[[str, str], Shown], name: str) -> None:
    page = shown(name, "zh")
    assert len(page.filters) == 3
    for title in [*(tile["title"] for tile in page.tiles), page.title, *page.filters]:
        words = set(re.findall(r"[A-Za-z]+\d*", title)) - LATIN_IN_CHINESE
        assert not words, f"{title!r} has {words}"


@pytest.mark.parametrize(
    "executive", [{"language": "zh", "width": 390}, {"language": "en", "width": 1920, "dark": True}], indirect=True
)
def test_narrow_and_dark_pages_are_whole_too(executive: browser.Visit, source: Source) -> None:
    narrow = (executive.page.viewport_size or {})["width"] == 390
    page = source.dashboards["director"]
    expected = compiler.narrow(page) if narrow else page
    slug = "director-phone-zh" if narrow else "director-en"
    drawn = executive.open(slug, standalone=2, tiles=len(expected.tiles()))
    executive.grow()
    shown = tiles(drawn)
    assert len(shown) == len(expected.tiles())
    assert all(re.search(r"\d", tile["text"]) or tile["colours"] > 3 for tile in shown)
    assert drawn.evaluate(CUT) == []
    # Every value in the table of teams keeps its n, narrow or not.
    assert all("n = " in text for text in drawn.locator(".kf-table .kf-n").all_inner_texts())
    assert executive.errors == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_header_says_what_sql_says(
    shown: Callable[[str, str], Shown], demo_stack: Any, name: str, language: str
) -> None:
    [row] = rows(demo_stack, f"select * from kpis.kpi_headline where page = '{name}' and team_id = 'all'")
    expected = (row[f"headline_{language}"], row[f"detail_{language}"].strip(), row[f"as_of_{language}"])
    assert shown(name, language).header == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cards_show_the_numbers_of_sql(shown: Callable[[str, str], Shown], demo_stack: Any, language: str) -> None:
    expected = rows(
        demo_stack,
        f"""select name_{language} as name, value_{language} as value, verdict_{language} as verdict,
            range_{language} as range, target_{language} as target
            from kpis.kpi_scorecard where team_id = 'all' and card_number is not null order by card_number""",
    )
    cards = shown("director", language).cards
    assert len(cards) == len(expected) == 6
    assert cards == [list(row.values()) for row in expected]


def test_a_page_opens_with_the_days_of_the_publication(
    shown: Callable[[str, str], Shown], demo_stack: Any, source: Source
) -> None:
    from kefu.dashboards import facts

    window = " : ".join(facts.read(demo_stack.settings, source).windows["telephony"])
    spans = {query.get("time_range") for body in shown("telephony", "en").asked for query in body["queries"]}
    assert spans == {window, None}  # the header, and the filters' own choices, know no dates


def test_the_link_leads_to_the_twin(executive: browser.Visit, source: Source) -> None:
    page = executive.open("tickets-en", tiles=len(source.dashboards["tickets"].tiles()))
    page.locator(".kf-trust a").first.click()
    page.wait_for_url("**/dashboard/tickets-zh/**", timeout=browser.PATIENCE)


def test_a_chosen_team_is_the_team_of_every_tile(executive: browser.Visit, demo_stack: Any, source: Source) -> None:
    """Cards and headline keep one row a team: choosing one must show that team, not the whole centre."""
    [team] = rows(
        demo_stack,
        """select team_id, team_en from kpis.kpi_scorecard
           where kpi = 'service_level' and team_id not in ('all', 'none') and is_shown order by n desc limit 1""",
    )
    page = executive.open("director-en", tiles=len(source.dashboards["director"].tiles()))
    page.locator("[data-test='form-item-value'] .ant-select").nth(0).click()
    page.locator(".ant-select-item-option-content", has_text=team["team_en"]).first.click()
    page.keyboard.press("Escape")
    page.locator("[data-test='filter-bar__apply-button']").click()
    page.wait_for_timeout(1_000)
    executive.settle()
    [headline] = rows(
        demo_stack,
        f"select headline_en from kpis.kpi_headline where page = 'director' and team_id = '{team['team_id']}'",
    )
    expected = rows(
        demo_stack,
        f"""select value_en from kpis.kpi_scorecard
            where team_id = '{team["team_id"]}' and card_number is not null order by card_number""",
    )
    assert page.locator(".kf-answer").inner_text() == headline["headline_en"]
    assert page.locator(".kf-card .kf-value").all_inner_texts() == [row["value_en"] for row in expected]


def test_an_executive_finds_no_sql_lab_and_nothing_to_change(shown: Callable[[str, str], Shown]) -> None:
    page = shown("director", "en")
    assert page.menu
    assert "SQL" not in page.menu
    assert page.edits == 0


def test_a_wrong_password_is_one_clear_message(demo_stack: Any, chromium: Browser) -> None:
    with (
        pytest.raises(KefuError, match="refuses the user name or password") as error,
        browser.visit(chromium, demo_stack.superset_url, "executive", "not-the-password"),
    ):
        pass
    assert "not-the-password" not in str(error.value)


def test_both_twins_get_the_same_numbers(demo_stack: Any, source: Source) -> None:
    """What the chart-data API answers, tile by tile, without the words."""
    from kefu.dashboards import rest

    client = rest.Client(rest.server(demo_stack.settings))
    ids = {row["uuid"]: row["id"] for row in client.every("chart/", columns=["id", "uuid"])}
    compared = 0
    for name, chart in source.charts.items():
        if datasets.time_column(source.datasets[chart.dataset]) is None:
            continue
        answers = []
        for language in LANGUAGES:
            answer = client.get(f"chart/{ids[compiler.uid('chart', name, language)]}/data/")
            numbers = [
                sorted((key, value) for key, value in row.items() if isinstance(value, int | float))
                for result in answer["result"]
                for row in result["data"]
            ]
            answers.append(sorted(numbers))
        assert answers[0] == answers[1], name
        assert answers[0], f"{name} has no data"
        compared += 1
    assert compared > 15

"""Opens dashboards in a headless Chromium, for pictures and for tests.

Needs playwright (the extra ``test``) and a Chromium; playwright's own browsers are not downloaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kefu.errors import KefuError
from kefu.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",
]
TILE = "[data-test='dashboard-component-chart-holder']"
BUSY = ".loading, [data-test='loading-indicator']"
PATIENCE = 120_000  # milliseconds; a cold server on a busy machine
LOGIN = 20_000  # milliseconds from the answer to the first page
LOGINS = 3  # times to log in, see _log_in
SETTLE = 2_000  # milliseconds for charts to be drawn once their data are there


@dataclass
class Visit:
    """A page of a logged-in user, and what its console said."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)

    def open(self, slug: str, *, standalone: int = 0, tiles: int = 1) -> Page:
        """Open a dashboard and wait until every tile has its data and is drawn.

        KefuError if the session is gone, fewer than ``tiles`` appear or one stays busy.
        """
        from playwright.sync_api import Error

        self.page.goto(f"{self.url}/superset/dashboard/{slug}/?standalone={standalone}", timeout=PATIENCE)
        if "/login" in self.page.url:
            raise KefuError(f"Superset asks for a login before it shows {slug}.", where=self.page.url)
        try:
            self.page.wait_for_function(
                "([tile, count]) => document.querySelectorAll(tile).length >= count",
                arg=[TILE, tiles],
                timeout=PATIENCE,
            )
            self.settle()
        except Error as error:
            raise KefuError(
                f"The dashboard {slug} was not drawn in time.",
                expected=f"{tiles} tiles, none still loading",
                found=f"{self.page.locator(TILE).count()} tiles, {self.page.locator(BUSY).count()} still loading",
                where=self.page.url,
            ) from error
        return self.page

    def grow(self) -> int:
        """Make the window as high as the page, so that nothing is left undrawn; its height in pixels."""
        width = (self.page.viewport_size or {"width": 1440})["width"]
        height = self.page.evaluate(
            "() => Math.max(...[document.body, ...document.querySelectorAll('div')].map(e => e.scrollHeight))"
        )
        self.page.set_viewport_size({"width": width, "height": min(height, 8000)})
        self.settle()
        return int(height)

    def settle(self) -> None:
        """Wait until nothing loads any more and the charts have been drawn."""
        self.page.wait_for_timeout(500)
        self.page.wait_for_function("busy => !document.querySelector(busy)", arg=BUSY, timeout=PATIENCE)
        self.page.wait_for_timeout(SETTLE)
        self.page.wait_for_function("busy => !document.querySelector(busy)", arg=BUSY, timeout=PATIENCE)


def chromium_path() -> str:
    """Where the browser is. KefuError if there is none."""
    named = os.environ.get("KEFU_CHROMIUM")
    found = named or next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if not found:
        raise KefuError(
            "There is no Chromium to open the dashboards with.",
            expected=f"one of {', '.join(CHROMIUM)} on the PATH, or KEFU_CHROMIUM",
            do="Install it: apt-get install chromium fonts-noto-cjk.",
        )
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path(), args=OPTIONS)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def visit(
    running: Browser,
    url: str,
    user: str,
    password: str,
    *,
    width: int = 1440,
    height: int = 900,
    dark: bool = False,
    language: str = "en",
) -> Iterator[Visit]:
    """Log in through the form, with menus in the language and the theme chosen. KefuError if Superset refuses."""
    context = running.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        locale="zh-CN" if language == "zh" else "en-GB",
        reduced_motion="reduce",
        is_mobile=width < 600,
    )
    theme = "dark" if dark else "default"
    context.add_init_script(f"localStorage.setItem('superset-theme-mode', '{theme}')")
    page = context.new_page()
    seen = Visit(page, url)
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("response", lambda answer: _note_refusal(seen, answer))
    page.on("requestfailed", lambda request: _note_failure(seen, request))
    try:
        _log_in(page, url, user, password)
        if language != "en":
            page.goto(f"{url}/lang/{language}", timeout=PATIENCE)
        seen.errors.clear()
        yield seen
    finally:
        context.close()


def _log_in(page: Page, url: str, user: str, password: str) -> None:
    # The session is a cookie: an answer still on its way from before the login puts the old one back. On a busy
    # machine the login page may ask for something after it has looked idle, so whether the login held is asked.
    for _ in range(LOGINS):
        _submit(page, url, user, password)
        if page.request.get(f"{url}/api/v1/me/", timeout=PATIENCE).ok:
            return
    raise KefuError(
        f"Superset does not keep the login of {user!r}.", found=f"{LOGINS} logins, each forgotten", where=url
    )


def _submit(page: Page, url: str, user: str, password: str) -> None:
    """Send the login form and wait for the first page. KefuError if Superset refuses."""
    from playwright.sync_api import Error

    page.goto(f"{url}/login/", timeout=PATIENCE, wait_until="networkidle")
    page.locator("input#username, input[name=username]").fill(user, timeout=PATIENCE)
    page.locator("input[type=password]").fill(password)
    with page.expect_response(
        lambda answer: "/login" in answer.url and answer.request.method == "POST", timeout=PATIENCE
    ):
        page.locator("input[type=password]").press("Enter")
    try:
        page.wait_for_url(lambda address: "/login" not in address, timeout=LOGIN, wait_until="commit")
    except Error as error:
        raise KefuError(
            "Superset refuses the user name or password.",
            found=f"user {user!r}, still at the login page",
            where=url,
        ) from error
    page.wait_for_load_state("networkidle", timeout=PATIENCE)


def _note_refusal(seen: Visit, answer: Any) -> None:
    if answer.status >= 400:
        seen.errors.append(f"{answer.status} {answer.request.method} {answer.url}")


def _note_failure(seen: Visit, request: Any) -> None:
    # Leaving a page breaks off what it still asks for; that is no failure.
    if request.failure and "ERR_ABORTED" not in request.failure:
        seen.errors.append(f"{request.url}: {request.failure}")


def screenshot(
    settings: Settings,
    slug: str,
    path: Path,
    width: int = 1440,
    height: int = 900,
    *,
    dark: bool = False,
    whole: bool = False,
) -> None:
    """A picture (PNG) of a dashboard as the local stack's executive sees it; ``whole``: as high as the page is.

    KefuError: no browser, wrong password, a tile that does not come.
    """
    from kefu.stack import superset

    language = "zh" if slug.endswith("zh") else "en"
    path.parent.mkdir(parents=True, exist_ok=True)
    password = superset.password(settings, "executive")
    with (
        browser() as running,
        visit(
            running,
            superset.url(settings),
            "executive",
            password,
            width=width,
            height=height,
            dark=dark,
            language=language,
        ) as seen,
    ):
        seen.open(slug, standalone=2 if width < 600 else 0)
        if whole:
            seen.grow()
        seen.page.screenshot(path=path)

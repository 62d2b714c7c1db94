"""Chromium over pages that are served as `armorstack run` serves them.

Invariant: a page that logs an error, breaks its own security policy, or asks for something that is
not there fails the test, whatever else the test looks at.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.support.policies import BOOK, SOME_COVERAGE, FixedBook, many_documents
from tests.support.tools import require_tool
from tests.support.web import Site, now_us, serving

WAIT_MS = 20_000
"""Nobody measures time here, and the machine may be busy."""
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}


class Visit(Protocol):
    """Opens a page, signed in; `status` is what the server is to answer."""

    def __call__(self, path: str, *, status: int = 200, **context: Any) -> Page: ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    chromium = require_tool("chromium", "scripts/setup --browser")
    with sync_playwright() as playwright:
        # Root needs --no-sandbox; the pages are our own.
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The sample's events of the last 20 hours. Tests that write get a site of their own."""
    book = FixedBook(*many_documents(now_us()), troubles=BOOK.troubles(), coverage=SOME_COVERAGE)
    with serving(tmp_path_factory.mktemp("site"), events=400, book=book) as served:
        yield served


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    with Visiting(browser, site) as opened:
        yield opened


class Visiting:
    """Within it a `Visit` of this site; at its end whatever its pages complained of is raised."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self.browser, self.site = browser, site
        self.contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def __enter__(self) -> Visit:
        return self._open

    def __exit__(self, kind: Any, *_: Any) -> None:
        for context in self.contexts:
            context.close()
        # What the test itself found comes first.
        assert kind is not None or not self.faults, "\n".join(self.faults)

    def _open(self, path: str, *, status: int = 200, **options: Any) -> Page:
        options = {"viewport": WIDE, "timezone_id": "Europe/Berlin"} | options
        context = self.browser.new_context(**options)
        context.set_default_timeout(WAIT_MS)
        self.contexts.append(context)
        if options.get("java_script_enabled", True):
            context.add_init_script(TELL)
        signed_in = context.request.get(
            f"{self.site.url}/?token={self.site.token}", max_redirects=0
        )
        assert signed_in.status == 303
        page = context.new_page()
        self._watch(page, expected=status)
        answer = page.goto(self.site.url + path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        assert urlsplit(page.url).path == urlsplit(path).path, "signed out"
        return page

    def _watch(self, page: Page, expected: int) -> None:
        page.on("console", self._on_console(expected))
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))

    def _on_console(self, expected: int) -> Callable[[ConsoleMessage], None]:
        def heard(message: ConsoleMessage) -> None:
            is_expected = expected >= 400 and f"status of {expected}" in message.text
            if message.type in ("error", "warning") and not is_expected:
                self.faults.append(f"console: {message.text} ({message.location.get('url')})")

        return heard


TELL = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""

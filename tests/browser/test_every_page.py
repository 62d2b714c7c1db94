"""Each page in a real Chromium: light, dark, narrow, no JavaScript, printed, with hostile text.

The table names an example of every route that gives a page; a route that is missing from it fails.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from armorstack.core.batch import Batch
from armorstack.store.cursor import encode_id
from tests.browser.conftest import NARROW, Visit, Visiting
from tests.support import axe, hostile
from tests.support.stores import id_of
from tests.support.web import Site, now_us, serving

NO_PAGES = ("/api/", "/static/", "/health", "/ready", "/metrics", "/sign-out")
EXAMPLES: dict[str, tuple[str, ...]] = {
    "/": ("/", "/?from=all&tz=Europe/Berlin"),
    "/events": ("/events", "/events?fold=1"),
    "/events/{id}": ("/events/{event}",),
    "/policies": ("/policies", "/policies?state=firing&sort=day", "/policies?by=events"),
    "/policy": ("/policy?policy=DefaultPosture&from=all", "/policy?policy=ksp-policy-21"),
    "/coverage": ("/coverage", "/coverage?namespace=shop"),
    "/pods": ("/pods",),
    "/pod": ("/pod?namespace={namespace}&pod={pod}&from=all",),
    "/namespaces": ("/namespaces",),
    "/namespace": ("/namespace?namespace={namespace}&from=all",),
    "/nodes": ("/nodes",),
    "/node": ("/node?node={node}&from=all",),
    "/executed": ("/executed", "/executed?what=*sh", "/executed?what=never-was"),
    "/status": ("/status",),
    "/sign-in": ("/sign-in",),
}
PATHS = [path for paths in EXAMPLES.values() for path in paths]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {}, "dark": {"color_scheme": "dark"}, "360": {"viewport": NARROW},
}  # fmt: skip


@pytest.fixture(scope="module")
def names(site: Site) -> dict[str, str]:
    """What the examples speak of: the newest alert's names."""
    asked = site.get("/api/v1/events?from=all&stream=alert&size=1&namespace=!&pod=!").json()
    newest = asked["events"][0]
    return {
        "event": newest["id"], "namespace": newest["namespace"], "pod": newest["pod"],
        "node": newest["node"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("hostile"), events=0) as served:
        served.store.write(Batch(hostile.rows(now_us()), (), 1))
        yield served


def test_every_route_that_gives_a_page_has_an_example(site: Site) -> None:
    pages = {
        route.path
        for route in site.app.routes
        if "GET" in route.methods and not route.path.startswith(NO_PAGES)
    }
    assert pages == set(EXAMPLES)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_usable_by_everybody(
    visit: Visit, names: dict[str, str], path: str, look: str
) -> None:
    page = visit(path.format_map(names), **LOOKS[look])
    page.wait_for_load_state("load")
    assert axe.violations(page) == []
    assert_fits(page)
    assert page.title()
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("path", [paths[0] for paths in EXAMPLES.values()])
def test_a_page_says_the_same_without_javascript(
    visit: Visit, names: dict[str, str], path: str
) -> None:
    page = visit(path.format_map(names), java_script_enabled=False)
    text = page.locator("main").inner_text()
    assert len(text) > 40
    assert "loading" not in text.lower()


@pytest.mark.parametrize("path", [paths[0] for paths in EXAMPLES.values()])
def test_a_printed_page_fits_on_paper(visit: Visit, names: dict[str, str], path: str) -> None:
    page = visit(path.format_map(names), viewport={"width": 794, "height": 1123})
    page.emulate_media(media="print")
    assert_fits(page)
    assert page.locator("nav").first.is_hidden() or path == "/sign-in"


@pytest.mark.parametrize("path", ["/", "/events", "/policies", "/pods", "/namespaces", "/nodes"])
def test_hostile_text_runs_nothing_and_breaks_nothing(
    browser: Browser, hostile_site: Site, path: str
) -> None:
    with Visiting(browser, hostile_site) as visit:
        page = visit(f"{path}?from=all")
        page.wait_for_load_state("load")
        assert page.title() != "owned"
        assert "hostile-" in page.locator("main").inner_text()
        assert_fits(page)


def test_the_page_of_a_hostile_event_runs_nothing(browser: Browser, hostile_site: Site) -> None:
    with Visiting(browser, hostile_site) as visit:
        for number in range(0, len(hostile.TEXTS), 6):
            page = visit(f"/events/{encode_id(id_of(('hostile', number)))}", viewport=NARROW)
            assert page.title() != "owned"
            assert f"hostile-{number}" in page.locator("main").inner_text()
            assert_fits(page)
            page.close()


def assert_fits(page: Page) -> None:
    """No page scrolls sideways; wide tables scroll by themselves."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], f"{page.url} is {width} wide"

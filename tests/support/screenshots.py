"""The pictures of `docs/images`: `scripts/screenshots` draws them anew from the sample's events.

Pages are those of a store filled as tests fill it; look at each picture before you commit it.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.support.tools import require_tool
from tests.support.web import Site, serving

WIDE: Any = {"width": 1280, "height": 860}
NARROW: Any = {"width": 360, "height": 740}
EVENTS = 2000
SETTLE_MS = 1200
PICTURES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("overview-light", "/", {}),
    ("overview-dark", "/", {"color_scheme": "dark"}),
    ("overview-360", "/", {"viewport": NARROW}),
    ("events-light", "/events", {}),
    ("events-dark", "/events?policy=DefaultPosture", {"color_scheme": "dark"}),
    ("events-360", "/events", {"viewport": NARROW}),
    ("event", "/events/{event}", {}),
    ("policies", "/policies", {}),
    ("policy", "/policy?policy={policy}", {}),
    ("pod", "/pod?namespace={namespace}&pod={pod}", {}),
    ("executed", "/executed?what=curl", {}),
    ("status-dark", "/status", {"color_scheme": "dark"}),
)
"""File, page, how it is looked at."""


def main(folder: Path) -> None:
    """Draw them all into the folder."""
    chromium = require_tool("chromium", "scripts/setup --browser")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data_dir,
        serving(Path(data_dir), events=EVENTS) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        names = _names(site)
        for name, path, look in PICTURES:
            _draw(browser, site, path.format_map(names), look, folder / f"{name}.png")
        browser.close()


def _names(site: Site) -> dict[str, str]:
    """A blocked alert of a pod, for the pages of one thing."""
    asked = "/api/v1/events?action=Block&stream=alert&namespace=!&pod=!&severity=5..10&size=1"
    newest = site.get(asked).json()["events"][0]
    return {"event": newest["id"], **{n: newest[n] for n in ("policy", "namespace", "pod")}}


def _draw(browser: Browser, site: Site, path: str, look: dict[str, Any], file: Path) -> None:
    context = browser.new_context(**({"viewport": WIDE} | look))
    page = context.new_page()
    page.goto(f"{site.url}/?token={site.token}")
    page.goto(site.url + path)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file)
    context.close()
    print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

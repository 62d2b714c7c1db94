"""axe-core, which finds what a page keeps from people with a screen reader or a keyboard alone.

It is MPL-licensed, so it is fetched for the tests (`scripts/setup --browser`) and never part of
the project. The version stands in that script alone.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.tools import missing

ROOT = Path(__file__).parents[2]
RUN = "() => axe.run(document, {resultTypes: ['violations']})"


@cache
def source() -> str:
    """The script; fails or skips where it is missing, and says what mends that."""
    script = (ROOT / "scripts/setup").read_text()
    version = re.search(r"^axe=(axe-core-[0-9.]+)$", script, re.MULTILINE)
    assert version, "scripts/setup names no version of axe-core"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache_dir = Path(os.environ.get("ARMORSTACK_TEST_CACHE") or f"{home}/armorstack-tests")
    file = cache_dir / version[1] / "axe.min.js"
    if not file.is_file():
        missing(f"{version[1]} is not there", "scripts/setup --browser")
    return file.read_text()


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it is now: rule, how grave, and the elements."""
    # Through the debugging protocol, so that the page's own policy need not allow it.
    page.evaluate(source())
    found: list[dict[str, Any]] = page.evaluate(RUN)["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]

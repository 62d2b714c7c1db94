"""Pages from templates, and how values are written in them.

    asked       → the search form, the span and the links of the frame (`chrome.py`)
    |time       a moment in the zone asked for, as a `time` element
    |count      1,234
    |shown      text of an event on one line, unsafe characters as escapes, cut at 200 characters
    static(…)   the URL of a file in `static/`, which changes when any of them does

Invariant: whatever an event says is escaped; a template that names something it was not given is
an error; no page has inline script or style. Must not go here: what a page shows.
"""

import gzip
from datetime import tzinfo
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from armorstack import __version__
from armorstack.core.query.asked import Asked
from armorstack.core.text import printable
from armorstack.store.event_json import time_text
from armorstack.web.chrome import chrome_of
from armorstack.web.pages.told import moment
from armorstack.web.static_files import static_url

SHORT = 200
"""Characters of one value that a line shows."""
WORTH_PACKING = 1000
"""Bytes; below, gzip's own frame eats what it saves."""
LEVEL = 5
"""Of gzip: 2 ms for a page of 200 KiB; 9 saves 3 % more and takes twice as long."""


@cache
def environment() -> Environment:
    """The templates of this package."""
    made = Environment(
        loader=PackageLoader("armorstack.web"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"version": __version__, "static": static_url}
    made.filters |= {"time": time_element, "count": counted, "shown": shown}
    return made


def page(
    request: Request, template: str, *, status_code: int = 200, asked: Asked | None = None,
    **values: Any,
) -> HTMLResponse:  # fmt: skip
    """The page. `values` are what the template names, besides `path`, `asked` and `chrome`.

    Without `asked` the frame keeps of the URL what it can. Packed where the caller takes it.
    """
    text = (
        environment()
        .get_template(template)
        .render(path=request.url.path, asked=asked, chrome=chrome_of(request, asked), **values)
    )
    response = HTMLResponse(text, status_code=status_code)
    pack(request, response)
    return response


def pack(request: Request, response: Response) -> None:
    """Make the answer's body smaller where it is worth it and the caller can read that."""
    response.headers["vary"] = "accept-encoding"
    takes = "gzip" in request.headers.get("accept-encoding", "")
    if not takes or len(response.body) < WORTH_PACKING:
        return
    response.body = gzip.compress(response.body, LEVEL, mtime=0)
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))


def time_element(
    time_us: int, zone: tzinfo, digits: int = 3, *, with_year: bool = True
) -> Markup:  # fmt: skip
    """A `time` element: in the zone with `digits` of the second, whole and in UTC beneath."""
    whole, text = time_text(time_us), moment(time_us, zone, digits=digits)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(
        whole, text if with_year else text.partition("-")[2] or text
    )


def counted(number: int) -> str:
    """With a comma after each three digits."""
    return f"{number:,}"


def shown(text: object, limit: int = SHORT) -> str:
    """Text of an event, fit for one line."""
    return printable(str(text), limit)

"""Pages from templates.

Invariant: whatever an event says is escaped; a template that names something it was not given is
an error; no page has inline script or style. Must not go here: what a page shows.
"""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from armorstack import __version__


@cache
def environment() -> Environment:
    """The templates of this package."""
    made = Environment(
        loader=PackageLoader("armorstack.web"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals["version"] = __version__
    return made


def page(request: Request, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """The page. `values` are what the template names, besides `path`, the request's path."""
    text = environment().get_template(template).render(path=request.url.path, **values)
    return HTMLResponse(text, status_code=status_code)

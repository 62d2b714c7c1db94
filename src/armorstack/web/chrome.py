"""The frame of every page: navigation, the search form, the span, and what is picked.

Invariant: a link keeps what the page was asked for as far as it means something where it leads;
places in a list of events (`before`, `after`) never outlive a change of the question. Must not go
here: the body of any page; questions to a store.
"""

from zoneinfo import available_timezones

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request

from armorstack.core.query.asked import DEFAULT_FROM, DEFAULT_TO, Asked, ParameterError
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.web.desk import Grant

NAVIGATION = (
    ("Overview", "/", ()),
    ("Events", "/events", ()),
    ("Policies", "/policies", ("/policy", "/coverage")),
    ("Pods", "/pods", ("/pod",)),
    ("Namespaces", "/namespaces", ("/namespace",)),
    ("Nodes", "/nodes", ("/node",)),
    ("Executed?", "/executed", ()),
    ("Status", "/status", ()),
)
"""Title, path, and the paths of pages below it."""
SEARCHES = ("/", "/events")
"""Pages that are asked by the same query: links between them keep it."""
SPANS = (
    ("15m", "now-15m", "Last 15 minutes"),
    ("1h", "now-1h", "Last hour"),
    ("24h", "now-24h", "Last 24 hours"),
    ("7d", "now-7d", "Last 7 days"),
    ("30d", "now-30d", "Last 30 days"),
    ("All", "all", "All time"),
)
REFRESHES = ("", "10s", "30s", "60s")
ZONES = (
    "UTC", "America/Los_Angeles", "America/Denver", "America/Chicago", "America/New_York",
    "America/Sao_Paulo", "Europe/London", "Europe/Berlin", "Europe/Kyiv", "Africa/Lagos",
    "Africa/Johannesburg", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Shanghai",
    "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip
"""What the form offers; any other zone may stand in the URL."""
_PLACES = {"before": "", "after": "", "near": ""}


class Link(Struct, frozen=True):
    """A link; `is_current`: it leads to what is shown."""

    text: str
    url: str
    title: str = ""
    is_current: bool = False


class Chip(Struct, frozen=True):
    """One thing that narrows the page; the URL takes it away."""

    field: str
    value: str
    is_excluded: bool
    url: str


class Chrome(Struct, frozen=True):
    """What `base.html` shows around a page."""

    navigation: tuple[Link, ...]
    action: str
    """Where the search form leads."""
    hidden: tuple[tuple[str, str], ...]
    """What the form keeps besides its own fields."""
    asked: Asked
    spans: tuple[Link, ...]
    span: str
    """The span in words."""
    zones: tuple[str, ...]
    refreshes: tuple[str, ...]
    refresh: str
    chips: tuple[Chip, ...]
    without_chips: str
    is_signed_in: bool


def chrome_of(request: Request, asked: Asked | None) -> Chrome:
    """The frame for this request. Raises ParameterError for a `refresh` that is not offered."""
    path = request.url.path
    action = path if asked is not None and not path.startswith("/events/") else "/events"
    asked = asked or _kept(request)
    return Chrome(
        navigation=tuple(_links(path, asked)), action=action, hidden=_hidden(asked), asked=asked,
        spans=tuple(_spans(action, asked)), span=_span(asked),
        zones=ZONES if asked.tz in ZONES else (asked.tz, *ZONES),
        refreshes=REFRESHES, refresh=refresh_of(asked), chips=chips(asked, action),
        without_chips=replace(asked, picks=(), q="").url(action, **_PLACES),
        is_signed_in=isinstance(request.scope.get("armorstack.grant"), Grant),
    )  # fmt: skip


def refresh_of(asked: Asked) -> str:
    """How often the page is to be asked for again; empty: never."""
    refresh = asked.get("refresh")
    if refresh not in REFRESHES:
        hint = f"say one of {', '.join(REFRESHES[1:])}"
        raise ParameterError(f"refresh: {refresh!r} is not offered", parameter="refresh", hint=hint)
    return refresh


def chips(asked: Asked, path: str) -> tuple[Chip, ...]:
    """What narrows this, in the order of the URL; the query, where there is one, first."""
    found = []
    if asked.q:
        found.append(Chip("", asked.q, False, replace(asked, q="").url(path, **_PLACES)))
    for pick in asked.picks:
        for value in (*pick.include, *pick.exclude):
            url = asked.without_pick(pick.field, value).url(path, **_PLACES)
            found.append(Chip(pick.field, value, value in pick.exclude, url))
    return tuple(found)


def is_zone(name: str) -> bool:
    """Whether there is such a zone."""
    return name in available_timezones()


def _links(path: str, asked: Asked) -> list[Link]:
    plain = replace(asked, q="", picks=(), more=())
    found = []
    for text, to, below in NAVIGATION:
        is_current = path == to or path in below or (to != "/" and path.startswith(f"{to}/"))
        kept = replace(asked, more=()) if {path, to} <= set(SEARCHES) else plain
        found.append(Link(text, kept.url(to), is_current=is_current))
    return found


def _spans(path: str, asked: Asked) -> list[Link]:
    return [
        Link(text, asked.at(start, DEFAULT_TO).url(path, **_PLACES), title,
             (asked.start, asked.end) == (start, DEFAULT_TO))
        for text, start, title in SPANS
    ]  # fmt: skip


def _span(asked: Asked) -> str:
    for _, start, title in SPANS:
        if (asked.start, asked.end) == (start, DEFAULT_TO):
            return title
    return f"{asked.start} – {asked.end}"


def _hidden(asked: Asked) -> tuple[tuple[str, str], ...]:
    kept = tuple(pair for pair in asked.more if pair[0] not in (*_PLACES, "refresh"))
    return tuple(
        replace(asked, q="", start=DEFAULT_FROM, end=DEFAULT_TO, tz="UTC", more=kept).pairs()
    )


def _kept(request: Request) -> Asked:
    """What can be kept of a URL that was not, or could not be, understood; for its URLs only."""
    said = request.query_params
    picks = tuple(pair for pair in said.multi_items() if pair[0] in QUERY_FIELDS)
    tz = said.get("tz", "")
    return Asked(
        q=said.get("q", ""), start=said.get("from") or DEFAULT_FROM,
        end=said.get("to") or DEFAULT_TO, tz=tz if is_zone(tz) else "UTC", more=picks,
    )  # fmt: skip

"""The same question elsewhere: as a file, as a command, for the page's own script.

Invariant: each asks what the page asks, no more and no less. Must not go here: answers.
"""

import shlex
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.query.asked import ALL, DEFAULT_TO, Asked
from armorstack.core.query.format import format_query
from armorstack.core.text import UNSAFE
from armorstack.store.contract import Page
from armorstack.web.charts.palette import BANDS, NO_SEVERITY
from armorstack.web.charts.times import moment_of
from armorstack.web.pages.events_table import FOR_EVENT, PLACES, kinds, members

EXPORT = "/api/v1/export"
FORMATS = (("CSV", "csv"), ("JSON", "json"), ("NDJSON", "ndjson"), ("Parquet", "parquet"))
BANDS_SAID = [
    {"low": each.low, "style": each.style, "sign": each.sign, "name": each.name}
    for each in (*BANDS, NO_SEVERITY)
]
"""The gravest first; the last is of what is no number."""


class Script(Struct, frozen=True):
    """What the script of the page is told, by data attributes."""

    columns: str
    """Their names, with commas."""
    kinds: str
    bands: str
    """How fields and severities are written, in JSON."""
    page_url: str
    """What a further page is asked of; `before=` is added."""
    stream_url: str
    event_query: str
    """What links to events carry."""
    older: str
    """Cursor of the next page; empty: there is none."""
    is_first: bool
    """Whether the list begins with the newest event, so that arrivals belong above it."""


def export_links(asked: Asked) -> tuple[tuple[str, str], ...]:
    """(name, URL) of each format; all columns, whatever the table shows."""
    plain = replace(asked, more=())
    return tuple((name, plain.url(EXPORT, format=format_)) for name, format_ in FORMATS)


def spoken(asked: Asked) -> str:
    """The command that asks the same; empty where it would hold characters that do not show."""
    query = format_query(asked.question.tree()) if asked.picks else asked.q
    words = ["armorstack", "query", *([query] if query else [])]
    if asked.start != "now-24h":
        words += ["--since", _moment(asked.start, asked.start_us)]
    if asked.end != DEFAULT_TO:
        words += ["--until", _moment(asked.end, asked.end_us)]
    return "" if any(map(UNSAFE.search, words)) else shlex.join(words)


def script_data(asked: Asked, names: Sequence[str], found: Page | None) -> Script | None:
    """None where the page shows no list of events."""
    if found is None:
        return None
    wanted = ",".join(members(names))
    plain = replace(asked, more=())
    events = replace(asked, more=tuple(pair for pair in asked.more if pair[0] in FOR_EVENT))
    return Script(
        columns=",".join(names), kinds=_json(kinds(names)), bands=_json(BANDS_SAID),
        page_url=plain.url("/api/v1/events", cols=wanted, size="100"),
        stream_url=plain.url("/api/v1/stream", cols=wanted), event_query=events.url(""),
        older=str(found.older or ""),
        is_first=not (asked.get("before") or asked.get("after")) and asked.end == DEFAULT_TO,
    )  # fmt: skip


def pick_query(asked: Asked) -> str:
    """What links of values carry; a script adds the pick."""
    return asked.url("", **PLACES)


def facets_url(asked: Asked) -> str:
    """What further values of a facet are asked of; a script adds `f=`."""
    return replace(asked, more=()).url("/api/v1/facets")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _moment(text: str, time_us: int | None) -> str:
    """An age as it was written; a time by itself in UTC, since the shell has a zone of its own."""
    if text == ALL or time_us is None:
        return text
    if text.lower().startswith("now"):
        return text.lower().removeprefix("now").strip().removeprefix("-").strip() or "now"
    return moment_of(time_us)

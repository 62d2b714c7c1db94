"""The page of one event: `/events/{id}`.

    near=…   the event's time in microseconds, where a link knows it: it is then found fast

Invariant: whatever the event says is shown as text, on one line, with what does not show written
as an escape; the page's size is bounded, and the API has the whole. Which questions are asked
around the event is in `event_around.py`.
"""

import base64
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.batch import SCHEMA
from armorstack.core.commands import commands
from armorstack.core.ecs import to_ecs
from armorstack.core.process_tree import Act, Process, size
from armorstack.core.query.asked import ALL, Asked, ParameterError
from armorstack.core.rebuild import from_micros, rebuild
from armorstack.core.sentence import act, sentence, verdict_of
from armorstack.store.budget import Budget
from armorstack.store.contract import Row
from armorstack.store.cursor import decode_id, encode_id
from armorstack.store.event_json import time_text
from armorstack.web.charts.palette import band
from armorstack.web.desk import Desk, answer, asked_of, store_for
from armorstack.web.pages.event_around import Around, around
from armorstack.web.pages.event_fields import Group, groups
from armorstack.web.pages.events_table import FOR_EVENT
from armorstack.web.pages.told import SHORT, Told, is_clipped, pretty, span_of, told
from armorstack.web.render import page

ALSO = ("near", *FOR_EVENT)
"""Its own parameter, and those of the list of events, which are kept for the way back."""
GONE = "There is no such event in what you may see, or it is gone."
_TIMES = ("time", "received", "fold_first", "fold_last")


class Line(Struct, frozen=True):
    """One event as a line of a list."""

    url: str
    when: str
    """ISO 8601, in UTC."""
    offset: str
    """How long before or after this event, such as `-1.250 s`."""
    sentence: Told
    verdict: str
    is_this: bool


class Branch(Struct, frozen=True):
    """One process of the tree."""

    pid: int
    name: Told
    user: Told
    lines: tuple[Line, ...]
    more: int
    """Further events of it, which are not listed."""
    is_this: bool
    children: tuple["Branch", ...]


class Document(Struct, frozen=True):
    """A document to be read and copied."""

    text: str
    is_clipped: bool = False


class Original(Struct, frozen=True):
    """What KubeArmor said."""

    rebuilt: Document
    kept: Document | None
    """The bytes as they came, where they are kept; of protobuf in base64."""
    is_protobuf: bool


def routes(desk: Desk) -> list[Route]:
    """The page of one event."""

    async def event(request: Request) -> Response:
        asked = asked_of(request, desk, ALSO)
        id_, near_us = _id(request.path_params["id"]), _near(asked)
        store = store_for(request, desk)

        def work(budget: Budget) -> dict[str, Any]:
            row = store.event(id_, budget, near_us=near_us)
            if row is None:
                raise HTTPException(404, GONE)
            return shown(row, around(store, row, asked, budget), asked)

        return page(request, "event.html", **await answer(request, work))

    return [Route("/events/{id}", event)]


def shown(row: Row, near: Around, asked: Asked) -> dict[str, Any]:
    """What the template shows of this event."""
    asked = replace(asked, more=tuple(pair for pair in asked.more if pair[0] != "near"))
    id_text, lines = encode_id(row["id"]), _Lines(asked, row)
    severity = row.get("severity") or ""
    return {
        "asked": asked,
        "id": id_text,
        "sentence": told(sentence(row), 400),
        "verdict": verdict_of(row),
        "severity": severity,
        "band": band(severity),
        "time_us": row["time"],
        "groups": _groups(row, asked),
        "original": original(row),
        "ecs": document(to_ecs(as_columns(row))),
        "commands": commands(row, id_text),
        "newer": lines.line(near.newer) if near.newer else None,
        "older": lines.line(near.older) if near.older else None,
        "before": lines.lines(near.before),
        "after": lines.lines(near.after),
        "this": lines.line(row),
        "has_container": bool(row.get("container_id")),
        "repeats": _repeats(row, near, asked),
        "tree": None if near.tree is None else tuple(map(lines.branch, near.tree)),
        "tree_size": size(near.tree or ()),
        "has_process": bool(row.get("host_pid")),
        "back_url": asked.url("/events"),
        "api_url": f"/api/v1/events/{id_text}",
    }


def as_columns(row: Row) -> dict[str, Any]:
    """The row with every column of `SCHEMA`, times as naive UTC, as the rules of `core` take it."""
    whole: dict[str, Any] = dict.fromkeys(SCHEMA.names) | row
    for name in _TIMES:
        if isinstance(whole[name], int):
            whole[name] = from_micros(whole[name])
    return whole


def original(row: Row) -> Original:
    """The event as KubeArmor said it."""
    rebuilt = document(rebuild(as_columns(row)))
    kept, is_protobuf = row.get("original"), row.get("spelling") == "protobuf"
    return Original(rebuilt, _kept(kept, is_protobuf) if kept else None, is_protobuf)


def document(value: Any) -> Document:
    """The value as JSON for people."""
    return Document(pretty(value), is_clipped(value))


def _kept(frame: bytes, is_protobuf: bool) -> Document:
    text = base64.b64encode(frame).decode() if is_protobuf else frame.decode(errors="replace")
    shown_ = told(text)
    return Document(str(shown_), bool(shown_.left_out))


def _id(text: str) -> bytes:
    try:
        return decode_id(text)
    except ValueError as error:
        raise HTTPException(404, "This is no id of an event.") from error


def _near(asked: Asked) -> int | None:
    text = asked.get("near")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        told_ = f"near: {text[:40]!r} is no time in microseconds since 1970"
        raise ParameterError(told_, parameter="near", hint="leave it out")
    return int(text) if text else None


def _groups(row: Row, asked: Asked) -> tuple[Group, ...]:
    start_us, end_us = asked.start_us, asked.end_us
    inside = (start_us is None or start_us <= row["time"]) and (
        end_us is None or row["time"] < end_us
    )
    # A link that leads to nothing, because the event is older, would be a riddle.
    plain = replace(asked, more=())
    return groups(row, plain if inside else plain.at(ALL, "now"), asked.zone)


class _Lines:
    """Makes lines about events, each with a link that keeps what was asked for."""

    def __init__(self, asked: Asked, this: Row) -> None:
        self._asked, self._this = asked, this

    def line(self, row: Row) -> Line:
        return self._made(row["id"], int(row["time"]), act(row), verdict_of(row))

    def lines(self, rows: tuple[Row, ...] | None) -> tuple[Line, ...] | None:
        return None if rows is None else tuple(map(self.line, rows))

    def branch(self, process: Process) -> Branch:
        return Branch(
            pid=process.pid, name=told(process.name or "not stored", SHORT),
            user=told(process.user, 60), lines=tuple(map(self._of_process, process.events)),
            more=process.count - len(process.events), is_this=process.is_marked,
            children=tuple(map(self.branch, process.children)),
        )  # fmt: skip

    def _of_process(self, each: Act) -> Line:
        text = f"{each.operation or each.stream} {each.resource}"
        verdict = verdict_of({"action": each.action, "result": each.result or None})
        return self._made(each.id, each.time_us, text, verdict)

    def _made(self, id_: bytes, time_us: int, text: str, verdict: str) -> Line:
        url = self._asked.url(f"/events/{encode_id(id_)}", near=str(time_us))
        offset = offset_of(time_us - int(self._this["time"]))
        is_this = id_ == self._this["id"]
        return Line(url, time_text(time_us), offset, told(text, SHORT), verdict, is_this)


def offset_of(span_us: int) -> str:
    """A span with its sign; to the millisecond where it is short."""
    if not span_us:
        return "0"
    sign = "+" if span_us > 0 else "-"
    if abs(span_us) < 60_000_000:
        return f"{sign}{abs(span_us) / 1e6:.3f} s"
    return f"{sign}{span_of(abs(span_us))}"


class Repeats(Struct, frozen=True):
    """How often the same happened about that time."""

    count: int
    first_us: int
    last_us: int
    url: str


_PICKED = (
    ("stream", "stream"), ("namespace", "namespace_name"), ("pod", "pod_name"),
    ("policy", "policy_name"), ("process", "process_name"), ("operation", "operation"),
    ("resource", "resource"),
)  # fmt: skip


def _repeats(row: Row, near: Around, asked: Asked) -> Repeats | None:
    seen = near.repeats
    if seen is None or seen.first is None or seen.last is None:
        return None
    alike = Asked(start=ALL, tz=asked.tz)
    for field, column in _PICKED:
        value = row.get(column) or ""
        if len(value) <= SHORT:
            alike = alike.with_pick(field, value)
    return Repeats(seen.count, seen.first["time"], seen.last["time"], alike.url("/events"))

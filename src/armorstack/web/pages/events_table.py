"""The table of events: which columns, and what stands in their cells.

    cols=…   names as `store/event_json` gives them, with commas or repeated; none: `DEFAULT`

Invariant: a cell holds what the API says of the same event, under the same name, so that rows made
by a script are the same. Must not go here: questions to the store.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.query.asked import Asked, ParameterError
from armorstack.core.query.names import QUERY_FIELDS, nearest
from armorstack.core.text import printable
from armorstack.store.contract import Row
from armorstack.store.event_json import COLUMNS, SHOWN, TIMES, columns_of, plain
from armorstack.web.charts.palette import band

PATH = "/events"
DEFAULT = (
    "time", "severity", "action", "policy", "pod", "operation", "process", "resource", "result",
)  # fmt: skip
MOST_COLUMNS = 24
LONGEST_PICK = 400
"""Characters of a value that may become part of a URL."""
SHORT = 200
UNPICKED = frozenset({"time", "map", "id"})
"""Sorts of fields whose values are no picks."""
PLACES = {"before": "", "after": "", "near": ""}
FOR_EVENT = ("cols", "size", "before", "after", "fold", "live")
"""Parameters that the page of one event keeps for the way back."""


class Column(Struct, frozen=True):
    """One column, and the URLs that move it or take it away."""

    name: str
    left: str
    right: str
    without: str


class Value(Struct, frozen=True):
    """One value; the URLs want it, or do not, and are empty where it can be no pick."""

    field: str
    text: str
    want: str = ""
    avoid: str = ""
    style: str = ""
    """Further classes: of a severity's band, of an action."""
    title: str = ""
    sign: str = ""
    """The sign of a severity's band."""


class Cell(Struct, frozen=True):
    """One cell; `time_us` of a time."""

    name: str
    values: tuple[Value, ...]
    time_us: int | None = None
    is_labelled: bool = False
    """Whether its name is said where the table has no head: on a narrow screen."""


class Line(Struct, frozen=True):
    """One event. The URL is that of its page."""

    url: str
    cells: tuple[Cell, ...]


def columns_in(asked: Asked) -> tuple[str, ...]:
    """The columns asked for, in their order. Raises ParameterError."""
    said = [name for key, text in asked.more if key == "cols" for name in text.split(",")]
    wanted = tuple(dict.fromkeys(name.strip() for name in said if name.strip()))
    if len(wanted) > MOST_COLUMNS:
        told = f"cols: {len(wanted)} columns, at most {MOST_COLUMNS} are shown"
        raise ParameterError(told, parameter="cols", hint="the export has all of them")
    for name in wanted:
        if name not in SHOWN:
            near = nearest(name)
            hint = f"did you mean {near}?" if near in SHOWN else f"known are: {', '.join(SHOWN)}"
            told = f"cols: there is no column {name!r}"
            raise ParameterError(told, parameter="cols", known=SHOWN, hint=hint)
    return wanted or DEFAULT


def members(names: Sequence[str]) -> tuple[str, ...]:
    """What is to be asked for these columns: a pod is shown with its namespace."""
    more = ("namespace", "node") if "pod" in names else ()
    return tuple(dict.fromkeys((*names, *more)))


def stored(names: Sequence[str]) -> list[str]:
    """The same as columns of `SCHEMA`."""
    return columns_of(members(names))


def columns(names: Sequence[str], asked: Asked) -> tuple[Column, ...]:
    """The head of the table."""
    return tuple(_column(place, names, asked) for place in range(len(names)))


def with_columns(asked: Asked, names: Sequence[str]) -> str:
    """The URL that shows these columns."""
    cols = "" if tuple(names) == DEFAULT else ",".join(names)
    return asked.url(PATH, cols=cols)


def _column(place: int, names: Sequence[str], asked: Asked) -> Column:
    name, others = names[place], [*names[:place], *names[place + 1 :]]

    def moved(to: int) -> str:
        if not 0 <= to < len(names):
            return ""
        return with_columns(asked, [*others[:to], name, *others[to:]])

    return Column(name, moved(place - 1), moved(place + 1),
                  with_columns(asked, others) if others else "")  # fmt: skip


class Lines:
    """Makes lines of rows; remembers the URLs of values, which repeat."""

    def __init__(self, asked: Asked, names: Sequence[str]) -> None:
        self._asked = asked
        self._names = names
        self._values: dict[tuple[str, str], Value] = {}
        self._of_events = replace(
            asked, more=tuple(pair for pair in asked.more if pair[0] in FOR_EVENT)
        )

    def line(self, row: Row) -> Line:
        """The line of this event."""
        event = plain(row)
        url = self._of_events.url(f"{PATH}/{event['id']}", near=str(row["time"]))
        return Line(url, tuple(self._cell(name, event, row) for name in self._names))

    def value(self, field: str, text: str) -> Value:
        """One value with its URLs."""
        if (field, text) not in self._values:
            self._values[field, text] = self._value(field, text)
        return self._values[field, text]

    def _value(self, field: str, text: str) -> Value:
        want = avoid = ""
        if can_pick(field, text):
            want = self._asked.with_pick(field, text).url(PATH, **PLACES)
            avoid = self._asked.with_pick(field, text, exclude=True).url(PATH, **PLACES)
        if field == "severity":
            of = band(text)
            told = f"severity {printable(text, SHORT)}, {of.name}"
            return Value(field, text, want, avoid, f"severity {of.style}", told, of.sign)
        style = action_class(text) if field == "action" else ""
        return Value(field, text, want, avoid, style, printable(text, SHORT))

    def _cell(self, name: str, event: dict[str, Any], row: Row) -> Cell:
        values = tuple(self.value(field, text) for field, text in values_of(name, event))
        time_us = row.get(COLUMNS[name]) if name in TIMES else None
        return Cell(name, values, time_us, name not in DEFAULT)


def kinds(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What a script has to know of the fields in these columns to write the same cells."""
    return {name: _kind(name) for name in members(names)}


def _kind(name: str) -> dict[str, Any]:
    sort = QUERY_FIELDS[name].sort if name in QUERY_FIELDS else "map"
    said: dict[str, Any] = {"time": True} if name in TIMES else {}
    said |= {} if sort in UNPICKED else {"pick": sort}
    return said | ({} if name in DEFAULT else {"label": True})


def action_class(text: str) -> str:
    """The classes of an action, by its first word."""
    word = text.partition(" ")[0].lower()
    return f"action {word}" if word in ("block", "audit", "allow") else "action"


def values_of(name: str, event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, text) for each value of the column; a pod's namespace before it, and of what is in
    no pod the node."""
    if name == "pod":
        place = ("namespace", "pod") if event.get("pod") else ("namespace", "node")
        yield from ((field, event[field]) for field in place if event.get(field))
        return
    value = event.get(name)
    if isinstance(value, list):
        yield from ((name, str(each)) for each in value)
    elif isinstance(value, dict):
        yield from ((name, f"{key}={each}") for key, each in value.items())
    elif name == "label" and value:
        yield from ((name, label) for label in str(value).split(",") if label)
    elif value is not None and value != "":
        yield name, str(value)


def can_pick(field: str, text: str) -> bool:
    """Whether the value can be wanted, or not wanted, by a URL."""
    if field not in QUERY_FIELDS or not text or len(text) > LONGEST_PICK:
        return False
    sort = QUERY_FIELDS[field].sort
    return sort not in UNPICKED and (sort != "number" or text.isdigit())

"""An entry and a gap as lines for a person, before any chat's markup.

Invariant: what an event says stands only in runs marked as `value`, is `printable` and cut; all
other runs are our own words. So a chat's form can show values in a way that nothing in them is
taken for markup. Markup itself must not go here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.core.rebuild import from_micros
from armorstack.core.text import printable
from armorstack.sinks.webhook.entries import Told

SHORT, LONG = 120, 300
"""Characters of a value: of a name, of a path or a command line."""
WHY = {
    "disconnect": "the relay was out of reach",
    "throttled": "KubeArmor throttled its node",
    "spool_overflow": "the spool was full",
    "spool_damaged": "the spool was damaged",
    "stop": "armorstack was stopped",
    "crash": "armorstack had crashed",
    "oversize": "they were too large",
    "store_damaged": "the store was damaged",
}
"""Reason of a gap → the end of its sentence."""


class Run(Struct, frozen=True):
    """A piece of a line: our own words, or what an event says."""

    text: str
    is_value: bool = False


Line = tuple[Run, ...]


def title(events: Sequence[Told], gaps: Sequence[Gap]) -> str:
    """What a message is about: counts, and not a word of any event."""
    kinds, count = len(events), sum(each.entry.count for each in events)
    parts = []
    if events:
        of_kinds = f" of {kinds} kinds" if kinds > 1 else ""
        parts.append(f"{_plural(count, 'event')}{of_kinds}")
    if gaps:
        parts.append(_plural(len(gaps), "gap"))
    return f"KubeArmor: {', '.join(parts)}"


def event_lines(each: Told) -> list[Line]:
    """One entry, the most telling first; absent values are left out."""
    row = each.row
    named = [
        _verdict(each),
        _labelled("Policy", _value(row, "policy_name"), _value(row, "message", LONG)),
        _labelled("Resource", _value(row, "resource", LONG)),
        _labelled("Process", _value(row, "process_name", LONG)),
        _labelled("Pod", _pod(row)),
        _labelled("Node", _value(row, "host_name"), _value(row, "cluster_name")),
        _labelled("Result", _value(row, "result")),
        (Run(f"Time: {_span(each.entry.first, each.entry.last)}"),),
    ]
    return [line for line in named if line]


def gap_line(gap: Gap) -> Line:
    """One gap as a sentence."""
    lost = "Events may have been lost"
    if gap.lost is not None:
        lost = f"{_plural(gap.lost, 'event')} {'was' if gap.lost == 1 else 'were'} lost"
    between = f"between {_moment(from_micros(gap.start_us))} and {_moment(from_micros(gap.end_us))}"
    why = WHY.get(gap.reason, gap.reason)
    where = tuple(cut(each, SHORT) for each in (gap.source, gap.node) if each.strip())
    words = Run(f"{lost} {between} because {why}")
    return (words, Run(" · "), *_joined(where)) if where else (words,)


def cut(text: str, limit: int) -> str:
    """The text fit to be shown in one line, at most `limit` characters long."""
    # Twice: escapes are longer than what they stand for, and a huge value is not escaped whole.
    return printable(printable(text, limit), limit)


def _verdict(each: Told) -> Line:
    row = each.row
    values = [_value(row, name) for name in ("action", "operation")]
    shown = [value for value in values if value] or [_value(row, "stream") or "event"]
    line = _joined(tuple(shown))
    if severity := _value(row, "severity"):
        line = (*line, Run(" · severity "), Run(severity, is_value=True))
    return (*line, Run(f" · {each.entry.count} times")) if each.entry.count > 1 else line


def _labelled(label: str, *values: str) -> Line:
    shown = tuple(value for value in values if value)
    return (Run(f"{label}: "), *_joined(shown)) if shown else ()


def _joined(values: tuple[str, ...]) -> Line:
    runs = [run for value in values for run in (Run(" · "), Run(value, is_value=True))]
    return tuple(runs[1:])


def _value(row: Mapping[str, Any], column: str, limit: int = SHORT) -> str:
    value = row[column]
    return cut(value, limit) if value and value.strip() else ""


def _pod(row: Mapping[str, Any]) -> str:
    parts = [_value(row, name) for name in ("namespace_name", "pod_name", "container_name")]
    return "/".join(part for part in parts if part)


def _span(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return "unknown"
    begin, end = _moment(first), _moment(last)
    return begin if begin == end else f"{begin} to {end}"


def _moment(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds") + "Z"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""Events and gaps as lines of JSON (NDJSON), in one of two forms.

`ecs` is what `to_ecs` makes, without event.ingested. Gaps are lines, too: event.dataset is
`armorstack.gaps`, event.reason the gap's reason, event.start and event.end its two moments, and
`armorstack.gap` holds source, stream, node, lost (missing where nobody knows) and detail.

`kubearmor` is what KubeArmor's own relay prints, in PascalCase whatever spelling the event came
in. A folded event has three members more: ArmorstackCount, ArmorstackFirst, ArmorstackLast. Gaps
are left out: what reads KubeArmor's lines knows none, and would take one for an event without a
name. They stay visible on `/metrics` and in `armorstack gaps`.

Invariant: a line is one JSON object in UTF-8, ends with its only newline, and shows nothing that
a terminal obeys or another program takes for the end of a line: such characters, which whoever
runs in a pod chooses, are written as JSON escapes, so the values stay what they were. Must not go
here: where lines are written to.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec
import pyarrow as pa

from armorstack.config import Form
from armorstack.core.ecs import to_ecs
from armorstack.core.ecs.document import ECS_VERSION
from armorstack.core.fields import FIELDS
from armorstack.core.gap import Gap, encode_gap
from armorstack.core.ids import text
from armorstack.core.rebuild import canonical_time, from_micros, rebuild, rebuild_plain
from armorstack.core.text import UNSAFE

Row = Mapping[str, Any]
Document = dict[str, Any]

_KNOWN_MEMBERS = {
    name.partition(".")[0] for field in FIELDS for name in (field.name, field.camel) if name
}
_encode = msgspec.json.Encoder().encode


def event_lines(rows: pa.RecordBatch, form: Form) -> list[bytes]:
    """One line per row, in their order, each with its newline."""
    to_document = _FORMS[form]
    return [_line(to_document(row)) for row in plain_rows(rows)]


def gap_lines(gaps: Iterable[Gap], form: Form) -> list[bytes]:
    """One line per gap; none in the form `kubearmor`."""
    return [_line(gap_document(gap)) for gap in gaps] if form == "ecs" else []


def gap_id(gap: Gap) -> bytes:
    """32 bytes by which the same gap is known again."""
    return sha256(encode_gap(gap)).digest()


def plain_rows(rows: pa.RecordBatch) -> Iterator[Row]:
    """The rows as dicts of the columns that hold anything, every one of which `to_ecs` may ask."""
    names = rows.schema.names
    columns = [
        [None] * len(rows) if column.null_count == len(rows) else column.to_pylist()
        for column in rows.columns
    ]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _line(document: Document) -> bytes:
    line = _encode(document)
    if line.isascii() and b"\x7f" not in line:
        return line + b"\n"
    return UNSAFE.sub(_escape, line.decode()).encode() + b"\n"


def _escape(match: re.Match[str]) -> str:
    """The character as JSON writes it in ASCII: one UTF-16 unit, or two beyond U+FFFF."""
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _kubearmor(row: Row) -> Document:
    document = _respelled(row) if row["spelling"] in ("camel", "protojson") else rebuild(row)
    if row["fold_count"]:
        document["ArmorstackCount"] = row["fold_count"]
        for name, column in (("ArmorstackFirst", "fold_first"), ("ArmorstackLast", "fold_last")):
            if row[column] is not None:
                document[name] = canonical_time(row[column])
    return document


def _respelled(row: Row) -> Document:
    """An event of another spelling in PascalCase. Members beyond the table keep their names."""
    document = rebuild_plain({**row, "spelling": "pascal"})
    extra = msgspec.json.decode(row["extra"]) if row["extra"] else {}
    unknown = {k: v for k, v in extra.get("set", {}).items() if k not in _KNOWN_MEMBERS}
    return unknown | document


_FORMS: Mapping[Form, Callable[[Row], Document]] = {"ecs": to_ecs, "kubearmor": _kubearmor}


def gap_document(gap: Gap) -> Document:
    """The gap as ECS; `event.id` is `gap_id` as it is written."""
    told = {"source": gap.source, "stream": gap.stream, "node": gap.node, "detail": gap.detail}
    ours: Document = {name: value for name, value in told.items() if value}
    if gap.lost is not None:
        ours["lost"] = gap.lost
    end = canonical_time(from_micros(gap.end_us))
    return {
        "@timestamp": end,
        "event": {
            "id": text(gap_id(gap)),
            "kind": "event",
            "module": "armorstack",
            "dataset": "armorstack.gaps",
            "reason": gap.reason,
            "start": canonical_time(from_micros(gap.start_us)),
            "end": end,
        },
        "armorstack": {"gap": ours},
        "ecs": {"version": ECS_VERSION},
    }

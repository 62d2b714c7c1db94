"""Events of one batch that say the same, as one entry with a count and a span of time.

Invariant: every index that is given lies in exactly one entry; entries stand in the order of their
first events. How an entry looks must not go here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from msgspec import Struct

SAME = (
    "stream", "cluster_name", "host_name", "namespace_name", "pod_name", "process_name",
    "policy_name", "resource", "action", "operation", "result", "message",
)  # fmt: skip
"""Columns in which the events of an entry agree. The host tells a node's own events apart, the
message those of KubeArmor itself, which have nothing else."""
_TIMES = ("time", "fold_count", "fold_first", "fold_last")


class Entry(Struct, frozen=True):
    """Events that say the same."""

    indices: tuple[int, ...]
    """Their rows in the batch; the first of them stands for all."""
    count: int
    """How many events they are; a row that a filter folded counts as many."""
    first: datetime | None
    """Time of the first of them, naive UTC."""
    last: datetime | None
    """Time of the last of them."""


class Told(Struct, frozen=True):
    """An entry with the columns of its first event: what a form needs."""

    row: dict[str, Any]
    entry: Entry


def fold(rows: pa.RecordBatch, indices: Sequence[int]) -> list[Entry]:
    """The entries of these rows of a batch."""
    taken = rows.take(pa.array(indices, pa.int64()))
    keys = zip(*(taken.column(name).to_pylist() for name in SAME), strict=True)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    times = list(zip(*(taken.column(name).to_pylist() for name in _TIMES), strict=True))
    return [_entry([indices[at] for at in group], [times[at] for at in group])
            for group in groups.values()]  # fmt: skip


def told(rows: pa.RecordBatch, entry: Entry) -> Told:
    """The entry together with the row that stands for it."""
    return Told(rows.slice(entry.indices[0], 1).to_pylist()[0], entry)


def _entry(indices: list[int], times: list[tuple[Any, ...]]) -> Entry:
    firsts = [moment for time, _, first, _ in times if (moment := first or time)]
    lasts = [moment for time, _, _, last in times if (moment := last or time)]
    return Entry(
        indices=tuple(indices),
        count=sum(max(1, count or 1) for _, count, _, _ in times),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
    )

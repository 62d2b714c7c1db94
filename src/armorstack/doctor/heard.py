"""What was heard, decoded as the worker would do it.

Invariant: of what a peer sent, only what is needed for a verdict comes out. Verdicts must not go
here.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
from msgspec import Struct

from armorstack.core.decode import decode
from armorstack.spool.rows import Row

_COLUMNS = ("time", "received", "host_name", "operation", "namespace_name", "pod_name")
_THROTTLED = "AlertThreshold"
_MOST_NAMES = 1000


class Heard(Struct, frozen=True):
    """One source's frames of one kind, or of several kinds together."""

    events: int = 0
    offsets_s: dict[str, float] = {}
    """Node → the most by which an event of it was dated ahead of its arrival (negative: behind)."""
    throttled: tuple[str, ...] = ()
    """`namespace/pod` of which KubeArmor told that it drops alerts."""
    rejected: int = 0
    """Frames that cannot be decoded."""
    reason: str = ""
    """Why the first of them cannot."""
    skipped: int = 0
    """Lines that are no events and are known to be none: the relay's own log."""


def understand(rows: Sequence[Row]) -> Heard:
    """What these frames are."""
    if not rows:
        return Heard()
    decoded = decode(rows)
    table = decoded.batch.rows.select(list(_COLUMNS))
    return Heard(
        events=len(table),
        offsets_s=_offsets(table),
        throttled=_throttled(table),
        rejected=len(decoded.rejected),
        reason=decoded.rejected[0].reason if decoded.rejected else "",
        skipped=sum(decoded.skipped.values()),
    )


def together(parts: Iterable[Heard]) -> Heard:
    """Several of them as one."""
    total = Heard()
    for part in parts:
        total = Heard(
            total.events + part.events,
            newest(total.offsets_s, part.offsets_s),
            tuple(dict.fromkeys(total.throttled + part.throttled)),
            total.rejected + part.rejected,
            total.reason or part.reason,
            total.skipped + part.skipped,
        )
    return total


def newest(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Of each node the offset of the event that came with the least delay."""
    nodes = one.keys() | other.keys()
    least = float("-inf")
    return {node: max(one.get(node, least), other.get(node, least)) for node in nodes}


def _offsets(table: pa.RecordBatch) -> dict[str, float]:
    found: dict[str, float] = {}
    times, arrivals = (table.column(name).cast(pa.int64()).to_pylist() for name in _COLUMNS[:2])
    nodes = table.column("host_name").to_pylist()
    for time_us, received_us, node in zip(times, arrivals, nodes, strict=True):
        if node and (node in found or len(found) < _MOST_NAMES):
            offset_s = (time_us - received_us) / 1e6
            found[node] = max(offset_s, found.get(node, offset_s))
    return found


def _throttled(table: pa.RecordBatch) -> tuple[str, ...]:
    names = ("operation", "namespace_name", "pod_name")
    columns = [table.column(name).to_pylist() for name in names]
    found = {
        f"{namespace or '-'}/{pod or '-'}": None
        for operation, namespace, pod in zip(*columns, strict=True)
        if operation == _THROTTLED
    }
    return tuple(found)[:_MOST_NAMES]

"""Gaps that KubeArmor itself tells: a node that has let alerts of a container go.

Beyond `MaxAlertsPerSec` a node sends one event, operation AlertThreshold, and then drops the
container's alerts for `DroppingAlertsInterval` seconds (on by default: 10 a second, 30 seconds).
How many it drops nobody says. Invariant: the same event gives the same gap, so it may come twice.
What a filter of ours lets go must not go here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.gap import Gap
from armorstack.core.text import printable

OPERATION = "AlertThreshold"
COLUMNS = (
    "time", "from_source", "host_name", "namespace_name", "pod_name", "container_name",
    "max_alerts_per_sec", "dropping_alerts_interval",
)  # fmt: skip
NAME_LIMIT = 253
"""The longest name that Kubernetes takes."""
MAX_INTERVAL_S = 86_400
"""A longer interval is taken for a fault of the sender."""


def throttle_gaps(rows: pa.RecordBatch) -> tuple[Gap, ...]:
    """The gaps that these rows (with the columns of `batch.SCHEMA`) tell, in their order."""
    hit = pc.equal(rows.column("operation"), OPERATION)
    if not pc.any(hit).as_py():
        return ()
    return tuple(_gaps(rows.select(list(COLUMNS)).filter(hit)))


def _gaps(rows: pa.RecordBatch) -> Iterator[Gap]:
    rows = rows.set_column(0, "time", rows.column("time").cast(pa.int64()))
    for row in rows.to_pylist():
        start_us = row["time"]
        yield Gap(
            reason="throttled", source=row["from_source"] or "", stream="alert",
            node=_name(row["host_name"]), start_us=start_us,
            end_us=start_us + 1_000_000 * _interval_s(row), detail=_detail(row),
        )  # fmt: skip


def _interval_s(row: Mapping[str, Any]) -> int:
    """How long the node drops; 0 where it does not say, or nothing that can be true."""
    seconds = row["dropping_alerts_interval"] or 0
    return seconds if 0 <= seconds <= MAX_INTERVAL_S else 0


def _detail(row: Mapping[str, Any]) -> str:
    """Such as `pod shop/cart-1, container cart: more than 10 alerts/s`."""
    pod = "/".join(filter(None, map(_name, (row["namespace_name"], row["pod_name"]))))
    container = _name(row["container_name"])
    who = [f"pod {pod}"] * bool(pod) + [f"container {container}"] * bool(container)
    limit = row["max_alerts_per_sec"]
    how_many = f"more than {limit} alerts/s" if limit else "too many alerts"
    return f"{', '.join(who) or 'the node'}: {how_many}"


def _name(text: str | None) -> str:
    return printable(text or "", NAME_LIMIT)

"""Which nodes spoke, and when: from a batch of events, in native code.

Nothing of an event is kept but the names of its cluster and its node. Rows without a node's name,
such as those of old USB events, tell nothing and are left out.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

NAME_LIMIT = 253
"""The longest name that Kubernetes takes; longer ones are cut."""


class Sighting(Struct, frozen=True):
    """What a batch says of one node; times are microseconds since 1970."""

    cluster: str
    node: str
    last_event_us: int
    """Time of its newest event, by the node's clock."""
    last_received_us: int
    """When its newest event was received, by ours."""
    events: int


def sightings(rows: pa.RecordBatch) -> tuple[Sighting, ...]:
    """One for each cluster and node in these rows (with the columns of `batch.SCHEMA`)."""
    if not len(rows):
        return ()
    keys = ["cluster_name", "host_name"]
    table = pa.Table.from_batches([rows.select([*keys, "time", "received"])])
    found = table.group_by(keys, use_threads=False).aggregate(
        [("time", "max"), ("received", "max"), ([], "count_all")]
    )
    return tuple(_sightings(found.filter(pc.not_equal(found.column("host_name"), ""))))


def _sightings(found: pa.Table) -> Iterator[Sighting]:
    clusters, nodes = (found.column(name).to_pylist() for name in ("cluster_name", "host_name"))
    events_us, received_us = (
        found.column(name).cast(pa.int64()).to_pylist() for name in ("time_max", "received_max")
    )
    counts = found.column("count_all").to_pylist()
    for cluster, node, event_us, arrival_us, count in zip(
        clusters, nodes, events_us, received_us, counts, strict=True
    ):
        yield Sighting(
            (cluster or "")[:NAME_LIMIT], node[:NAME_LIMIT], event_us, arrival_us or 0, count
        )

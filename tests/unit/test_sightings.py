"""Which nodes spoke, by a batch of events."""

from collections import Counter
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.decode import decode
from armorstack.core.sightings import Sighting, sightings
from tests.support.frames import RECEIVED_US, lines, recorded, row


def seen(*rows: dict[str, Any]) -> set[Sighting]:
    found = sightings(pa.RecordBatch.from_pylist(list(rows), SCHEMA))
    assert len(set(found)) == len(found)
    return set(found)


def event(node: str | None, time: int, received: int, cluster: str | None = "c") -> dict[str, Any]:
    return {"host_name": node, "cluster_name": cluster, "time": time, "received": received}


def test_each_node_of_each_cluster_has_its_newest_times_and_its_number() -> None:
    assert seen(
        event("a", 5, 50), event("b", 1, 60), event("a", 9, 40), event("a", 7, 45, "other"),
        event("a", 3, 55),
    ) == {
        Sighting("c", "a", 9, 55, 3),
        Sighting("c", "b", 1, 60, 1),
        Sighting("other", "a", 7, 45, 1),
    }  # fmt: skip


def test_events_that_name_no_node_are_left_out_and_a_cluster_may_be_missing() -> None:
    assert seen(event(None, 1, 2), event("", 1, 2)) == set()
    assert seen(event("a", 1, 2, None)) == {Sighting("", "a", 1, 2, 1)}
    assert seen() == set()


def test_names_that_no_node_has_are_cut() -> None:
    [found] = seen(event("n" * 9000, 1, 2, "c" * 9000))
    assert (found.node, found.cluster) == ("n" * 253, "c" * 253)


def test_recorded_events_are_all_counted() -> None:
    rows = decode([row(lines("alerts-real.jsonl"))]).batch.rows
    counts = Counter(alert.get("HostName") for alert in recorded("alert"))
    found = sightings(rows)
    assert {one.node: one.events for one in found} == dict(counts)
    assert {one.last_received_us for one in found} == {RECEIVED_US}

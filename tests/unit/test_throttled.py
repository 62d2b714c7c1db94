"""Gaps that KubeArmor's own throttling tells."""

from typing import Any

import pyarrow as pa
import pytest

from armorstack.core.batch import SCHEMA
from armorstack.core.decode import decode
from armorstack.core.gap import Gap
from armorstack.core.throttled import throttle_gaps
from tests.support.frames import lines, row

START_US = 1_795_441_658_601_311
EVENT = {
    "time": START_US, "from_source": "relay/a", "stream": "alert", "type": "SystemEvent",
    "operation": "AlertThreshold", "host_name": "node-1", "namespace_name": "shop",
    "pod_name": "cart-1", "container_name": "cart", "max_alerts_per_sec": 10,
    "dropping_alerts_interval": 30,
}  # fmt: skip


def told(*changes: dict[str, Any]) -> tuple[Gap, ...]:
    rows = [EVENT | change for change in changes]
    return throttle_gaps(pa.RecordBatch.from_pylist(rows, SCHEMA))


def test_a_recorded_event_becomes_one_gap_of_its_length_and_the_others_none() -> None:
    [gap] = throttle_gaps(decode([row(lines("alerts-real.jsonl"))]).batch.rows)
    assert gap == Gap(
        reason="throttled", source="test", stream="alert", node="node-1", start_us=START_US,
        end_us=START_US + 30_000_000, lost=None,
        detail="pod container_namespace/Unknown, container nginx: more than 10 alerts/s",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["logs-real.jsonl", "messages-real.jsonl"])
def test_other_events_tell_no_gap(name: str) -> None:
    assert throttle_gaps(decode([row(lines(name))]).batch.rows) == ()


def test_no_rows_and_rows_without_an_operation_tell_no_gap() -> None:
    assert told() == ()
    assert told({"operation": None}, {"operation": "File"}) == ()


def test_the_same_event_gives_the_same_gap_and_another_one_another() -> None:
    first, again, other = told({}, {}, {"pod_name": "cart-2"})
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("interval", "length_s"), [(30, 30), (None, 0), (0, 0), (-5, 0), (2_147_483_647, 0)]
)
def test_an_interval_that_cannot_be_true_has_no_length(interval: int, length_s: int) -> None:
    [gap] = told({"dropping_alerts_interval": interval})
    assert gap.end_us - gap.start_us == length_s * 1_000_000


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"namespace_name": None}, "pod cart-1, container cart: more than 10 alerts/s"),
        ({"container_name": None}, "pod shop/cart-1: more than 10 alerts/s"),
        (
            {"namespace_name": None, "pod_name": None, "container_name": None},
            "the node: more than 10 alerts/s",
        ),
        ({"max_alerts_per_sec": None}, "pod shop/cart-1, container cart: too many alerts"),
        ({"pod_name": "\x1b[31m"}, "pod shop/\\x1b[31m, container cart: more than 10 alerts/s"),
    ],
)
def test_the_detail_says_what_the_event_says(change: dict[str, Any], detail: str) -> None:
    assert told(change)[0].detail == detail


def test_names_that_no_node_has_are_cut() -> None:
    [gap] = told({"host_name": "n" * 9000, "pod_name": "p" * 9000, "from_source": None})
    assert len(gap.node) == 253
    assert len(gap.detail) < 600
    assert gap.source == ""

"""The tail and the known ids: what they hold in memory, and what they let go."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pytest

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.known import Known
from armorstack.engines.duckdb.part import BUCKET_US, bucket_of
from armorstack.engines.duckdb.tail import Tail
from tests.support.stores import NOW_US, id_of, rows


def filled(*batches: pa.RecordBatch, keep_original: bool = False) -> Tail:
    tail = Tail(max_rows=1_000_000)
    for each in batches:
        tail.add(each, now_us=NOW_US, keep_original=keep_original)
    return tail


def test_the_tail_gives_back_every_row_in_order() -> None:
    batches = [rows([(number, NOW_US)]) for number in range(1000)]
    assert filled(*batches).table()["resource"].to_pylist() == [str(n) for n in range(1000)]


def test_rows_that_come_one_by_one_are_joined() -> None:
    tail = filled(*(rows([(number, NOW_US)]) for number in range(1000)))
    assert len(tail.slices) < 20


def test_large_batches_are_not_copied() -> None:
    large = rows((number, NOW_US) for number in range(300))
    tail = filled(large, large)
    assert [len(each.rows) for each in tail.slices] == [300, 300]


def test_a_slice_knows_its_span_of_time() -> None:
    (only,) = filled(rows([("a", NOW_US + 5)]), rows([("b", NOW_US - 5)])).slices
    assert (only.min_time_us, only.max_time_us) == (NOW_US - 5, NOW_US + 5)


def test_columns_without_a_value_share_their_memory() -> None:
    first, second = filled(*[rows((n, NOW_US) for n in range(300))] * 2).slices
    at = SCHEMA.get_field_index("user_name")
    buffers = [each.rows.column(at).buffers()[1].address for each in (first, second)]
    assert buffers[0] == buffers[1]


@pytest.mark.parametrize("keep", [True, False])
def test_the_original_is_kept_only_when_asked_for(keep: bool) -> None:
    tail = filled(rows([("a", NOW_US)], original=b"raw"), keep_original=keep)
    assert tail.table()["original"].to_pylist() == [b"raw" if keep else None]


def test_the_tail_is_full_by_rows_and_by_rows_that_were_only_offered() -> None:
    tail = Tail(max_rows=2)
    tail.add(rows([("a", NOW_US)]), now_us=NOW_US, keep_original=False)
    assert not tail.is_full()
    tail.taken = 2
    assert tail.is_full()
    tail.clear()
    assert not tail.is_full()
    tail.add(rows([("a", NOW_US), ("b", NOW_US)]), now_us=NOW_US, keep_original=False)
    assert tail.is_full()


def test_the_tail_is_full_by_bytes() -> None:
    tail = Tail(max_rows=1000, max_bytes=100_000)
    tail.add(rows([("a", NOW_US)]), now_us=NOW_US, keep_original=False)
    assert not tail.is_full()
    tail.add(rows([("b" * 100_000, NOW_US)]), now_us=NOW_US, keep_original=False)
    assert tail.is_full()


class Parts:
    """Stored ids by bucket, and which buckets were asked for."""

    def __init__(self, stored: dict[int, list[bytes]] | None = None) -> None:
        self.stored = stored or {}
        self.asked: list[int] = []

    def __call__(self, buckets: Sequence[int]) -> Iterable[tuple[list[bytes], list[int]]]:
        self.asked += buckets
        for bucket in buckets:
            ids = self.stored.get(bucket, [])
            yield ids, [bucket] * len(ids)


def fresh(known: Known, *events: tuple[object, int]) -> list[str]:
    return [str(key) for key in known.fresh(rows(events)).column("resource").to_pylist()]


def test_an_id_counts_as_new_once() -> None:
    known = Known(Parts(), max_ids=100)
    assert fresh(known, ("a", NOW_US), ("b", NOW_US)) == ["a", "b"]
    assert fresh(known, ("b", NOW_US), ("c", NOW_US)) == ["c"]


def test_an_id_twice_in_one_batch_counts_once() -> None:
    known = Known(Parts(), max_ids=100)
    assert fresh(known, ("a", NOW_US), ("a", NOW_US)) == ["a"]
    far_us = NOW_US + 3 * BUCKET_US
    assert fresh(known, ("b", far_us), ("c", NOW_US), ("b", far_us)) == ["b", "c"]


def test_what_the_parts_have_is_not_new() -> None:
    known = Known(Parts({bucket_of(NOW_US): [id_of("a")]}), max_ids=100)
    assert fresh(known, ("a", NOW_US), ("b", NOW_US)) == ["b"]


def test_a_bucket_is_read_from_the_parts_once_while_it_is_held() -> None:
    parts = Parts()
    known = Known(parts, max_ids=1000)
    for number in range(10):
        fresh(known, (number, NOW_US), (number, NOW_US - 86_400_000_000))
    assert len(parts.asked) == 2


def test_settled_buckets_are_let_go_when_there_are_too_many() -> None:
    parts = Parts()
    known = Known(parts, max_ids=100)
    for number in range(50):
        fresh(known, (number, NOW_US + number * BUCKET_US))
        known.settle()
    assert len(known) < 20
    fresh(known, ("again", NOW_US))
    assert parts.asked.count(bucket_of(NOW_US)) == 2


def test_ids_that_no_part_has_yet_are_never_let_go() -> None:
    known = Known(Parts(), max_ids=10)
    events = [(number, NOW_US + number * BUCKET_US) for number in range(50)]
    for event in events:
        fresh(known, event)
    assert fresh(known, *events) == []

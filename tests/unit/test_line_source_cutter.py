"""Cutting lines: what no example of a property shows."""

import tracemalloc

from armorstack.sources.lines import LineCutter

LIMIT = 100_000


def test_a_line_that_never_ends_takes_no_more_memory_than_a_line_may() -> None:
    block = b"x" * (LIMIT // 10)
    cutter = LineCutter(LIMIT)
    tracemalloc.start()
    try:
        for _ in range(200):
            assert cutter.feed(block) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * LIMIT
    assert cutter.held_bytes == 200 * len(block)
    assert cutter.feed(b"end\nnext\n") == [b"next"]
    assert (cutter.skipped, cutter.held_bytes) == (1, 0)


def test_a_line_that_is_cut_off_while_it_is_skipped_is_counted() -> None:
    cutter = LineCutter(8)
    cutter.feed(b"x" * 20)
    assert cutter.rest() == b""
    assert cutter.skipped == 1

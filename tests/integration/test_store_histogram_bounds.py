"""Each event is counted in the bucket that its time lies in, whatever the interval."""

from collections import Counter
from pathlib import Path

import pytest

from armorstack.core.query.question import Question
from armorstack.store.budget import Budget
from armorstack.store.duckdb import LiveStore
from tests.support.stores import NOW_US, SECOND_US, batch, open_store


@pytest.mark.parametrize("interval_s", [1, 7, 60, 1800, 3600, 10_800, 86_400, 604_800])
def test_a_bucket_holds_the_events_of_its_own_time(tmp_path: Path, interval_s: int) -> None:
    interval_us = interval_s * SECOND_US
    times = [NOW_US - number * interval_us // 3 for number in range(20)]
    store = open_store(tmp_path)
    for number, at_us in enumerate(times):
        store.write(batch(number + 1, [number], at_us=at_us))
    found = LiveStore(store).histogram(Question(), Budget(60), interval_us=interval_us)
    store.close()
    by_hand = Counter((at_us - found.start_us) // interval_us for at_us in times)
    assert found.start_us % interval_us == 0
    assert found.series[0].counts == tuple(by_hand[n] for n in range(found.buckets))

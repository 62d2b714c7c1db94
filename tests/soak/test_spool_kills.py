"""Many kills of a process that writes the spool."""

import random
import time
from pathlib import Path

import pytest

from armorstack.spool.reader import Reader
from tests.support.spool_driver import acknowledged, driver, wait_for_acks
from tests.support.spool_rows import numbers_in, open_spool, read_all

KILLS = 150


@pytest.mark.timeout(900)
def test_what_was_acknowledged_before_any_of_many_kills_is_in_the_spool(tmp_path: Path) -> None:
    folder, acks = tmp_path / "spool", tmp_path / "acks"
    chance = random.Random()
    trimmed = 0
    for _ in range(KILLS):
        first = max(numbers_in(folder), default=trimmed - 1) + 1
        before = len(acknowledged(acks))
        with driver(folder, acks, first, bytes=chance.choice([10, 1000, 100_000])) as process:
            if chance.random() < 0.8:
                wait_for_acks(acks, before + chance.randint(1, 300), process)
            time.sleep(chance.random() * 0.3)
            process.kill()
            process.wait()
        found = numbers_in(folder)
        assert set(number for number in acknowledged(acks) if number >= trimmed) <= set(found)
        assert found == list(range(trimmed, trimmed + len(found)))
        trimmed += trim_half(folder)
    assert Reader.open(folder).verify().damage == ()
    assert not list(folder.glob("*.damaged-*"))


def trim_half(folder: Path) -> int:
    """Be the receiver for a moment and free the older half; how many frames that was."""
    rows = read_all(folder)
    if len(rows) < 2:
        return 0
    spool = open_spool(folder)
    count = spool.trim(rows[len(rows) // 2].seq)
    spool.close()
    return count

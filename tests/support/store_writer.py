"""A process that writes to a store until it is killed, or so many batches.

`python -m tests.support.store_writer FOLDER [COUNT]`

It goes on where the store's cursor stands and prints one line per batch: its number and the cursor.
"""

import itertools
import os
import sys
from pathlib import Path

from tests.support.stores import DAY_US, NOW_US, SECOND_US, Clock, batch, open_store

PER_BATCH = 10


def keys_of(number: int) -> list[str]:
    """The keys of the events in batch `number`."""
    return [f"{number}-{index}" for index in range(PER_BATCH)]


def write(folder: Path, count: int | None) -> None:
    """Write batches, flushing and merging often; then end as a crash would."""
    clock = Clock()
    store = open_store(folder, clock, part_rows=100, part_interval_s=3.0)
    for number in itertools.islice(itertools.count(store.cursor() + 1), count):
        # The time follows from the number, as an event's time follows from its id.
        at_us = NOW_US - (number % 3) * DAY_US
        store.write(batch(number, keys_of(number), at_us=at_us))
        clock.now_us += SECOND_US
        store.tick()
        print(number, store.cursor(), flush=True)
    os._exit(0)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
